"""Tamperings of exchanges between programmes and of their agreements."""

from tests.security.tamperings.tampering import (
    SEAL_OF_FACTS,
    Tampering,
    Tamperings,
    change,
    delete,
)

_LEGS = "exchanges: each moved"
_RATE = "exchanges: each is at the rate"
_POSITIONS = "exchanges: positions"

EXCHANGES: Tamperings = {
    "exchange_agreements": (
        Tampering(
            change("exchange_agreements", "rate_points = rate_points + 1", "exchange_agreement"),
            _RATE,
            "exchange {exchange}",
        ),
        Tampering(
            change(
                "exchange_agreements",
                "starts_at = starts_at + INTERVAL '1 day'",
                "exchange_agreement",
            ),
            _RATE,
            "exchange {exchange}",
        ),
        Tampering(
            change("exchange_agreements", "position = position + 1", "exchange_agreement"),
            _POSITIONS,
            "agreement {exchange_agreement} of {org}",
        ),
        Tampering(
            change("exchange_agreements", "other_position = 0", "exchange_agreement"),
            _POSITIONS,
            "clearing of {foreign}",
        ),
        Tampering(
            change("exchange_agreements", "max_points = 1000", "exchange_agreement"),
            SEAL_OF_FACTS,
            "{exchange_agreement}",
        ),
        Tampering(
            delete("exchange_agreements", "exchange_agreement"), _RATE, "exchange {exchange}"
        ),
    ),
    "exchanges": (
        Tampering(
            change("exchanges", "created_by = '{bob}'", "exchange"),
            _LEGS,
            "first leg of exchange {exchange}",
        ),
        Tampering(
            change("exchanges", "received = received + 1", "exchange"),
            _LEGS,
            "second leg of exchange {exchange}",
        ),
        Tampering(
            change("exchanges", "points = points + 1", "exchange"), _RATE, "exchange {exchange}"
        ),
        Tampering(
            change("exchanges", "expires_at = expires_at + INTERVAL '1 day'", "exchange"),
            SEAL_OF_FACTS,
            "exchange {exchange}",
        ),
        Tampering(delete("exchanges", "exchange"), _LEGS, "leg of exchange {exchange}"),
    ),
}
