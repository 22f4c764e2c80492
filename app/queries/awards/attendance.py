"""SQL of what happened: past awards, each with the attendance that earned it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.core.db import Session


@dataclass(frozen=True, slots=True)
class Window:
    """Whose awards of which time: of a subtree, and all others of its people in the same unit."""

    since: datetime
    until: datetime
    path: str
    unit: int


class Act(NamedTuple):
    """An award of the past. ``method`` and the activity's times are None for one by hand.

    ``ended_at``: when it was rejected or reversed; it counted until then. ``had_before``:
    its rule gives once in a life, and gave before the window begins. ``evidence`` is JSON.
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
    minutes: int
    reason: str
    evidence: str
    proposal_id: UUID | None
    awarded_at: datetime
    method: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    had_before: bool


def _ended_at(award: str) -> str:
    """Say when an award was taken back. One of which nothing could be found has no transfer."""
    return f"""
    CASE {award}.state
    WHEN 'rejected' THEN coalesce(
        (SELECT max(r.created_at) FROM award_reviews r
         WHERE r.award_id = {award}.id AND NOT r.approved),
        (SELECT max(b.decided_at) FROM award_objections b
         WHERE b.award_id = {award}.id AND b.upheld),
        {award}.awarded_at)
    WHEN 'reversed' THEN coalesce(
        (SELECT min(t.created_at) FROM ledger_transfers t
         WHERE t.reference IN ('reversal:' || {award}.id || ':' || {award}.unit_id,
                               'clawback:' || {award}.id || ':' || {award}.unit_id)),
        {award}.awarded_at)
    END
    """  # noqa: S608 - the name of an alias


_SELECT = f"""
SELECT a.id, a.person_id, p.display_name, a.org_id, o.path, a.unit_id, a.rule_key, a.points,
       a.points_before_caps, a.minutes, a.reason, CAST(a.evidence AS text), a.proposal_id,
       a.awarded_at, c.method, v.starts_at, v.ends_at, {_ended_at("a")},
       a.rule_key = ANY(CAST(:once AS text[])) AND EXISTS (
           SELECT FROM awards e
           WHERE e.person_id = a.person_id AND e.awarded_at < :since AND e.points > 0
             AND e.unit_id = :unit AND e.rule_key = a.rule_key
             AND coalesce({_ended_at("e")} > a.awarded_at, true)
       )
FROM awards a
JOIN people p ON p.id = a.person_id
JOIN orgs o ON o.id = a.org_id
LEFT JOIN checkins c ON c.award_id = a.id
LEFT JOIN activities v ON v.id = c.activity_id
WHERE a.awarded_at >= :since AND a.awarded_at < :until
"""  # noqa: S608 - constants of this file

# One person after the other, as nobody's caps are another's: a year needs no more memory
# than a day. Of awards of one moment either may come first.
_ACTS = f"""{_SELECT}
  AND (o.path ^@ :path OR a.unit_id = :unit AND a.person_id IN (
      SELECT b.person_id FROM awards b JOIN orgs n ON n.id = b.org_id
      WHERE b.awarded_at >= :since AND b.awarded_at < :until AND n.path ^@ :path
  ))
ORDER BY a.person_id, a.awarded_at, a.id
"""  # noqa: S608 - constants of this file

_BY_HAND = f"""{_SELECT}
  AND o.path ^@ :path AND c.id IS NULL AND a.rule_key = ANY(CAST(:rules AS text[]))
  AND a.state NOT IN ('rejected', 'reversed')
ORDER BY a.awarded_at, a.id
"""


async def acts_of_people(
    session: Session, window: Window, once: Sequence[str]
) -> AsyncIterator[list[Act]]:
    """Read past awards, all of one person at a time, in the order of time.

    ``once`` names the rules that give once in a life.
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
    """Read the awards by hand of some rules in the order of time, without those taken back."""
    wanted = _wanted(window) | {"rules": list(rules), "once": []}
    async for rows in session.fetch_parts(_BY_HAND, wanted):
        for row in rows:
            yield Act._make(row)


def _wanted(window: Window) -> dict[str, object]:
    return {name: getattr(window, name) for name in Window.__dataclass_fields__}
