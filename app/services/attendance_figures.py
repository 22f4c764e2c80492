"""Figures of attendance: recruited, on duty, hours and person-times of organisations."""

from datetime import date, timedelta
from uuid import UUID

from app.core.clock import midnight
from app.core.db import Session
from app.core.validation_messages import invalid
from app.models.orgs import Org
from app.queries import attendance_figures as queries
from app.queries import orgs as org_queries
from app.queries.attendance_figures import TOTAL, Figures
from app.schemas.attendance_figures import AttendanceFiguresOut, FiguresOut, OrgFiguresOut
from app.services import people, records

MOST_DAYS = 366
A_DAY = timedelta(days=1)


async def read(
    tx: Session, caller: UUID, org_id: UUID, first: date, last: date
) -> AttendanceFiguresOut:
    """Return the figures of the days from ``first`` to ``last``, in Asia/Shanghai.

    Sign-ups count by when they were made, check-ins by when the person came. Annulled check-ins
    do not count, of corrected ones what holds. Raises OrgNotFound, Forbidden, Invalid.
    """
    org = await records.authorized(tx, caller, people.READERS, org_id)
    if last < first:
        raise invalid("query.until", "结束日期早于开始日期", "a period ends after it begins")
    if last - first >= MOST_DAYS * A_DAY:
        raise invalid("query.until", "最长 366 天", "a period has at most 366 days")
    found = await queries.figures(tx, org.path, midnight(first), midnight(last + A_DAY))
    children = await org_queries.children_of(tx, [org.id])
    shown = [one for one in children if one.closed_at is None or one.code in found]
    return AttendanceFiguresOut(
        total=FiguresOut.model_validate(found.get(TOTAL, Figures())),
        items=[
            _of(org, found.get("", Figures())),
            *(
                _of(one, found.get(one.code, Figures()))
                for one in sorted(shown, key=lambda child: child.code)
            ),
        ],
    )


def _of(org: Org, figures: Figures) -> OrgFiguresOut:
    return OrgFiguresOut(org_id=org.id, code=org.code, name=org.name, **figures._asdict())
