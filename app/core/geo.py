"""Distances, and the conversion of GPS positions to China's coordinate system GCJ-02."""

from math import asin, cos, pi, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_000
# Krasovsky 1940, on which GCJ-02 is defined.
_A = 6_378_245.0
_EE = 0.006_693_421_622_965_943


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the great-circle distance in metres of two (latitude, longitude) in degrees."""
    lat_a, lon_a, lat_b, lon_b = (radians(degrees) for degrees in (*a, *b))
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(h, 1.0)))


def wgs84_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """Convert degrees of WGS 84 (GPS) to those of GCJ-02, which Chinese maps use.

    The two differ by up to 700 m. The published approximation, exact to about 1 m. A position
    outside China is returned as it is.
    """
    if not (72.004 <= longitude <= 137.8347 and 0.8293 <= latitude <= 55.8271):
        return latitude, longitude
    x, y = longitude - 105.0, latitude - 35.0
    common = (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + common
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + common
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    phi = radians(latitude)
    magic = 1 - _EE * sin(phi) ** 2
    d_lat = north * 180 / ((_A * (1 - _EE)) / (magic * sqrt(magic)) * pi)
    d_lon = east * 180 / (_A / sqrt(magic) * cos(phi) * pi)
    return latitude + d_lat, longitude + d_lon
