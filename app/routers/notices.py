"""The caller's inbox."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.notices import NoticePage, NoticesReadIn, UnreadOut
from app.services import notices

ABOUT = Bilingual("站内消息", "The inbox of the caller")
router = Router(tags=["notices"], about=ABOUT)


@router.get("/me/notices", operation_id="listMyNotices", **allow(RESIDENT))
@leads_to("readMyNotices", {"body.up_to": "items/0/id"})
async def list_my_notices(tx: Reader, person_id: CurrentPerson, page: PageQuery) -> NoticePage:
    """List the caller's notices, newest first, and the number of unread ones."""
    return await notices.mine(tx, person_id, page)


@router.post("/me/notices/read", operation_id="readMyNotices", **allow(RESIDENT, body=True))
async def read_my_notices(tx: Tx, person_id: CurrentPerson, body: NoticesReadIn) -> UnreadOut:
    """Mark a notice and all older ones as read; return the number of unread ones."""
    return await notices.read(tx, person_id, body.up_to)
