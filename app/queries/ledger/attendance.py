# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of activities, sign-ups, check-ins and attended times, with each other and the awards."""

from app.queries.ledger.awarded import STANDS
from app.queries.ledger.checking import Check

_UNTIL = """
CASE WHEN pg_input_is_valid(facts ->> 'until', 'timestamp with time zone')
     THEN CAST(facts ->> 'until' AS timestamptz) AT TIME ZONE 'UTC' END
"""
# A condition on entries ``forgotten``: the function ``drop_partition`` can have written it. Months
# are dropped whole, after 36 at the earliest. An id of no time is none of the database's.
CAN_BE_FORGOTTEN = f"""
({_UNTIL} = date_trunc('month', {_UNTIL})
 AND {_UNTIL} + INTERVAL '36 months' <= uuid_extract_timestamp(id) AT TIME ZONE 'UTC'
 AND {_UNTIL} + INTERVAL '36 months' <= at AT TIME ZONE 'UTC'
 AND {_UNTIL} + INTERVAL '36 months' <= now() AT TIME ZONE 'UTC') IS TRUE
"""
# Entries from before were dropped with their month of the trail, which left an entry of that.
FORGOTTEN_UNTIL = f"""(
    SELECT coalesce(max({_UNTIL} AT TIME ZONE 'UTC'), '-infinity')
    FROM audit_entries
    WHERE verb = 'forgotten' AND subject_type = 'audit_entry' AND {CAN_BE_FORGOTTEN}
)"""
# The entry of a row from before may be among them: a row and its entry are dated by two clocks.
FORGOTTEN = f"({FORGOTTEN_UNTIL} + INTERVAL '1 day')"
# Of rows from before it, no entry was written and no time was counted. A migration writes an entry
# for each role and policy that is there, so there is one in every database that has any.
SINCE_TRAIL = f"(SELECT greatest(min(at), {FORGOTTEN}) FROM audit_entries)"
# A condition on awards a.
BY_CHECKIN = "a.reference LIKE 'checkin:%'"
# The time of a check-in c. Unknown if it is the first moment of a day: it is also the date of what
# is checked in after the day before was closed too early (``moments``).
_CAME = """
CASE WHEN c.checked_in_at <> date_trunc('day', c.checked_in_at, 'Asia/Shanghai')
     THEN c.checked_in_at END
"""
# Places that sign-ups take: with the friends who come along, and those that are offered.
PLACES = """
coalesce(sum(1 + friends) FILTER (WHERE status IN ('confirmed', 'offered')), 0)
"""
# Minutes of an attended time t: whole half hours.
_MINUTES = """
30 * floor(extract(epoch FROM (
    SELECT sum(upper(part) - lower(part)) FROM unnest(t.during) AS part)) / 1800)
"""

ATTENDANCE_CHECKS = (
    Check(
        "activities: the counters are those of the sign-ups and check-ins",
        f"""
        SELECT 'activity ' || a.id AS subject,
               concat_ws(', ', coalesce(s.confirmed, 0) || ' confirmed',
                         coalesce(s.waitlisted, 0) || ' waitlisted', coalesce(c.n, 0)
                         || ' check-ins', 'number ' || coalesce(s.last, 0) || ' at least')
                   AS expected,
               concat_ws(', ', a.signups_confirmed || ' confirmed', a.signups_waitlisted
                         || ' waitlisted', a.checkins || ' check-ins',
                         'number ' || a.last_queue_number) AS found
        FROM activities a
        LEFT JOIN (
            SELECT activity_id, {PLACES} AS confirmed,
                   count(*) FILTER (WHERE status = 'waitlisted') AS waitlisted,
                   max(queue_number) FILTER (WHERE session = 0) AS last
            FROM signups GROUP BY 1
        ) s ON s.activity_id = a.id
        LEFT JOIN (SELECT activity_id, count(*) AS n FROM checkins GROUP BY 1) c
          ON c.activity_id = a.id
        WHERE (a.signups_confirmed, a.signups_waitlisted, a.checkins)
              <> (coalesce(s.confirmed, 0), coalesce(s.waitlisted, 0), coalesce(c.n, 0))
           OR a.last_queue_number < s.last
        """,
    ),
    Check(
        "sessions: the counters are those of the sign-ups",
        f"""
        SELECT 'session ' || n.number || ' of activity ' || n.activity_id AS subject,
               concat_ws(', ', coalesce(s.confirmed, 0) || ' confirmed',
                         coalesce(s.waitlisted, 0) || ' waitlisted',
                         'number ' || coalesce(s.last, 0) || ' at least') AS expected,
               concat_ws(', ', n.signups_confirmed || ' confirmed', n.signups_waitlisted
                         || ' waitlisted', 'number ' || n.last_queue_number) AS found
        FROM activity_sessions n
        LEFT JOIN (
            SELECT activity_id, session, {PLACES} AS confirmed,
                   count(*) FILTER (WHERE status = 'waitlisted') AS waitlisted,
                   max(queue_number) AS last
            FROM signups GROUP BY 1, 2
        ) s ON s.activity_id = n.activity_id AND s.session = n.number
        WHERE (n.signups_confirmed, n.signups_waitlisted)
              <> (coalesce(s.confirmed, 0), coalesce(s.waitlisted, 0))
           OR n.last_queue_number < s.last
        """,
    ),
    Check(
        "shifts: times are held by those who have a place or an offer",
        """
        SELECT 'sign-up ' || h.signup_id AS subject,
               concat_ws(' ', 'a place at a shift of', h.person_id) AS expected,
               concat_ws(' ', s.status, 'of', s.person_id) AS found
        FROM shift_holds h LEFT JOIN signups s ON s.id = h.signup_id
        WHERE (s.person_id = h.person_id AND s.session > 0
               AND s.status IN ('confirmed', 'offered')) IS NOT TRUE
        """,
    ),
    Check(
        "check-ins: each is of a person with a confirmed place",
        """
        SELECT 'check-in ' || c.id AS subject, 'a confirmed sign-up' AS expected, NULL AS found
        FROM checkins c
        LEFT JOIN signups s ON s.activity_id = c.activity_id AND s.person_id = c.person_id
                           AND s.status = 'confirmed'
        WHERE s.id IS NULL
        """,
    ),
    Check(
        "check-ins: each has its award, of its person, activity and moment, and each award its own",
        f"""
        SELECT CASE WHEN c.id IS NULL THEN 'award ' || a.id ELSE 'check-in ' || c.id END AS subject,
               concat_ws(' ', c.reference, 'under', c.rule_key, 'by', c.org_id, 'of', c.person_id,
                         'at', c.checked_in_at) AS expected,
               concat_ws(' ', a.reference, 'under', a.rule_key, 'by', a.org_id, 'of', a.person_id,
                         'at', a.awarded_at) AS found
        FROM (
            SELECT c.id, c.award_id, c.person_id, c.checked_in_at, v.org_id, v.rule_key,
                   concat_ws(':', 'checkin', c.activity_id, c.session, c.person_id) AS reference
            FROM checkins c JOIN activities v ON v.id = c.activity_id
        ) c
        FULL JOIN (SELECT * FROM awards a WHERE {BY_CHECKIN}) a ON a.id = c.award_id
        WHERE (c.reference, c.rule_key, c.org_id, c.person_id, c.checked_in_at)
              IS DISTINCT FROM (a.reference, a.rule_key, a.org_id, a.person_id, a.awarded_at)
        """,
    ),
    Check(
        "attended times: each is of a check-in, within its activity, and is paid by its award",
        f"""
        SELECT 'attended time of award ' || t.award_id AS subject,
               concat_ws(' ', a.state, a.minutes, 'minutes of', c.person_id, 'from',
                         greatest({_CAME}, v.starts_at), 'to', v.ends_at) AS expected,
               concat_ws(' ', CASE WHEN t.is_extra THEN 'extra' ELSE 'service' END, t.during, 'of',
                         t.person_id) AS found
        FROM attended_times t
        LEFT JOIN awards a ON a.id = t.award_id
        LEFT JOIN checkins c ON c.award_id = t.award_id
        LEFT JOIN activities v ON v.id = c.activity_id
        WHERE ({STANDS} AND t.person_id = c.person_id
               AND lower(t.during) >= greatest({_CAME}, v.starts_at)
               AND upper(t.during) <= v.ends_at
               AND (a.awarded_at < {SINCE_TRAIL}
                    OR a.minutes = CASE WHEN t.is_extra THEN 0 ELSE {_MINUTES} END)) IS NOT TRUE
        """,
    ),
    Check(
        "awards: hours by a check-in are of an attended time",
        f"""
        SELECT 'award ' || a.id AS subject, a.minutes || ' minutes' AS expected, NULL AS found
        FROM awards a LEFT JOIN attended_times t ON t.award_id = a.id
        WHERE {BY_CHECKIN} AND a.minutes > 0 AND {STANDS} AND t.award_id IS NULL
          AND a.awarded_at >= {SINCE_TRAIL}
        """,
    ),
)
