"""Tamperings of sessions, check-outs, corrections of check-ins."""

from tests.security.tamperings.tampering import (
    SEAL_OF_FACTS,
    Tampering,
    Tamperings,
    change,
    delete,
)

_AWARDS = "check-outs and corrections: their awards"
_FOLLOWS = "corrections: each follows"

PRESENCES: Tamperings = {
    "activity_sessions": (
        Tampering(
            change("activity_sessions", "checkins = checkins + 1", "evening", "activity_id"),
            "sessions: they are as many",
            "activity {evening}",
        ),
        Tampering(
            delete("activity_sessions", "evening", "activity_id"),
            "sessions: they are as many",
            "activity {evening}",
        ),
        Tampering(
            change(
                "activity_sessions",
                "ends_at = starts_at + INTERVAL '1 hour'",
                "evening",
                "activity_id",
            ),
            "attended times: each is of",
            "attended time of award {instead}",
        ),
    ),
    "checkouts": (
        Tampering(delete("checkouts", "left_alice"), "activities: the counters", "{evening}"),
        Tampering(
            change("checkouts", "left_at = left_at - INTERVAL '1 hour'", "left_carol"),
            "check-outs: each is of its check-in",
            "check-out {left_carol}",
        ),
        Tampering(
            change("checkouts", "recorded_at = recorded_at - INTERVAL '1 hour'", "left_alice"),
            _AWARDS,
            "check-out {left_alice}",
        ),
        Tampering(
            change("checkouts", "left_at = left_at + INTERVAL '10 minutes'", "left_bob"),
            f"{SEAL_OF_FACTS}: each check-out",
            "{left_bob}",
        ),
    ),
    "corrections": (
        Tampering(delete("corrections", "came_alice", "checkin_id"), _AWARDS, "award {instead}"),
        Tampering(
            change(
                "corrections",
                "left_before = left_before - INTERVAL '1 hour'",
                "came_bob",
                "checkin_id",
            ),
            _FOLLOWS,
            "correction",
        ),
        Tampering(
            change("corrections", "number = 2", "came_bob", "checkin_id"), _FOLLOWS, "correction"
        ),
        Tampering(
            change("corrections", "reason = 'x'", "came_bob", "checkin_id"),
            f"{SEAL_OF_FACTS}: each correction of a check-in",
            "correction",
        ),
    ),
}
