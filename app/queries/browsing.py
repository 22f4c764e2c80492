"""SQL of the readers of activities: what each of many activities is to each of many people."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.core.db import Row, Session
from app.queries.policies import Newest

_SHOWN = """
SELECT a.*, o.name AS org_name, p.version AS policy_version, p.created_at AS policy_created_at,
       c.id AS contact_org_id, c.name AS contact_org_name, c.contact_phone, c.contact_note
FROM activities a JOIN orgs o ON o.id = a.org_id
LEFT JOIN LATERAL (
    SELECT id, name, contact_phone, contact_note FROM orgs
    WHERE path IN (SELECT concat('/', array_to_string(codes[1 : depth], '/'), '/')
                   FROM string_to_array(trim('/' FROM o.path), '/') AS codes,
                        generate_series(1, cardinality(codes)) AS depth)
      AND coalesce(contact_phone, contact_note) IS NOT NULL
    ORDER BY length(path) DESC LIMIT 1) c ON true
LEFT JOIN (SELECT version, created_at FROM policies ORDER BY version DESC LIMIT 1) p ON true
WHERE a.id = ANY(CAST(:ids AS uuid[]))
"""
_PARTS = """
SELECT k.activity_id, k.person_id, s.id AS signup_id, s.session, s.status, s.friends,
       s.offer_until,
       CASE WHEN s.status = 'waitlisted' THEN
           (SELECT count(*) FROM signups w WHERE w.activity_id = s.activity_id
            AND w.session = s.session
            AND w.status = 'waitlisted' AND w.queue_number <= s.queue_number)
       END AS position,
       (SELECT min(c.checked_in_at) FROM checkins c
        WHERE c.activity_id = k.activity_id AND c.person_id = k.person_id) AS checked_in_at,
       (SELECT u.until FROM signup_pauses u
        WHERE u.person_id = k.person_id AND u.until > CAST(:at AS timestamptz)) AS paused_until
FROM unnest(CAST(:activities AS uuid[]), CAST(:people AS uuid[])) AS k(activity_id, person_id)
LEFT JOIN signups s ON s.activity_id = k.activity_id AND s.person_id = k.person_id
                   AND s.status <> 'cancelled'
ORDER BY k.activity_id, k.person_id, s.session
"""
_CANCELLED = """
SELECT DISTINCT s.activity_id, s.person_id
FROM unnest(CAST(:activities AS uuid[]), CAST(:people AS uuid[])) AS k(activity_id, person_id)
JOIN signups s ON s.activity_id = k.activity_id AND s.person_id = k.person_id
WHERE s.status = 'cancelled'
"""


class OwnSignup(NamedTuple):
    """A person's sign-up that stands. ``position`` in the waiting list, from 1."""

    id: UUID
    session: int
    status: str
    friends: int
    offer_until: datetime | None
    position: int | None


class Part(NamedTuple):
    """A person's part in an activity: the sign-ups by session, and the first check-in.

    ``paused_until``: None: sign-up is not paused.
    """

    signups: tuple[OwnSignup, ...]
    checked_in_at: datetime | None
    paused_until: datetime | None


async def shown(session: Session, ids: Sequence[UUID]) -> tuple[dict[UUID, Row], Newest | None]:
    """Read rows of activities and the newest policy, in one statement.

    With ``org_name`` and ``contact_…``: the nearest organisation, its own or above, with a contact.

    Without activities, or without a policy, it is None.
    """
    rows = await session.fetch(_SHOWN, {"ids": list(ids)})
    has_policy = rows and rows[0].policy_version is not None
    newest = (rows[0].policy_version, rows[0].policy_created_at) if has_policy else None
    return {row.id: row for row in rows}, newest


async def parts(
    session: Session, pairs: Sequence[tuple[UUID, UUID]], at: datetime
) -> dict[tuple[UUID, UUID], Part]:
    """Read the part of each (activity, person) in one statement."""
    values = {"activities": [a for a, _ in pairs], "people": [p for _, p in pairs], "at": at}
    rows = await session.fetch(_PARTS, values) if pairs else []
    found: dict[tuple[UUID, UUID], Part] = {}
    for activity, person, *columns, checked_in_at, paused_until in rows:
        before = found.get((activity, person))
        signups = before.signups if before else ()
        if columns[0] is not None:
            signups += (OwnSignup(*columns),)
        found[activity, person] = Part(signups, checked_in_at, paused_until)
    return found


async def cancelled(session: Session, pairs: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return those pairs (activity, person) of which a sign-up was cancelled."""
    values = {"activities": [a for a, _ in pairs], "people": [p for _, p in pairs]}
    rows = await session.fetch(_CANCELLED, values) if pairs else []
    return {(row["activity_id"], row["person_id"]) for row in rows}
