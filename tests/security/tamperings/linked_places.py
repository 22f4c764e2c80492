"""Tamperings of linked places and check-ins there."""

from tests.security.tamperings.tampering import Tampering, change, delete

_PAID = "linked places: each check-in has its award"
_THERE = "linked places: each check-in is near"
_VISIT = "check-in at a linked place {visited}"

LINKED_PLACES = {
    "linked_places": (
        Tampering(change("linked_places", "rule_key = 'lecture_give'", "linked"), _PAID, _VISIT),
        Tampering(change("linked_places", "org_id = '{street}'", "linked"), _PAID, _VISIT),
    ),
    "linked_place_visits": (
        Tampering(
            change("linked_place_visits", "visited_on = visited_on - 1", "visited"), _THERE, _VISIT
        ),
        Tampering(change("linked_place_visits", "person_id = '{bob}'", "visited"), _PAID, _VISIT),
        Tampering(change("linked_place_visits", "doubted = true", "visited"), _PAID, _VISIT),
        Tampering(change("linked_place_visits", "distance_m = 5000", "visited"), _THERE, _VISIT),
        Tampering(delete("linked_place_visits", "visited"), _PAID, "award"),
    ),
}
