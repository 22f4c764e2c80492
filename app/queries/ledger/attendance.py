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
BY_CHECKOUT = "a.reference LIKE 'checkout:%'"
BY_CORRECTION = "a.reference LIKE 'correction:%'"
BY_ATTENDANCE = f"({BY_CHECKIN} OR {BY_CHECKOUT} OR {BY_CORRECTION})"
# The time of a check-in c. Unknown if it is the first moment of a day: it is also the date of what
# is checked in after the day before was closed too early (``moments``).
_CAME = """
CASE WHEN c.came_at IS NOT NULL OR
          c.checked_in_at <> date_trunc('day', c.checked_in_at, 'Asia/Shanghai')
     THEN coalesce(c.came_at, c.checked_in_at) END
"""
# What check-ins, check-outs and corrections pay by time, each with its award.
_PAID = f"""
SELECT c.award_id, c.person_id, greatest({_CAME}, coalesce(s.starts_at, v.starts_at)) AS since,
       coalesce(s.ends_at, v.ends_at) AS until
FROM checkins c JOIN activities v ON v.id = c.activity_id
LEFT JOIN activity_sessions s ON s.activity_id = v.id AND s.number = c.session
WHERE c.award_id IS NOT NULL
UNION ALL
SELECT o.award_id, c.person_id, greatest({_CAME}, coalesce(s.starts_at, v.starts_at)),
       least(o.left_at, coalesce(s.ends_at, v.ends_at))
FROM checkouts o JOIN checkins c ON c.id = o.checkin_id
JOIN activities v ON v.id = c.activity_id
LEFT JOIN activity_sessions s ON s.activity_id = v.id AND s.number = c.session
WHERE o.award_id IS NOT NULL
UNION ALL
SELECT r.award_id, c.person_id, greatest(r.came_at, coalesce(s.starts_at, v.starts_at)),
       least(r.left_at, coalesce(s.ends_at, v.ends_at))
FROM corrections r JOIN checkins c ON c.id = r.checkin_id
JOIN activities v ON v.id = c.activity_id
LEFT JOIN activity_sessions s ON s.activity_id = v.id AND s.number = c.session
WHERE r.award_id IS NOT NULL
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
                         || ' check-ins', coalesce(o.n, 0) || ' check-outs',
                         'number ' || coalesce(s.last, 0) || ' at least')
                   AS expected,
               concat_ws(', ', a.signups_confirmed || ' confirmed', a.signups_waitlisted
                         || ' waitlisted', a.checkins || ' check-ins', a.checkouts
                         || ' check-outs', 'number ' || a.last_queue_number) AS found
        FROM activities a
        LEFT JOIN (
            SELECT activity_id, {PLACES} AS confirmed,
                   count(*) FILTER (WHERE status = 'waitlisted') AS waitlisted,
                   max(queue_number) FILTER (WHERE session = 0) AS last
            FROM signups GROUP BY 1
        ) s ON s.activity_id = a.id
        LEFT JOIN (SELECT activity_id, count(*) AS n FROM checkins GROUP BY 1) c
          ON c.activity_id = a.id
        LEFT JOIN (SELECT activity_id, count(*) AS n FROM checkouts GROUP BY 1) o
          ON o.activity_id = a.id
        WHERE (a.signups_confirmed, a.signups_waitlisted, a.checkins, a.checkouts)
              <> (coalesce(s.confirmed, 0), coalesce(s.waitlisted, 0), coalesce(c.n, 0),
                  coalesce(o.n, 0))
           OR a.last_queue_number < s.last
        """,
    ),
    Check(
        "sessions: they are as many as the activity says, and count their own presences",
        """
        SELECT 'activity ' || a.id AS subject,
               concat_ws(', ', count(s.id) || ' sessions', coalesce(c.n, 0) || ' check-ins',
                         coalesce(o.n, 0) || ' check-outs') AS expected,
               concat_ws(', ', a.sessions || ' sessions', coalesce(sum(s.checkins), 0)
                         || ' check-ins', coalesce(sum(s.checkouts), 0) || ' check-outs') AS found
        FROM activities a
        LEFT JOIN activity_sessions s ON s.activity_id = a.id
        LEFT JOIN (SELECT activity_id, count(*) AS n FROM checkins WHERE session > 0 GROUP BY 1) c
          ON c.activity_id = a.id
        LEFT JOIN (SELECT activity_id, count(*) AS n FROM checkouts WHERE session > 0 GROUP BY 1) o
          ON o.activity_id = a.id
        WHERE a.sessions > 0 OR s.id IS NOT NULL OR c.n > 0
        GROUP BY a.id, c.n, o.n
        HAVING (count(s.id), coalesce(sum(s.checkins), 0), coalesce(sum(s.checkouts), 0))
               <> (a.sessions, coalesce(c.n, 0), coalesce(o.n, 0))
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
                           AND s.status = 'confirmed' AND s.session IN (0, c.session)
        WHERE s.id IS NULL AND NOT c.is_walk_in
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
            WHERE c.award_id IS NOT NULL OR NOT v.checks_out
        ) c
        FULL JOIN (SELECT * FROM awards a WHERE {BY_CHECKIN}) a ON a.id = c.award_id
        WHERE (c.reference, c.rule_key, c.org_id, c.person_id, c.checked_in_at)
              IS DISTINCT FROM (a.reference, a.rule_key, a.org_id, a.person_id, a.awarded_at)
        """,
    ),
    Check(
        "check-outs: each is of its check-in, and has an award, but for who forgot it",
        """
        SELECT 'check-out ' || o.id AS subject,
               concat_ws(' ', c.activity_id, c.session, c.person_id, 'after', c.checked_in_at)
                   AS expected,
               concat_ws(' ', o.activity_id, o.session, o.person_id, 'until', o.left_at, 'for',
                         o.award_id) AS found
        FROM checkouts o JOIN checkins c ON c.id = o.checkin_id
        JOIN activities v ON v.id = c.activity_id
        WHERE (o.activity_id, o.session, o.person_id) <> (c.activity_id, c.session, c.person_id)
           OR o.left_at < coalesce(c.came_at, c.checked_in_at) OR NOT v.checks_out
           OR (o.award_id IS NULL AND o.departure NOT IN ('forgotten', 'corrected'))
        """,
    ),
    Check(
        "check-outs and corrections: their awards are of the person, activity and moment",
        f"""
        SELECT coalesce(c.subject, 'award ' || a.id) AS subject,
               concat_ws(' ', c.reference, 'under', c.rule_key, 'by', c.org_id, 'of', c.person_id,
                         'at', c.recorded_at) AS expected,
               concat_ws(' ', a.reference, 'under', a.rule_key, 'by', a.org_id, 'of', a.person_id,
                         'at', a.awarded_at) AS found
        FROM (
            SELECT 'check-out ' || o.id AS subject, o.award_id, o.person_id, o.recorded_at,
                   v.org_id, v.rule_key,
                   concat_ws(':', 'checkout', o.activity_id, o.session, o.person_id) AS reference
            FROM checkouts o JOIN activities v ON v.id = o.activity_id
            WHERE o.award_id IS NOT NULL
            UNION ALL
            SELECT 'correction ' || r.id, r.award_id, c.person_id, r.corrected_at, v.org_id,
                   v.rule_key,
                   concat_ws(':', 'correction', c.activity_id, c.session, c.person_id, r.number)
            FROM corrections r JOIN checkins c ON c.id = r.checkin_id
            JOIN activities v ON v.id = c.activity_id
            WHERE r.award_id IS NOT NULL
        ) c
        FULL JOIN (SELECT * FROM awards a WHERE {BY_CHECKOUT} OR {BY_CORRECTION}) a
          ON a.id = c.award_id
        WHERE (c.reference, c.rule_key, c.org_id, c.person_id, c.recorded_at)
              IS DISTINCT FROM (a.reference, a.rule_key, a.org_id, a.person_id, a.awarded_at)
        """,
    ),
    Check(
        "corrections: each follows the one before, and what it replaced gives nothing",
        """
        SELECT 'correction ' || r.id AS subject,
               concat_ws(' ', r.came_before, r.left_before, r.ended_award_id) AS expected,
               concat_ws(' ', b.came_at, b.left_at, w.state) AS found
        FROM (
            SELECT r.*, lag(r.number, 1, 0) OVER one AS last, lag(r.id) OVER one AS before_id
            FROM corrections r WINDOW one AS (PARTITION BY r.checkin_id ORDER BY r.number)
        ) r
        JOIN checkins c ON c.id = r.checkin_id
        LEFT JOIN checkouts o ON o.checkin_id = c.id
        LEFT JOIN corrections p ON p.id = r.before_id
        LEFT JOIN awards w ON w.id = r.ended_award_id
        CROSS JOIN LATERAL (
            SELECT CASE WHEN p.id IS NULL THEN coalesce(c.came_at, c.checked_in_at)
                        ELSE p.came_at END AS came_at,
                   CASE WHEN p.id IS NULL THEN nullif(o.left_at,
                            CASE WHEN o.departure = 'corrected' THEN o.left_at END)
                        ELSE p.left_at END AS left_at,
                   CASE WHEN p.id IS NULL THEN coalesce(o.award_id, c.award_id)
                        ELSE p.award_id END AS award_id
        ) b
        WHERE r.number <> r.last + 1
           OR (r.came_before, r.left_before) IS DISTINCT FROM (b.came_at, b.left_at)
           OR r.ended_award_id <> b.award_id
           OR w.state NOT IN ('reversed', 'rejected')
           OR (b.award_id IS NOT NULL AND r.ended_award_id IS NULL AND NOT EXISTS (
                   SELECT FROM awards e WHERE e.id = b.award_id
                   AND e.state IN ('reversed', 'rejected')))
        """,
    ),
    Check(
        "attended times: each is of a check-in, within its activity, and is paid by its award",
        f"""
        SELECT 'attended time of award ' || t.award_id AS subject,
               concat_ws(' ', a.state, a.minutes, 'minutes of', c.person_id, 'from',
                         c.since, 'to', c.until) AS expected,
               concat_ws(' ', CASE WHEN t.is_extra THEN 'extra' ELSE 'service' END, t.during, 'of',
                         t.person_id) AS found
        FROM attended_times t
        LEFT JOIN awards a ON a.id = t.award_id
        LEFT JOIN ({_PAID}) c ON c.award_id = t.award_id
        WHERE ({STANDS} AND t.person_id = c.person_id
               AND lower(t.during) >= c.since AND upper(t.during) <= c.until
               AND (a.awarded_at < {SINCE_TRAIL}
                    OR a.minutes = CASE WHEN t.is_extra THEN 0 ELSE {_MINUTES} END)) IS NOT TRUE
        """,
    ),
    Check(
        "awards: hours by a check-in are of an attended time",
        f"""
        SELECT 'award ' || a.id AS subject, a.minutes || ' minutes' AS expected, NULL AS found
        FROM awards a LEFT JOIN attended_times t ON t.award_id = a.id
        WHERE {BY_ATTENDANCE} AND a.minutes > 0 AND {STANDS} AND t.award_id IS NULL
          AND a.awarded_at >= {SINCE_TRAIL}
        """,
    ),
)
