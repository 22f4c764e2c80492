"""Courtesies are drafted, edited, published and ended by organizers."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.ids import new_id
from app.core.validation_messages import invalid
from app.models.courtesies import Courtesy, CourtesyCell, CourtesyState
from app.models.orgs import Org
from app.queries import courtesies as queries
from app.queries import records as record_queries
from app.schemas.courtesies import CourtesyDetailOut, CourtesyEditIn, CourtesyIn
from app.services import audit, orgs, people, records
from app.services.courtesies import reading
from app.services.courtesies.reading import CourtesyNotFound
from app.services.policies import history

MOVES = {
    CourtesyState.draft: {CourtesyState.published},
    CourtesyState.published: {CourtesyState.ended},
}
CONTENT = {"places", "cells", "org_id"}


class CourtesyWrongState(records.WrongState):
    code = "courtesies.wrong_state"


async def create(tx: Session, caller: UUID, body: CourtesyIn) -> CourtesyDetailOut:
    """Draft a courtesy.

    Raises OrgNotFound, Forbidden, OrgClosed, Invalid (merchants of others, tiers that are none).
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    made = Courtesy(
        id=new_id(), org_id=org.id, created_by=caller, **body.model_dump(exclude=CONTENT)
    )
    await records.create(tx, caller, made)
    await _fill(tx, org, made.id, body)
    return await reading.detail(tx, made, caller)


async def edit(
    tx: Session, caller: UUID, courtesy_id: UUID, version: int, body: CourtesyEditIn
) -> CourtesyDetailOut:
    """Replace the content of a draft.

    Raises CourtesyNotFound, PreconditionFailed, CourtesyWrongState, OrgClosed, Invalid.
    """
    found = await organized(tx, caller, courtesy_id)
    records.require_version(found.version, version)
    if found.state != CourtesyState.draft:
        raise CourtesyWrongState(status=found.state)
    org = await orgs.get_open(tx, found.org_id)
    for name, value in body.model_dump(exclude=CONTENT).items():
        if getattr(found, name) != value:
            setattr(found, name, value)
    changed = sorted([*record_queries.changed(found), "cells", "places"])
    found.version += 1
    await record_queries.save(tx, found)
    await _fill(tx, org, found.id, body)
    await audit.write(tx, caller, "changed", found, fields=changed)
    return await reading.detail(tx, found, caller)


async def publish(tx: Session, caller: UUID, courtesy_id: UUID) -> CourtesyDetailOut:
    """Publish a draft: its matrix does not change any more.

    Raises CourtesyNotFound, OrgClosed, Invalid (it is over), CourtesyWrongState.
    """
    found = await organized(tx, caller, courtesy_id)
    await orgs.get_open(tx, found.org_id)
    if found.state == CourtesyState.draft and found.ends_at <= now():
        raise invalid("body.ends_at", "应晚于当前时间", "lies in the past")
    found.version += 1
    await records.move(tx, caller, found, CourtesyState.published, MOVES, CourtesyWrongState)
    return await reading.detail(tx, found, caller)


async def end(tx: Session, caller: UUID, courtesy_id: UUID, reason: str) -> CourtesyDetailOut:
    """End a courtesy: nobody claims it any more; what was claimed can still be used.

    Raises CourtesyNotFound, CourtesyWrongState.
    """
    found = await organized(tx, caller, courtesy_id)
    found.version += 1
    to = CourtesyState.ended
    await records.move(tx, caller, found, to, MOVES, CourtesyWrongState, reason=reason)
    return await reading.detail(tx, found, caller)


async def organized(tx: Session, caller: UUID, courtesy_id: UUID) -> Courtesy:
    """Lock and return a courtesy that the caller organizes. Raises CourtesyNotFound."""
    return await records.locked(
        tx, Courtesy, courtesy_id, caller, people.ORGANIZERS, CourtesyNotFound
    )


async def _fill(tx: Session, org: Org, courtesy_id: UUID, body: CourtesyEditIn) -> None:
    """Write matrix and places. Raises Invalid."""
    policy = await history.in_force(tx, org.path)
    known = {one.key for one in policy.document.tiers}
    if any(one.min_tier not in known for one in body.cells if one.min_tier is not None):
        raise invalid("body.cells", "没有这个等级", "names a tier that the policy does not have")
    if len(await queries.merchants_below(tx, org.path, body.places)) < len(body.places):
        raise invalid(
            "body.places", "含有其他组织的商户", "holds a merchant of another organisation"
        )
    cells = [
        CourtesyCell(id=new_id(), courtesy_id=courtesy_id, position=place, **one.model_dump())
        for place, one in enumerate(body.cells)
    ]
    await queries.fill(tx, courtesy_id, cells, body.places)
