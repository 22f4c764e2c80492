"""Tamperings of activities, check-ins, awards, cases and deductions."""

from tests.security.tamperings.tampering import SEAL_OF_FACTS, Tampering, Tamperings, change, delete

_COUNTERS = "activities: the counters"
_CHECKINS = "check-ins: each has its award"
_MOVED = "charges, reservations, deductions, receipts: each moved"
_MADE = "receipts, deductions, cases"
_NUMBERS, _NUMBERED = "evidence numbers: each is of", "awards: the evidence number of each"

ACTS: Tamperings = {
    "activities": (
        Tampering(
            change("activities", "checkins = 0", "activity"), _COUNTERS, "activity {activity}"
        ),
        Tampering(
            change("activities", "rule_key = 'theme_study'", "activity"),
            _CHECKINS,
            "check-in {checkin}",
        ),
        Tampering(
            change("activities", "ends_at = ends_at - INTERVAL '1 hour'", "activity"),
            "attended times: each is of",
            "attended time of award {attended}",
        ),
        Tampering(
            change("activities", "org_id = '{street}'", "activity"), _CHECKINS, "check-in {checkin}"
        ),
        Tampering(
            change("activities", "org_path = '/'", "activity"),
            "activities: the path",
            "activity {activity}",
        ),
    ),
    "activity_sessions": (
        Tampering(
            change("activity_sessions", "signups_confirmed = 0", "shifts", "activity_id"),
            "sessions: the counters",
            "activity {shifts}",
        ),
    ),
    "shift_holds": (
        Tampering(
            change("shift_holds", "person_id = '{bob}'", "shift", "signup_id"),
            "shifts: times are held",
            "sign-up {shift}",
        ),
    ),
    "co_organizers": (
        Tampering(
            "INSERT INTO co_organizers (org_id, created_by, activity_id, person_id)"
            " VALUES ('{org}', '{organizer}', '{activity}', '{bob}')",
            "receipts, deductions, cases",
            "co_organizer",
        ),
    ),
    "activity_organizers": (
        Tampering(
            delete("activity_organizers", "activity", "activity_id"),
            "activities: who published",
            "activity {activity}",
        ),
    ),
    "attended_times": (
        Tampering(
            delete("attended_times", "attended", "award_id"),
            "awards: hours by a check-in",
            "award {attended}",
        ),
        Tampering(
            change(
                "attended_times",
                "during = tstzmultirange(tstzrange(lower(during) - INTERVAL '1 day',"
                " upper(during) - INTERVAL '1 day'))",
                "attended",
                "award_id",
            ),
            "attended times: each is of",
            "award {attended}",
        ),
        Tampering(
            change("attended_times", "person_id = '{bob}'", "attended", "award_id"),
            "attended times: each is of",
            "award {attended}",
        ),
    ),
    "award_evidence_numbers": (
        Tampering(
            "INSERT INTO award_evidence_numbers (unit_id, rule_key, field, number, proposal_id)"
            " SELECT unit_id, rule_key, field, 'taken', gen_random_uuid()"
            " FROM award_evidence_numbers LIMIT 1",
            _NUMBERS,
            "number taken",
        ),
        Tampering(
            "DELETE FROM award_evidence_numbers WHERE number = 'adonated'",
            _NUMBERED,
            "award {donated}",
        ),
        Tampering(
            "UPDATE award_evidence_numbers SET number = 'free' WHERE number = 'adonated'",
            _NUMBERS,
            "number free",
        ),
    ),
    "award_reviews": (
        Tampering(
            change("award_reviews", "approved = true", "rejected", "award_id")
            + ";"
            + change("audit_entries", "verb = 'approved'", "rejected", "subject_id"),
            "awards: the rejected ones",
            "award {rejected}",
        ),
        Tampering(
            delete("award_reviews", "donated", "award_id"),
            "awards: reviewers approved",
            "award {donated}",
        ),
        Tampering(
            change("award_reviews", "reviewer_id = '{auditor}'", "donated", "award_id"),
            "reviews: the audit trail",
            "review of award {donated}",
        ),
        Tampering(
            change("award_reviews", "approved = true", "rejected", "award_id"),
            "awards: the rejected ones",
            "award {rejected}",
        ),
        Tampering(
            change("award_reviews", "reviewer_id = '{organizer}'", "donated", "award_id")
            + ";"
            + change(
                "audit_entries",
                "actor_id = '{organizer}'",
                "donated",
                "verb = 'approved' AND subject_id",
            ),
            "reviews: nobody reviewed",
            "review of award {donated}",
        ),
    ),
    "awards": (
        Tampering(
            change("awards", "points = 0, points_cut = points", "given"),
            "awards: what was cut",
            "award {given}",
        ),
        Tampering(
            change("awards", "points = 0, points_reversed = points", "given"),
            "awards: what was reversed",
            "award {given}",
        ),
        Tampering(
            change("awards", "release_at = now()", "donated"),
            "awards: the public",
            "award {donated}",
        ),
        Tampering(
            "UPDATE awards SET release_at = NULL WHERE state = 'notice'",
            "awards: the public notice",
            "award",
        ),
        Tampering(
            change("awards", "release_at = '2099-01-01'", "donated"),
            "awards: the public",
            "award {donated}",
        ),
        Tampering(
            change("awards", "points = points - 1", "given"), "awards: each gave", "award {given}"
        ),
        Tampering(
            change("awards", "person_id = '{bob}'", "given"), "awards: each gave", "award {given}"
        ),
        Tampering(
            change("awards", "minutes = minutes + 60", "given"),
            "awards: the hours",
            "award {given}",
        ),
        Tampering(
            change("awards", "state = 'rejected'", "reversed"),
            "awards: the rejected ones",
            "award {reversed}",
        ),
        Tampering(
            change("awards", "reference = 'checkin:' || id", "given"), _CHECKINS, "award {given}"
        ),
        Tampering(
            change("awards", "open_objections = 0", "donated"),
            "awards: reviewers approved",
            "award {donated}",
        ),
        Tampering(
            change("awards", "state = 'available'", "proposed"),
            "awards: the points of each wait",
            "award {proposed}",
        ),
        Tampering(delete("awards", "given"), "awards: each gave", "award {given}"),
        Tampering(
            change("awards", "policy_version = policy_version + 1", "given"),
            SEAL_OF_FACTS,
            "award {given}",
        ),
        Tampering(
            change("awards", "rule_key = 'commendation'", "given"), SEAL_OF_FACTS, "award {given}"
        ),
        Tampering(
            change("awards", "points_before_caps = points_before_caps + 5", "given"),
            SEAL_OF_FACTS,
            "award {given}",
        ),
        Tampering(
            change("awards", "awarded_at = awarded_at - INTERVAL '1 month'", "given"),
            SEAL_OF_FACTS,
            "award {given}",
        ),
    ),
    "case_entries": (
        Tampering(
            "DELETE FROM case_entries WHERE step = 'answered'", "cases: each is where", "case"
        ),
        Tampering(
            "UPDATE case_entries SET text = 'x' WHERE step = 'answered'",
            "cases: the answer is",
            "case",
        ),
        Tampering(
            "UPDATE case_entries SET from_state = 'returned' WHERE step = 'answered'",
            "cases: each entry goes on",
            "entry 3",
        ),
    ),
    "cases": (
        Tampering(
            change("cases", "state = 'withdrawn'", "objection"),
            "cases: each is where",
            "case {objection}",
        ),
        Tampering(
            change("cases", "handler_id = '{auditor}'", "appealed", "subject_id"),
            "cases: each is where",
            "case",
        ),
        Tampering(
            change("cases", "outcome = 'adopted'", "appealed", "subject_id"),
            "deductions: the state",
            "deduction {appealed}",
        ),
        Tampering(
            change("cases", "created_by = '{alice}'", "objection"),
            _MADE,
            "case {objection}",
        ),
    ),
    "checkins": (
        Tampering(delete("checkins", "checkin"), _CHECKINS, "award {attended}"),
        Tampering(
            change("checkins", "person_id = '{carol}'", "checkin"),
            "check-ins: each is of a person",
            "check-in {checkin}",
        ),
        Tampering(
            change("checkins", "checked_in_at = checked_in_at - INTERVAL '1 hour'", "checkin"),
            _CHECKINS,
            "check-in {checkin}",
        ),
        Tampering(
            "INSERT INTO checkins SELECT gen_random_uuid(), activity_id, session, '{bob}', method,"
            " NULL, checked_in_at, '{given}' FROM checkins WHERE id = '{checkin}'",
            _COUNTERS,
            "activity {activity}",
        ),
    ),
    "deductions": (
        Tampering(
            change("deductions", "points = points - 1", "deduction"),
            _MOVED,
            "deduction {deduction}",
        ),
        Tampering(
            change("deductions", "state = 'appealed'", "appealed"),
            "deductions: the state",
            "deduction {appealed}",
        ),
        Tampering(
            change("deductions", "created_by = '{auditor}'", "deduction"),
            _MADE,
            "deduction {deduction}",
        ),
        Tampering(
            change("deductions", """evidence = '{{"activity": "x"}}'""", "deduction"),
            SEAL_OF_FACTS,
            "deduction {deduction}",
        ),
    ),
    "signups": (
        Tampering(
            change("signups", "person_id = '{auditor}'", "alice", "person_id"),
            "check-ins: each is of a person",
            "check-in {checkin}",
        ),
        Tampering(
            change("signups", "status = 'confirmed', queue_number = NULL", "waiting"),
            _COUNTERS,
            "activity {activity}",
        ),
        Tampering(change("signups", "status = 'cancelled'", "place"), _COUNTERS, "{activity}"),
    ),
}
