"""A resident's points at one look: balances, totals, and what the caps still leave."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.language import named
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.queries.awards import granting as queries
from app.schemas.ledger import CapLeftOut, CapsLeftOut, PointsOut, RuleCapsLeftOut
from app.services.awards import caps
from app.services.awards.caps import Room
from app.services.ledger import passbook
from app.services.policies import history
from app.services.policies.history import ROOT, PolicyMissing


async def points(tx: Session, person_id: UUID, unit: int, at: datetime) -> PointsOut:
    """Return balances, totals and caps of a person in a unit. ``tx`` is a snapshot."""
    summary = await passbook.summary(tx, person_id, unit, at)
    left = await _caps_left(tx, person_id, unit, at)
    return summary.model_copy(update={"caps_left": left})


async def _caps_left(tx: Session, person_id: UUID, unit: int, at: datetime) -> CapsLeftOut | None:
    """Return what the caps leave by the policy at the person's community, else of the whole tree.

    None if that policy awards points of another unit.
    """
    person = await people_queries.find(tx, person_id)
    home = person.community_id if person else None
    path = (await org_queries.paths_of(tx, [home]))[home] if home else ROOT
    try:
        policy = (await history.load(tx)).policy(at, path)
    except PolicyMissing:
        return None
    if policy.unit_id != unit:
        return None
    found = await queries.tallies(tx, [person_id], caps.spans(at))
    earned = found.get((person_id, unit), {})
    overall = list(caps.of_all_rules(policy, earned))
    emergency = _left(room for room, is_emergency in overall if is_emergency)
    rules = [
        RuleCapsLeftOut(
            rule_key=rule.key, rule_name=named(rule.name, rule.name_en), caps=_left(rooms)
        )
        for rule in policy.document.rules.values()
        if not rule.off and (rooms := list(caps.of_rule(rule, earned)))
    ]
    return CapsLeftOut(
        overall=_left(room for room, is_emergency in overall if not is_emergency),
        emergency_day=emergency[0] if emergency else None,
        rules=rules,
    )


def _left(rooms: Iterable[Room]) -> list[CapLeftOut]:
    return [
        CapLeftOut.model_validate(
            {"period": room.period, "limit": room.cap, "used": room.used, "left": room.left}
        )
        for room in rooms
    ]
