"""The activities that somebody organizes, with what waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.paging import Page, PageParams, keyset
from app.models.activities import Activity, ActivityStatus
from app.queries import organizing as queries
from app.schemas.activities import ActivityOut
from app.schemas.organizing import OrganizedActivityOut, Part
from app.services import people


async def mine(
    tx: Session, caller: UUID, status: ActivityStatus | None, asked: PageParams
) -> Page[OrganizedActivityOut]:
    """Return the activities that the caller organizes by role or by name, latest start first."""
    paths = await queries.paths_of(tx, caller, people.ORGANIZERS)
    statuses = [status] if status else list(ActivityStatus)

    async def read(
        after: tuple[Any, ...] | None, limit: int
    ) -> Sequence[tuple[Activity, OrganizedActivityOut]]:
        found = await queries.page(tx, caller, paths, statuses, after, limit)
        waiting = await queries.awards_waiting(tx, [one.id for one in found])
        return [(one, _to_out(one, paths, waiting.get(one.id, 0))) for one in found]

    return await keyset(
        asked,
        (datetime, UUID),
        read,
        lambda row: row[1],
        lambda row: (row[0].starts_at, row[0].id),
    )


def _to_out(activity: Activity, paths: Sequence[str], waiting: int) -> OrganizedActivityOut:
    by_role = any(activity.org_path.startswith(path) for path in paths)
    return OrganizedActivityOut(
        **ActivityOut.of(activity).model_dump(),
        part=Part.organizer if by_role else Part.co_organizer,
        awards_waiting=waiting,
    )
