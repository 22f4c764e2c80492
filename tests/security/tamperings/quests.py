"""Tamperings of quests, their checkpoints, visits and completions."""

from tests.security.tamperings.tampering import Tampering, Tamperings, change, delete

_PAID = "quests: each completion has its award"
_ENOUGH = "quests: who visited as many"
_THERE = "quest visits: each is near"
_TRAIL = "quests: the audit trail"
_COMPLETION = "completion of quest {quest} by {carol}"
_VISIT = "quest visit {visit}"

QUESTS: Tamperings = {
    "quests": (
        Tampering(change("quests", "needed = 3", "quest"), _ENOUGH, _COMPLETION),
        Tampering(change("quests", "rule_key = 'activity_checkin'", "quest"), _PAID, _COMPLETION),
        Tampering(change("quests", "org_id = '{street}'", "quest"), _PAID, _COMPLETION),
    ),
    "quest_checkpoints": (
        Tampering(
            change(
                "quest_checkpoints",
                "opens_at = closes_at - INTERVAL '1 second'",
                "quest",
                "quest_id",
            ),
            _THERE,
            _VISIT,
        ),
    ),
    "quest_completions": (
        Tampering(
            change(
                "quest_completions",
                "completed_at = completed_at + INTERVAL '1 second'",
                "quest",
                "quest_id",
            ),
            _PAID,
            _COMPLETION,
        ),
        Tampering(
            change("quest_completions", "doubted = true", "quest", "quest_id"), _PAID, _COMPLETION
        ),
        Tampering(
            change("quest_completions", "person_id = '{bob}'", "quest", "quest_id"),
            _ENOUGH,
            _COMPLETION,
        ),
        Tampering(delete("quest_completions", "quest", "quest_id"), _PAID, "award"),
    ),
    "quest_organizers": (
        Tampering(
            delete("quest_organizers", "quest", "quest_id"),
            _TRAIL,
            "quest {quest}",
        ),
    ),
    "quest_visits": (
        Tampering(delete("quest_visits", "visit"), _ENOUGH, _COMPLETION),
        Tampering(change("quest_visits", "distance_m = 5000", "visit"), _THERE, _VISIT),
        Tampering(
            change("quest_visits", "visited_at = visited_at - INTERVAL '1 day'", "visit"),
            _THERE,
            _VISIT,
        ),
        Tampering(change("quest_visits", "flagged = 'travel'", "visit"), _TRAIL, _VISIT),
    ),
}
