"""Figures of attendance (招募、上岗、时长、人次) of an organisation, by its direct children."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import READER, allow
from app.api.deps import CurrentPerson, PageQuery, Reader
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.attendance_figures import AttendanceFiguresOut, OrgFiguresOut
from app.schemas.base import Day
from app.services import attendance_figures
from app.services.orgs import OrgNotFound

ABOUT = Bilingual(
    "各级组织的招募、上岗、时长与人次统计",
    "Figures of attendance: recruited, on duty, hours and person-times of organisations",
)
router = Router(tags=["attendance_figures"], about=ABOUT)
FirstDay = Annotated[
    Day, Query(alias="from", description="The first day that counts, in Asia/Shanghai.")
]
LastDay = Annotated[
    Day, Query(description="The last day that counts; at most 366 days with the first.")
]
TOTAL = Bilingual("合计", "Total")


@router.get(
    "/orgs/{org_id}/attendance",
    operation_id="getAttendanceFigures",
    **allow(READER, OrgNotFound),
)
async def get_attendance_figures(
    org_id: PathId, tx: Reader, person_id: CurrentPerson, since: FirstDay, until: LastDay
) -> AttendanceFiguresOut:
    """Return how many signed up and served in a period, and how long, by direct children.

    Sign-ups count on the day they were made, check-ins on the day the person came. Annulled
    check-ins do not count; of corrected ones the correction does.
    """
    return await attendance_figures.read(tx, person_id, org_id, since, until)


async def _rows(
    org_id: PathId,
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,  # noqa: ARG001 - all rows are one page
    since: FirstDay,
    until: LastDay,
) -> Page[OrgFiguresOut]:
    found = await attendance_figures.read(tx, person_id, org_id, since, until)
    together = OrgFiguresOut(org_id=None, code=None, name=TOTAL.said(), **found.total.model_dump())
    return Page(items=[*found.items, together])


exports.beside(router, get_attendance_figures, Bilingual("参与统计", "Attendance"), rows=_rows)
