"""The caller's inbox."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.schemas.notices import NoticePage, NoticesReadIn, UnreadOut
from app.services import notices

router = Router(tags=["notices"])


@router.get("/me/notices", operation_id="listMyNotices", **allow(RESIDENT))
@leads_to("readMyNotices", {"body.up_to": "items/0/id"})
async def list_my_notices(tx: Reader, person_id: CurrentPerson, page: PageQuery) -> NoticePage:
    """List what the service has to tell the caller, newest first, and how many are unread."""
    return await notices.mine(tx, person_id, page)


@router.post("/me/notices/read", operation_id="readMyNotices", **allow(RESIDENT, body=True))
async def read_my_notices(tx: Tx, person_id: CurrentPerson, body: NoticesReadIn) -> UnreadOut:
    """Mark a notice and all older ones as read; return how many are still unread."""
    return await notices.read(tx, person_id, body.up_to)
