"""SQL of check-ins."""

import collections
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app.core.db import Row, Session, columns
from app.core.db_errors import Retry
from app.models.activities import SignupFor
from app.models.checkins import CLOSES_AFTER_END, OPENS_BEFORE_START
from app.queries.activities import has_part


class Counter(StrEnum):
    """A column of ``activities`` and of ``activity_sessions``."""

    checkins = "checkins"
    checkouts = "checkouts"


class Asked(NamedTuple):
    """What a scan asks for. ``session``: null: the one that its time and the place say.

    ``may_walk_in``: the person needs no place.
    """

    serial: int
    person_id: UUID
    came_at: datetime
    session: int | None
    may_walk_in: bool


class CheckinContext(NamedTuple):
    """Data for one check-in: the activity, and the person's pending points by unit.

    ``session``, ``starts_at`` and ``ends_at`` are those of the session, 0 without any.
    ``has_session``: whether the session that was named is there, true if none was.
    ``is_own_act``: the person has a part in organizing the activity. ``version``: of the activity.
    ``lacks_consent``: under 14, and no guardian's consent stands. ``strays``: a child, in no class.
    """

    serial: int
    person_id: UUID
    activity_id: UUID
    org_id: UUID
    org_path: str
    title: str
    status: str
    session: int
    has_session: bool
    starts_at: datetime
    ends_at: datetime
    rule_key: str
    signup_for: str
    for_minors: bool
    checks_out: bool
    latitude: float | None
    longitude: float | None
    radius_m: int | None
    poster_issue: int
    created_by: UUID
    version: int
    is_own_act: bool
    eligibility: str | None
    lacks_consent: bool
    strays: bool
    pending: dict[int, int]

    @property
    def id(self) -> UUID:
        return self.activity_id

    @property
    def place(self) -> int:
        """The session that a sign-up must be for."""
        return self.session if self.signup_for == SignupFor.session else 0


class NewCheckin(NamedTuple):
    """``place``: the session of the sign-up that admits the person, unless they may walk in."""

    id: UUID
    activity_id: UUID
    session: int
    place: int
    may_walk_in: bool
    person_id: UUID
    method: str
    distance_m: int | None
    latitude: int | None
    longitude: int | None
    checked_in_at: datetime
    came_at: datetime | None
    recorded_by: UUID | None
    award_id: UUID | None


# Of the sessions for which the person has a place: one that is named; else the one that runs or
# opens, then the one that has just ended, then the next.
_SESSION = f"""
SELECT s.number, s.starts_at, s.ends_at FROM activity_sessions s
WHERE s.activity_id = a.id AND s.number = coalesce(k.session, s.number)
  AND (a.signup_for <> 'session' OR k.may_walk_in OR EXISTS (
      SELECT FROM signups u WHERE u.activity_id = a.id AND u.person_id = k.person_id
      AND u.session = s.number AND u.status = 'confirmed'))
ORDER BY s.starts_at - INTERVAL '{OPENS_BEFORE_START}' <= k.came_at AND k.came_at < s.ends_at DESC,
         s.ends_at <= k.came_at AND k.came_at < s.ends_at + INTERVAL '{CLOSES_AFTER_END}' DESC,
         k.came_at < s.starts_at - INTERVAL '{OPENS_BEFORE_START}' DESC, s.starts_at, s.number
LIMIT 1
"""  # noqa: S608 - constants of the models

# Session 0 is of an activity without sessions, and it has no other.
_HAS_SESSION = """
CASE WHEN k.session IS NULL THEN true WHEN a.sessions = 0 THEN k.session = 0
     ELSE EXISTS (SELECT FROM activity_sessions n
                  WHERE n.activity_id = a.id AND n.number = k.session) END
"""

# The consent is looked up of who is under 14 alone.
_LACKS_CONSENT = """
(SELECT CASE WHEN coalesce(p.birth_date, make_date(p.birth_year, 12, 31))
                  > CAST(:born_after AS date)
             THEN NOT coalesce((SELECT c.given FROM consents c
                                WHERE c.person_id = p.id AND c.document = 'guardian'
                                ORDER BY c.id DESC LIMIT 1), false) END
 FROM people p WHERE p.id = k.person_id)
"""

_ACTIVITIES = f"""
SELECT k.serial, k.person_id, a.id AS activity_id, a.org_id, a.org_path, a.title, a.status,
       coalesce(s.number, 0) AS session, {_HAS_SESSION} AS has_session,
       coalesce(s.starts_at, a.starts_at) AS starts_at,
       coalesce(s.ends_at, a.ends_at) AS ends_at, a.rule_key, a.signup_for, a.for_minors,
       a.checks_out, a.latitude, a.longitude, a.radius_m, a.poster_issue, a.created_by,
       a.version, {has_part("a", "k.person_id")} AS is_own_act, a.eligibility,
       coalesce({_LACKS_CONSENT}, false) AS lacks_consent,
       NOT a.for_minors AND EXISTS (SELECT FROM children WHERE person_id = k.person_id) AS strays,
       (SELECT CAST(jsonb_object_agg(l.unit_id, l.balance) AS text) FROM ledger_accounts l
        WHERE l.owner_id = k.person_id AND l.purpose = 'pending') AS pending
FROM unnest(CAST(:serial AS int[]), CAST(:person_id AS uuid[]), CAST(:came_at AS timestamptz[]),
            CAST(:session AS int[]), CAST(:may_walk_in AS bool[]))
    AS k(serial, person_id, came_at, session, may_walk_in)
JOIN activities a ON a.serial = k.serial
LEFT JOIN LATERAL ({_SESSION}) s ON a.sessions > 0
"""  # noqa: S608 - a condition

# Sign-ups are locked FOR SHARE, so that none is cancelled before the check-in commits. The unique
# constraint guarantees that of concurrent check-ins only one row is inserted.
INSERT = """
WITH wanted AS (
    SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:activity_id AS uuid[]),
        CAST(:session AS int[]), CAST(:place AS int[]), CAST(:may_walk_in AS bool[]),
        CAST(:person_id AS uuid[]), CAST(:method AS text[]), CAST(:distance_m AS int[]),
        CAST(:latitude AS int[]), CAST(:longitude AS int[]),
        CAST(:checked_in_at AS timestamptz[]), CAST(:came_at AS timestamptz[]),
        CAST(:recorded_by AS uuid[]), CAST(:award_id AS uuid[]))
        AS k(id, activity_id, session, place, may_walk_in, person_id, method, distance_m,
             latitude, longitude, checked_in_at, came_at, recorded_by, award_id)
), places AS MATERIALIZED (
    SELECT k.* FROM wanted k
    JOIN signups s ON s.activity_id = k.activity_id AND s.person_id = k.person_id
                  AND s.session = k.place
    WHERE s.status = 'confirmed' ORDER BY s.id FOR SHARE OF s
), admitted AS (
    SELECT *, false AS is_walk_in FROM places
    UNION ALL
    SELECT *, true FROM wanted WHERE may_walk_in AND id <> ALL(ARRAY(SELECT id FROM places))
), inserted AS (
    INSERT INTO checkins (id, activity_id, session, person_id, method, distance_m,
                          latitude, longitude, checked_in_at, came_at, recorded_by, is_walk_in,
                          award_id)
    SELECT id, activity_id, session, person_id, method, distance_m, latitude, longitude,
           checked_in_at, came_at, recorded_by, is_walk_in, award_id
    FROM admitted ORDER BY activity_id, person_id
    ON CONFLICT (activity_id, session, person_id) DO NOTHING
    RETURNING id
)
SELECT a.id, i.id IS NOT NULL AS is_new FROM admitted a LEFT JOIN inserted i ON i.id = a.id
"""

# Not if the activity was edited, cancelled or closed since it was read.
COUNT = """
UPDATE activities a SET {counter} = a.{counter} + k.n
FROM unnest(CAST(:activities AS uuid[]), CAST(:versions AS int[]), CAST(:numbers AS int[]))
    AS k(id, version, n)
WHERE a.id = k.id AND a.version = k.version
RETURNING a.id
"""

# Of activities that were counted, whose rows are locked.
_COUNT_SESSIONS = """
UPDATE activity_sessions s SET {counter} = s.{counter} + k.n
FROM unnest(CAST(:activities AS uuid[]), CAST(:sessions AS int[]), CAST(:numbers AS int[]))
    AS k(activity_id, number, n)
WHERE s.activity_id = k.activity_id AND s.number = k.number
"""

# What an organizer said last holds, else the check-out; nothing follows an annulment.
_EXISTING = """
SELECT c.id, c.activity_id, c.session, c.person_id, c.checked_in_at, c.award_id,
       coalesce(r.left_at, o.left_at) AS left_at,
       r.id IS NOT NULL AND r.came_at IS NULL AS is_annulled
FROM unnest(CAST(:activities AS uuid[]), CAST(:sessions AS int[]), CAST(:people AS uuid[]))
    AS k(activity_id, session, person_id)
JOIN checkins c ON c.activity_id = k.activity_id AND c.person_id = k.person_id
               AND c.session = k.session
LEFT JOIN checkouts o ON o.checkin_id = c.id
LEFT JOIN LATERAL (
    SELECT r.id, r.came_at, r.left_at FROM corrections r WHERE r.checkin_id = c.id
    ORDER BY r.number DESC LIMIT 1
) r ON true
"""


@dataclass(frozen=True, slots=True)
class ExistingCheckin:
    """``left_at``: None: still there, where the activity asks for check-outs."""

    id: UUID
    activity_id: UUID
    session: int
    person_id: UUID
    checked_in_at: datetime
    award_id: UUID | None
    left_at: datetime | None
    is_annulled: bool


async def contexts(
    session: Session, asked: Sequence[Asked], born_after: date
) -> dict[tuple[int, UUID], CheckinContext]:
    """Read the activities of scans, by serial and person.

    ``born_after``: who was born later is under 14.
    """
    rows = await session.fetch(_ACTIVITIES, columns(asked) | {"born_after": born_after})
    return {(one.serial, one.person_id): one for one in map(_context, rows)}


def _context(row: Row) -> CheckinContext:
    pending = json.loads(row.pending) if row.pending else {}
    return CheckinContext(**dict(row) | {"pending": {int(unit): n for unit, n in pending.items()}})


async def insert(session: Session, checkins: Sequence[NewCheckin]) -> dict[UUID, bool]:
    """Insert one check-in or more of people with a confirmed place, or who may walk in.

    Return them by id: False if the person had checked in before.
    """
    rows = await session.fetch(INSERT, columns(checkins))
    return {row.id: row.is_new for row in rows}


async def count(
    session: Session, counter: Counter, presences: Sequence[tuple[UUID, int, int]]
) -> None:
    """Add one for each presence (activity, its version, session) to a counter.

    Called last in the transaction: concurrent check-ins at one activity wait for its row lock.
    Raises Retry if an activity has another version: it was edited, cancelled or closed meanwhile.
    """
    versions = collections.Counter((activity, version) for activity, version, _ in presences)
    ordered = sorted(versions.items())
    found = await session.fetch(
        COUNT.format(counter=counter),
        {
            "activities": [activity for (activity, _), _ in ordered],
            "versions": [version for (_, version), _ in ordered],
            "numbers": [n for _, n in ordered],
        },
    )
    if len(found) < len(ordered):
        raise Retry("another version")
    sessions = collections.Counter((one, number) for one, _, number in presences if number)
    if sessions:
        ordered = sorted(sessions.items())
        await session.fetch(
            _COUNT_SESSIONS.format(counter=counter),
            {
                "activities": [activity for (activity, _), _ in ordered],
                "sessions": [number for (_, number), _ in ordered],
                "numbers": [n for _, n in ordered],
            },
        )


async def existing(
    session: Session, presences: Sequence[tuple[UUID, int, UUID]]
) -> list[ExistingCheckin]:
    """Read the check-ins of presences (activity, session, person)."""
    activities, sessions, people = zip(*presences, strict=True)
    wanted = {"activities": activities, "sessions": sessions, "people": people}
    rows = await session.fetch(_EXISTING, {name: list(one) for name, one in wanted.items()})
    return [ExistingCheckin(**row) for row in rows]
