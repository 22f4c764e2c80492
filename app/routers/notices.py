"""The caller's inbox."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader
from app.api.routes import Router
from app.core.paging import Page
from app.schemas.notices import NoticeOut
from app.services import notices

router = Router(tags=["notices"])


@router.get("/me/notices", operation_id="listMyNotices", **allow(RESIDENT))
async def list_my_notices(tx: Reader, person_id: CurrentPerson, page: PageQuery) -> Page[NoticeOut]:
    """List what the service has to tell the caller, newest first."""
    return await notices.mine(tx, person_id, page)
