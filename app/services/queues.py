"""Queues: what waits for a decision of an organizer, with where to go."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from app.core.db import Session
from app.models.awards import AwardState
from app.models.deductions import DeductionState
from app.models.flags import FlagState
from app.models.orgs import Org
from app.queries import queues as queries
from app.queries.queues import Waiting
from app.schemas.queues import QueueKind, QueueOut, QueuesOut
from app.services import people

Count = Callable[[Session, str, UUID], Awaitable[Waiting]]
# By kind: how to count it, and the list that shows it.
QUEUES: dict[QueueKind, tuple[Count, str]] = {
    QueueKind.proposals: (queries.proposals, f"awards?state={AwardState.pending}"),
    QueueKind.objections: (queries.objections, f"awards?state={AwardState.notice}"),
    QueueKind.appeals: (queries.appeals, f"deductions?state={DeductionState.appealed}"),
    QueueKind.flags: (queries.flags, f"flags?state={FlagState.open}"),
}


async def mine(tx: Session, caller: UUID) -> QueuesOut:
    """Return the queues of each organisation that the caller organizes, with what is below it."""
    found = []
    for org in _uppermost(await queries.places(tx, caller, people.ORGANIZERS)):
        for kind, (count, path) in QUEUES.items():
            number, oldest_at = await count(tx, org.path, caller)
            found.append(
                QueueOut(
                    kind=kind,
                    org_id=org.id,
                    org_name=org.name,
                    count=number,
                    oldest_at=oldest_at,
                    path=f"/api/v1/{path}&org_id={org.id}",
                )
            )
    return QueuesOut(items=found)


def _uppermost(places: Sequence[Org]) -> list[Org]:
    """Return organisations, which are sorted by path, without those below another of them."""
    found: list[Org] = []
    for org in places:
        if not found or not org.path.startswith(found[-1].path):
            found.append(org)
    return found
