"""Geofences: how far a phone is from a place, and how far it may be."""

from dataclasses import dataclass

from app.core.geo import distance_m, wgs84_to_gcj02
from app.schemas.checkins import PositionIn

# What a phone may add to the radius of a place by saying that it is not sure.
MAX_ACCURACY_M = 100
# Faster than by car or train between two places, from edge to edge.
MAX_SPEED_KMH = 150
KMH = 3.6  # of a metre a second


@dataclass(frozen=True, slots=True)
class Measured:
    """A phone's distance from a place; what counts of its accuracy; what the two may be. Metres."""

    distance_m: int
    accuracy_m: int
    limit: int

    @property
    def is_inside(self) -> bool:
        return self.distance_m <= self.limit


def degrees(position: PositionIn) -> tuple[float, float]:
    """Return latitude and longitude of a phone in GCJ-02, the system of the places."""
    here = (position.latitude, position.longitude)
    return wgs84_to_gcj02(*here) if position.coordinate_system == "wgs84" else here


def is_too_fast(apart_m: float, seconds: float) -> bool:
    """Whether a way between the edges of two places was faster than MAX_SPEED_KMH."""
    return apart_m > 0 and apart_m * KMH > MAX_SPEED_KMH * abs(seconds)


def millionths(position: PositionIn) -> tuple[int, int]:
    """Return latitude and longitude of a phone in millionths of a degree of GCJ-02: 11 cm."""
    latitude, longitude = degrees(position)
    return round(latitude * 1_000_000), round(longitude * 1_000_000)


def measure(place: tuple[float, float], radius_m: int, position: PositionIn) -> Measured:
    """Measure a phone against a place: latitude and longitude in GCJ-02, and a radius."""
    accuracy = min(round(position.accuracy_m), MAX_ACCURACY_M)
    distance = round(distance_m(degrees(position), place))
    return Measured(distance, accuracy, radius_m + accuracy)
