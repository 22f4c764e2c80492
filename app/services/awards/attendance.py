"""What attendance earns: the grant of a check-in, or of a check-out where that is counted."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.core.db import Session
from app.core.spans import Span
from app.models.checkins import CheckinMethod
from app.schemas.policies.documents import Proof
from app.services.awards.granting import Grant
from app.services.policies import history, rules
from app.services.policies.rules import PointsPolicy

# How the points rules name what proves an attendance, a CheckinMethod or Departure. A list of a
# team's leader is no better than a printed code.
PROOFS: dict[str, Proof] = {
    CheckinMethod.rotating_code: "rotating_code",
    CheckinMethod.poster: "poster_code",
    CheckinMethod.steward: "steward_scan",
    CheckinMethod.leader: "poster_code",
    CheckinMethod.device: "device",
    CheckinMethod.offline: "device",
}


class Attended(Protocol):
    """An attended session of an activity, as rows of check-ins and check-outs have it."""

    @property
    def activity_id(self) -> UUID: ...
    @property
    def session(self) -> int: ...
    @property
    def person_id(self) -> UUID: ...
    @property
    def org_id(self) -> UUID: ...
    @property
    def org_path(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def rule_key(self) -> str: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...
    @property
    def created_by(self) -> UUID: ...
    @property
    def is_own_act(self) -> bool: ...


Policies = dict[tuple[str, str], PointsPolicy]


async def policies(tx: Session, places: set[tuple[str, str]], at: datetime) -> Policies:
    """Return the points rules of places: pairs of an organisation's path and a rule's key."""
    published = await history.load(tx)
    return {place: published.announced(at, *place) for place in places}


def grant(
    one: Attended,
    policy: PointsPolicy,
    award_id: UUID,
    act: str,
    proof: str,
    attended: Span,
    number: int = 0,
) -> Grant:
    """Return the grant for an attendance of which no time was counted before.

    ``act``: ``checkin``, ``checkout`` or ``correction``, whose ``number`` it is. ``proof``: a key
    of PROOFS. By a rule that demands more than attendance, the author of the activity proposes the
    awards of all who attend it.
    """
    # Announced rules apply, also if a rule has been switched off since.
    rule = policy.document.rules[one.rule_key]
    halves = rules.half_hours(attended.length)
    asks_more = rules.asks_more_than_attendance(rule)
    reference = f"{act}:{one.activity_id}:{one.session}:{one.person_id}"
    return Grant(
        id=award_id,
        reference=f"{reference}:{number}" if number else reference,
        person_id=one.person_id,
        org_id=one.org_id,
        policy=policy,
        rule=rule,
        points=rules.points_for_attendance(rule, halves),
        minutes=rules.attendance_minutes(rule, halves),
        proof=PROOFS[proof],
        title=f"{rule.name}：{one.title}",
        proposed_by=one.created_by if asks_more else None,
        proposal_id=one.activity_id if asks_more else None,
        attended=attended,
        is_own_act=one.is_own_act,
    )
