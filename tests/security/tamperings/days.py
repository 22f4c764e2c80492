"""Tamperings of redemption days: their stock, places, prices and substitutes."""

from tests.security.tamperings.tampering import Tampering, Tamperings, change, delete

_DAYS = "redemption days: stocks"
_ITEM, _SLOT = "item {day_item}", "slot {day_slot}"

DAYS: Tamperings = {
    "redemption_day_items": (
        Tampering(
            change("redemption_day_items", "remaining = remaining + 1", "day_item"), _DAYS, _ITEM
        ),
        Tampering(change("redemption_day_items", "stock = stock - 1", "day_item"), _DAYS, _ITEM),
        Tampering(
            change("redemption_day_items", "points = points + 1", "day_item"),
            _DAYS,
            "redemption {day_order}",
        ),
        Tampering(delete("redemption_day_items", "day_item"), _DAYS, "redemption {day_order}"),
    ),
    "redemption_day_slots": (
        Tampering(change("redemption_day_slots", "taken = taken + 1", "day_slot"), _DAYS, _SLOT),
    ),
    "redemption_day_movements": (
        Tampering(
            change("redemption_day_movements", "quantity = quantity - 1", "day_movement"),
            _DAYS,
            _ITEM,
        ),
        Tampering(delete("redemption_day_movements", "day_movement"), _DAYS, _ITEM),
    ),
    "redemption_substitutions": (
        Tampering(
            change("redemption_substitutions", "points = points - 1", "substitution"),
            _DAYS,
            "substitution {substitution}",
        ),
        Tampering(
            change("redemption_substitutions", "redemption_id = '{day_order}'", "substitution"),
            _DAYS,
            "substitution {substitution}",
        ),
    ),
}
