"""The report of scans: what became of each, for who organizes the activity."""

from collections.abc import Mapping
from uuid import UUID

from app.core.db import Session
from app.core.paging import Page, PageParams, by_id
from app.core.signed_events import Action
from app.models.cards import masked_number
from app.queries import scans as queries
from app.queries.scans import Reported, ScanFilter
from app.schemas.scans import ScanOut
from app.services import attendance, people


async def report(
    tx: Session, caller: UUID, activity_id: UUID, wanted: ScanFilter, asked: PageParams
) -> Page[ScanOut]:
    """Return the scans of an activity in the order in which they were settled.

    Raises ActivityNotFound, Forbidden, Invalid.
    """
    activity, masks = await attendance.readable(tx, caller, activity_id)

    async def read(after: UUID | None, limit: int) -> list[ScanOut]:
        rows = await queries.report(tx, activity.id, wanted, after, limit)
        repeated = {row[0].first_id for row in rows if row[0].first_id is not None}
        first = await queries.places(tx, repeated)
        return [_shown(row, first, masks=masks) for row in rows]

    return await by_id(asked, read, lambda out: out)


def _shown(row: Reported, first: Mapping[UUID, tuple[str, int]], *, masks: bool) -> ScanOut:
    scan, device_name, name, card = row
    first_device_name, first_sequence = first.get(scan.first_id or scan.id, (None, None))
    return ScanOut(
        **scan.model_dump(exclude={"digest", "activity_id", "first_id", "action"}),
        action=Action(scan.action),
        device_name=device_name,
        display_name=people.masked(name) if masks and name is not None else name,
        card_no=masked_number(card) if card is not None else None,
        first_sequence=first_sequence,
        first_device_name=first_device_name,
    )
