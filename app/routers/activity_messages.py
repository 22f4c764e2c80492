"""Messages (活动通知) of organizers to the participants of an activity."""

from typing import Any
from uuid import UUID

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.activity_messages import ActivityMessageIn, ActivityMessageOut
from app.services import activities, activity_messages
from app.services.activities import ActivityNotFound
from app.services.activity_messages import NobodySignedUp, TooManyMessages
from app.services.people import Forbidden

ABOUT = Bilingual("向活动报名者发送通知", "Messages to everybody who signed up to an activity")
router = Router(
    prefix="/activities/{activity_id}/messages", tags=["activity_messages"], about=ABOUT
)


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return await activities.org_of(tx, asked["activity_id"])


@router.post(
    "",
    status_code=201,
    operation_id="sendActivityMessage",
    **allow(
        RESIDENT,
        ActivityNotFound,
        Forbidden,
        NobodySignedUp,
        TooManyMessages,
        body=True,
        once=True,
    ),
)
async def send_activity_message(
    activity_id: PathId, body: ActivityMessageIn, tx: Tx, person_id: CurrentPerson
) -> ActivityMessageOut:
    """Send a message to everybody who has signed up, waiting or not; 3 a day at most.

    For organizers and co-organizers of the activity.
    """
    return await activity_messages.send(tx, person_id, activity_id, body)


@router.get("", operation_id="listActivityMessages", **allow(RESIDENT, ActivityNotFound, Forbidden))
async def list_activity_messages(
    activity_id: PathId, tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[ActivityMessageOut]:
    """Return what was sent, newest first: for organizers, co-organizers and auditors."""
    return await activity_messages.browse(tx, person_id, activity_id, page)


exports.beside(router, list_activity_messages, Bilingual("活动通知", "Messages"), org=_org_of)
