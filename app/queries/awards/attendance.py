"""SQL of past awards, with the attendance that earned them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, func, select

from app.core.db import Session
from app.models.awards import Award
from app.models.orgs import Org
from app.queries.activities import has_part


@dataclass(frozen=True, slots=True)
class Window:
    """Awards of a subtree in a period, and all others of its people in the same unit."""

    since: datetime
    until: datetime
    path: str
    unit: int


class Act(NamedTuple):
    """A past award. ``method`` and the times of attendance are None for an award by hand.

    That of a completed quest, or of a linked place, has a method and no times. ``counted_at``:
    since when it fills caps, None if reviewers have not approved it. ``is_own_act``: its person
    organized the activity, or the completion of the quest is doubted. ``ended_at``: when it was
    rejected or reversed; it counted for caps until then. ``had_before``: its rule gives once in a
    life, and gave before the window. ``evidence`` is JSON.
    """

    id: UUID
    person_id: UUID
    display_name: str
    org_id: UUID
    org_path: str
    unit_id: int
    rule_key: str
    points: int
    points_before_caps: int
    points_reversed: int
    minutes: int
    reason: str
    evidence: str
    proposal_id: UUID | None
    awarded_at: datetime
    method: str | None
    checked_in_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    is_own_act: bool
    counted_at: datetime | None
    ended_at: datetime | None
    had_before: bool


def _ended_at(award: str) -> str:
    """SQL of the time of rejection or reversal; the award's own time if there is no transfer."""
    return f"""
    CASE {award}.state
    WHEN 'rejected' THEN coalesce(
        (SELECT max(r.created_at) FROM award_reviews r
         WHERE r.award_id = {award}.id AND NOT r.approved),
        (SELECT max(c.answered_at) FROM cases c
         WHERE c.kind = 'objection' AND c.subject_id = {award}.id AND c.outcome = 'adopted'),
        {award}.awarded_at)
    WHEN 'reversed' THEN coalesce(
        (SELECT min(t.created_at) FROM ledger_transfers t
         WHERE t.reference IN ('reversal:' || {award}.id || ':' || {award}.unit_id,
                               'clawback:' || {award}.id || ':' || {award}.unit_id)),
        {award}.awarded_at)
    END
    """  # noqa: S608 - the name of an alias


def _counted_at(award: str) -> str:
    """SQL of the time since which an award fills caps: that of the last approval it needed."""
    return f"""
    CASE WHEN {award}.reviews_needed = 0 THEN {award}.awarded_at ELSE (
        SELECT max(r.created_at) FROM award_reviews r
        WHERE r.award_id = {award}.id AND r.approved HAVING count(*) >= {award}.reviews_needed)
    END
    """  # noqa: S608 - the name of an alias


# The time of the check-in c of an award a. One after a day was closed too early is dated at the end
# of that day (``moments``), and its attended time begins before.
_CAME = """
least(coalesce(r.came_at, c.came_at, c.checked_in_at),
      (SELECT lower(t.during) FROM attended_times t WHERE t.award_id = a.id))
"""
# Of who forgot to check out, only what was paid is known.
_LEFT = """
CASE WHEN r.id IS NULL AND u.departure = 'forgotten'
     THEN (SELECT upper(t.during) FROM attended_times t WHERE t.award_id = a.id)
     ELSE coalesce(r.left_at, u.left_at) END
"""
# The place of an award a among its person's: what nobody has approved stands where it was given.
_PLACE = f"coalesce({_counted_at('a')}, a.awarded_at)"
_SELECT = f"""
SELECT a.id, a.person_id, p.display_name, a.org_id, o.path, a.unit_id, a.rule_key, a.points,
       a.points_before_caps, a.points_reversed, a.minutes, a.reason, CAST(a.evidence AS text),
       a.proposal_id, a.awarded_at,
       CASE WHEN z.award_id IS NOT NULL OR l.award_id IS NOT NULL THEN 'poster'
            WHEN r.id IS NOT NULL THEN 'steward'
            ELSE coalesce(nullif(u.departure, 'forgotten'), c.method) END, {_CAME},
       coalesce(s.starts_at, v.starts_at), least(coalesce(s.ends_at, v.ends_at), {_LEFT}),
       coalesce(z.doubted, l.doubted, v.id IS NOT NULL AND {has_part("v", "a.person_id")}),
       {_counted_at("a")}, {_ended_at("a")},
       a.rule_key = ANY(CAST(:once AS text[])) AND EXISTS (
           SELECT FROM awards e
           WHERE e.person_id = a.person_id AND e.awarded_at < :since AND e.points > 0
             AND e.unit_id = :unit AND e.rule_key = a.rule_key
             AND {_counted_at("e")} <= {_PLACE} AND coalesce({_ended_at("e")} > {_PLACE}, true)
       )
FROM awards a
JOIN people p ON p.id = a.person_id
JOIN orgs o ON o.id = a.org_id
LEFT JOIN corrections r ON r.award_id = a.id
LEFT JOIN checkouts u ON u.award_id = a.id
LEFT JOIN checkins c ON c.id = coalesce(
    r.checkin_id, u.checkin_id, (SELECT b.id FROM checkins b WHERE b.award_id = a.id))
LEFT JOIN activities v ON v.id = c.activity_id
LEFT JOIN activity_sessions s ON s.activity_id = v.id AND s.number = c.session
LEFT JOIN quest_completions z ON z.award_id = a.id
LEFT JOIN linked_place_visits l ON l.award_id = a.id
WHERE a.awarded_at >= :since AND a.awarded_at < :until
"""  # noqa: S608 - constants of this file

# Ordered by person: caps are per person, so memory holds the awards of one person at a time,
# whatever the length of the window. Theirs come in the order in which they filled caps; those
# with the same time by id.
_ACTS = f"""{_SELECT}
  AND (o.path ^@ :path OR a.unit_id = :unit AND a.person_id IN (
      SELECT b.person_id FROM awards b JOIN orgs n ON n.id = b.org_id
      WHERE b.awarded_at >= :since AND b.awarded_at < :until AND n.path ^@ :path
  ))
ORDER BY a.person_id, {_PLACE}, a.id
"""  # noqa: S608 - constants of this file

_BY_HAND = f"""{_SELECT}
  AND o.path ^@ :path AND c.id IS NULL AND z.award_id IS NULL AND l.award_id IS NULL
  AND a.rule_key = ANY(CAST(:rules AS text[]))
  AND a.state NOT IN ('rejected', 'reversed')
ORDER BY a.awarded_at, a.id
"""


async def count_people(session: Session, window: Window) -> int:
    """Count the people whose awards ``acts_of_people`` yields."""
    query = (
        select(func.count(func.distinct(Award.person_id)))
        .join(Org, col(Org.id) == col(Award.org_id))
        .where(col(Award.awarded_at) >= window.since, col(Award.awarded_at) < window.until)
        .where(col(Org.path).op("^@")(window.path))
    )
    return (await session.exec(query)).one()


async def acts_of_people(
    session: Session, window: Window, once: Sequence[str]
) -> AsyncIterator[list[Act]]:
    """Yield past awards, all of one person at a time, as they filled caps.

    ``once``: the rules that give once in a life.
    """
    theirs: list[Act] = []
    async for rows in session.fetch_parts(_ACTS, _wanted(window) | {"once": list(once)}):
        for act in map(Act._make, rows):
            if theirs and theirs[0].person_id != act.person_id:
                yield theirs
                theirs = []
            theirs.append(act)
    if theirs:
        yield theirs


async def acts_by_hand(
    session: Session, window: Window, rules: Sequence[str]
) -> AsyncIterator[Act]:
    """Yield the awards by hand of some rules by time, without those rejected or reversed."""
    wanted = _wanted(window) | {"rules": list(rules), "once": []}
    async for rows in session.fetch_parts(_BY_HAND, wanted):
        for row in rows:
            yield Act._make(row)


def _wanted(window: Window) -> dict[str, object]:
    return {name: getattr(window, name) for name in Window.__dataclass_fields__}
