"""Tamperings of merchants, rewards, redemptions, charges, receipts, months and stored replies."""

from tests.security.tamperings.tampering import (
    SEAL_OF_FACTS,
    Tampering,
    Tamperings,
    Untold,
    change,
    delete,
)

_MOVED = "charges, reservations, deductions, receipts: each moved"
_SETTLED = "charges, reservations, deductions, receipts: each was settled"
_PLACED = "redemptions: each is at the merchant"
_STOCKS = "stocks: what is left"
_MADE = "receipts, deductions, cases"
_REFUNDS = "refunds: each went"
_UNDONE = "redemptions: each undone"
_STATED = "settlements: all statements"
_DUE = "settlements: what is due"
_CODES = "vouchers: each code"

GOODS: Tamperings = {
    "agreements": (
        Tampering(
            change("agreements", "cents_per_point = cents_per_point + 1", "agreement"),
            _DUE,
            "settlement {settlement}",
        ),
    ),
    "settlements": (
        # The sum stays, so nothing else differs.
        Tampering(
            change("settlements", "charged = charged + 5, undone = undone + 5", "settlement"),
            _STATED,
            "settlement {settlement}",
        ),
        Tampering(
            change("settlements", "opening = opening + 5, closing = closing + 5", "settlement"),
            _STATED,
            "settlement {settlement}",
        ),
        Tampering(
            change(
                "settlements",
                "value_cents = value_cents + 100, due_cents = due_cents + 100",
                "settlement",
            ),
            _DUE,
            "settlement {settlement}",
        ),
        Tampering(
            change(
                "settlements",
                "corrected_cents = corrected_cents + 9, due_cents = due_cents + 9",
                "settlement",
            ),
            _DUE,
            "settlement {settlement}",
        ),
    ),
    "settlement_parts": (
        Tampering(
            change(
                "settlement_parts", "value_cents = value_cents + 1", "settlement", "settlement_id"
            ),
            _DUE,
            "settlement {settlement}",
        ),
    ),
    "charges": (
        Tampering(change("charges", "points = points + 1", "charge"), _MOVED, "charge {charge}"),
        Tampering(change("charges", "person_id = '{bob}'", "charge"), _MOVED, "charge {charge}"),
        Tampering(change("charges", "merchant_id = '{bank}'", "charge"), _MOVED, "charge {charge}"),
        Tampering(
            change("charges", "status = 'charged'", "refunded"), _SETTLED, "charge {refunded}"
        ),
        Tampering(delete("charges", "charge"), _MOVED, "charge {charge}"),
        Tampering(
            change("charges", "settled_at = settled_at - INTERVAL '1 second'", "confirmed"),
            "charges: each that its payer",
            "charge {confirmed}",
        ),
        Tampering(
            change("charges", "expires_at = expires_at + INTERVAL '1 minute'", "confirmed"),
            "holds: each charge",
            "charge {confirmed}",
        ),
        Tampering(
            change("charges", "created_at = created_at - INTERVAL '1 month'", "charge"),
            SEAL_OF_FACTS,
            "charge {charge}",
        ),
        Tampering(change("charges", "staff_id = '{bob}'", "charge"), SEAL_OF_FACTS, "{charge}"),
    ),
    "charge_refunds": (
        Tampering(
            change("charge_refunds", "points = points + 1", "partly", "charge_id"),
            _REFUNDS,
            "charge {partly}",
        ),
        Tampering(
            change("charge_refunds", "merchant_id = '{bank}'", "partly", "charge_id"),
            _REFUNDS,
            "charge {partly}",
        ),
        Tampering(
            change(
                "charge_refunds",
                "created_at = created_at - INTERVAL '1 month'",
                "partly",
                "charge_id",
            ),
            _REFUNDS,
            "charge {partly}",
        ),
        Tampering(delete("charge_refunds", "partly", "charge_id"), _REFUNDS, "charge {partly}"),
        Tampering(
            change("charge_refunds", "created_by = '{bob}'", "partly", "charge_id"),
            _MADE,
            "refund of charge {partly}",
        ),
    ),
    "fund_months": (
        Tampering(
            "UPDATE fund_months SET issued = issued + 5, available = available + 5"
            " WHERE org_id = '{org}' AND unit_id = 1",
            SEAL_OF_FACTS,
            "{org}",
        ),
        Tampering(
            "UPDATE fund_months SET issued = issued + 5, available = available + 5"
            " WHERE org_id = '{org}' AND month ="
            " (SELECT max(month) FROM fund_months WHERE closed_at IS NOT NULL)",
            "closed months: the newest",
            "{org}",
        ),
    ),
    "fund_receipts": (
        Tampering(
            change("fund_receipts", "points = points - 1", "receipt"), _MOVED, "receipt {receipt}"
        ),
        Tampering(
            change("fund_receipts", "org_id = '{street}'", "receipt"), _MOVED, "receipt {receipt}"
        ),
        Tampering(
            change("fund_receipts", "created_by = '{bob}'", "receipt"),
            "receipts, deductions, cases",
            "fund_receipt {receipt}",
        ),
        Tampering(
            change("fund_receipts", "giver = '某公司'", "receipt"),
            SEAL_OF_FACTS,
            "receipt {receipt}",
        ),
        Tampering(
            change("fund_receipts", "value_cents = value_cents + 1", "receipt"),
            SEAL_OF_FACTS,
            "value of a receipt {receipt}",
        ),
        Tampering(delete("fund_receipts", "receipt"), _MOVED, "receipt {receipt}"),
    ),
    "idempotency_keys": (
        Tampering(
            "UPDATE idempotency_keys SET body = convert_to(regexp_replace("
            "convert_from(body, 'UTF8'), '\"points\": ?3,', '\"points\":30,'), 'UTF8')"
            " WHERE convert_from(body, 'UTF8') LIKE '%{charge}%'",
            "replies under a key",
            "reply to {staff}",
        ),
        Tampering(
            "UPDATE idempotency_keys SET body = convert_to(replace("
            "convert_from(body, 'UTF8'), '{donated}', '{given}'), 'UTF8')",
            "replies under a key",
            "reply to {organizer}",
        ),
    ),
    "merchants": (
        Tampering(change("merchants", "kind = 'shop'", "bank"), _PLACED, "redemption {banked}"),
        Tampering(
            change("merchants", "org_id = '{street}'", "shop"),
            "charges: each was charged",
            "charge {charge}",
        ),
        Tampering(delete("merchants", "shop"), "references", "charges {charge}"),
    ),
    "redemptions": (
        Tampering(
            change("redemptions", "merchant_id = '{bank}'", "collected"),
            _PLACED,
            "redemption {collected}",
        ),
        Tampering(
            change("redemptions", "merchant_id = '{bank}'", "reserved"),
            _PLACED,
            "redemption {reserved}",
        ),
        Tampering(
            change("redemptions", "points = points + 1", "collected"),
            _MOVED,
            "redemption {collected}",
        ),
        Tampering(
            change("redemptions", "person_id = '{bob}'", "collected"),
            _MOVED,
            "redemption {collected}",
        ),
        Tampering(
            change("redemptions", "status = 'collected'", "cancelled"),
            _SETTLED,
            "redemption {cancelled}",
        ),
        Tampering(
            change("redemptions", "quantity = 5", "collected"), _STOCKS, "stock of reward {soap}"
        ),
        Tampering(
            change("redemptions", "expires_at = expires_at + INTERVAL '1 day'", "reserved"),
            "holds: each reservation",
            "redemption {reserved}",
        ),
        Tampering(
            change("redemptions", "created_at = created_at - INTERVAL '1 month'", "collected"),
            SEAL_OF_FACTS,
            "reservation {collected}",
        ),
        Tampering(
            change(
                "redemptions", "undone_at = NULL, undone_by = NULL, undo_reason = NULL", "undone"
            ),
            _UNDONE,
            "redemption {undone}",
        ),
        Tampering(
            change("redemptions", "undone_at = undone_at - INTERVAL '1 month'", "undone"),
            _UNDONE,
            "redemption {undone}",
        ),
        Tampering(change("redemptions", "replaces_id = NULL", "anew"), _UNDONE, "{undone}"),
        Tampering(
            change("redemptions", "settled_at = settled_at - INTERVAL '1 month'", "collected"),
            SEAL_OF_FACTS,
            "reservation {collected}",
        ),
    ),
    "reward_stocks": (
        Tampering(
            change("reward_stocks", "opened_with = opened_with + 5", "soap", "reward_id"),
            _STOCKS,
            "stock of reward {soap}",
        ),
        Tampering(
            change("reward_stocks", "remaining = remaining + 1", "soap", "reward_id"),
            _STOCKS,
            "stock of reward {soap}",
        ),
        Tampering(delete("reward_stocks", "soap", "reward_id"), _STOCKS, "stock of reward {soap}"),
    ),
    "rewards": (
        Tampering(
            change("rewards", "merchant_id = '{bank}'", "soap"), _PLACED, "redemption {collected}"
        ),
        Untold(
            "the price and the stock of a reward to come",
            change("rewards", "points = 1, stock = stock + 5", "soap"),
            "organizers set them; what was redeemed has its own points, and a period its own stock",
        ),
    ),
    "voucher_codes": (
        Tampering(
            change(
                "voucher_codes",
                "redemption_id = NULL, handed_out_at = NULL",
                "film",
                "redemption_id",
            ),
            _CODES,
            "redemption {film}",
        ),
        Tampering(
            change("voucher_codes", "redemption_id = '{collected}'", "film", "redemption_id"),
            _CODES,
            "redemption {film}",
        ),
        Tampering(
            change("voucher_codes", "reward_id = '{soap}'", "film", "redemption_id"),
            _CODES,
            "redemption {film}",
        ),
        Tampering(delete("voucher_codes", "film", "redemption_id"), _CODES, "redemption {film}"),
    ),
    "stock_movements": (
        Tampering(
            change("stock_movements", "quantity = quantity + 1", "movement"),
            _STOCKS,
            "stock of reward {soap}",
        ),
        Tampering(delete("stock_movements", "movement"), _STOCKS, "stock of reward {soap}"),
        Tampering(
            change("stock_movements", "created_by = '{bob}'", "movement"),
            _MADE,
            "stock_movement {movement}",
        ),
    ),
}
