"""Distances, and China's shifted coordinates."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.geo import distance_m, wgs84_to_gcj02

places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
in_china = st.tuples(st.floats(20, 50), st.floats(80, 130))


@given(places, places)
def test_a_distance_is_a_distance(a: tuple[float, float], b: tuple[float, float]) -> None:
    assert 0 <= distance_m(a, b) <= 20_016_000
    assert isclose(distance_m(a, b), distance_m(b, a), abs_tol=1e-6)
    assert distance_m(a, a) < 1e-6


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0, 0), (0, 1), 111_195),
        ((0, 0), (1, 0), 111_195),
        ((31.2304, 121.4737), (39.9042, 116.4074), 1_067_000),  # Shanghai, Beijing
        ((0, 0), (0, 180), 20_015_000),
        ((90, 0), (-90, 0), 20_015_000),
        ((32.2372, 119.8121), (32.2372, 119.8131), 94),  # a street in Yangzhong
        ((0, 179.9995), (0, -179.9995), 111),  # over the date line
    ],
)
def test_known_distances(a: tuple[float, float], b: tuple[float, float], metres: float) -> None:
    assert distance_m(a, b) == pytest.approx(metres, rel=0.01)


@given(in_china)
def test_inside_china_a_position_moves_by_some_hundred_metres(place: tuple[float, float]) -> None:
    assert 1 < distance_m(place, wgs84_to_gcj02(*place)) < 1200


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        ((39.907333, 116.391083), (39.908736, 116.397327)),  # Tiananmen
        ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
        ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
    ],
)
def test_published_pairs_agree_to_two_metres(
    wgs84: tuple[float, float], gcj02: tuple[float, float]
) -> None:
    assert distance_m(wgs84_to_gcj02(*wgs84), gcj02) < 2


@pytest.mark.parametrize("place", [(51.5, -0.12), (-33.9, 151.2), (60.0, 100.0), (35.0, 72.0)])
def test_abroad_nothing_moves(place: tuple[float, float]) -> None:
    assert wgs84_to_gcj02(*place) == place
