"""Queues (待办) of an organizer."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.queues import QueuesOut
from app.services import queues

ABOUT = Bilingual("组织者的待办", "What waits for a decision of the caller")
router = Router(tags=["queues"], about=ABOUT)


@router.get("/me/queues", operation_id="listMyQueues", **allow(RESIDENT))
async def list_my_queues(tx: Reader, person_id: CurrentPerson) -> QueuesOut:
    """Count what waits for the caller: proposals, objections and appeals, and where to go.

    Empty for who organizes nothing.
    """
    return await queues.mine(tx, person_id)
