"""Co-organizers: an organizer lets somebody without a role edit one activity and show its code.

Points by a check-in of theirs wait for another organizer, also after the right has ended
(decisions 0009 and 0027).
"""

from collections.abc import Sequence
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page
from app.models.activities import ActivityStatus
from app.models.cards import serial_of
from app.models.co_organizers import CoOrganizer
from app.queries import activities as activity_queries
from app.queries import co_organizers as queries
from app.queries import records as record_queries
from app.schemas.co_organizers import CoOrganizerIn, CoOrganizerOut
from app.services import activities, audit, notify, people, records

MOST = 20
OPEN = (ActivityStatus.draft, ActivityStatus.published)


class CoOrganizerNotFound(Refusal):
    code, status, title = "co_organizers.not_found", 404, "No such co-organizer"
    zh, en = "协办人不存在", "There is no such co-organizer."


class CoOrganizerThere(Refusal):
    code, status, title = "co_organizers.there", 409, "Co-organizer already"
    zh, en = "该居民已是协办人", "This person is a co-organizer already."


class OneselfAdded(Refusal):
    code, status, title = "co_organizers.oneself", 403, "Oneself"
    zh, en = "不能把自己设为协办人", "Nobody adds themselves as co-organizer."


class TooManyCoOrganizers(Refusal):
    code, status, title = "co_organizers.too_many", 409, "Too many co-organizers"
    zh, en = "协办人数量已达上限", "The activity has as many co-organizers as it may have."
    fact_names = ("limit", "used")


async def add(tx: Session, caller: UUID, activity_id: UUID, body: CoOrganizerIn) -> CoOrganizerOut:
    """Add a co-organizer of a draft or a published activity; they get a notice.

    Raises ActivityNotFound, ActivityWrongState, PersonNotFound, OneselfAdded, CoOrganizerThere,
    TooManyCoOrganizers.
    """
    activity = await activities.organized(tx, caller, activity_id, lock=True)
    if activity.status not in OPEN:
        raise activities.ActivityWrongState(status=activity.status)
    person_id = await _person(tx, body)
    if person_id == caller:
        raise OneselfAdded
    there = await queries.of_activity(tx, activity_id)
    if person_id in {one.person_id for one in there}:
        raise CoOrganizerThere
    if len(there) >= MOST:
        raise TooManyCoOrganizers(limit=MOST, used=len(there))
    made = CoOrganizer(
        org_id=activity.org_id, created_by=caller, activity_id=activity_id, person_id=person_id
    )
    about = audit.about("activity", activity_id)
    await records.create(tx, caller, made, **about, person=str(person_id))
    await activities.note_part(tx, caller, activity, person_id)
    subject = ("activity", activity_id)
    await notify.send(tx, person_id, "co_organizer_added", subject, title=activity.title)
    [shown] = [one for one in await queries.of_activity(tx, activity_id) if one.id == made.id]
    return CoOrganizerOut.model_validate(shown)


async def _person(tx: Session, body: CoOrganizerIn) -> UUID:
    """Return who is named. Raises PersonNotFound, PersonMerged."""
    found = body.person_id
    if body.card_no is not None:
        found = await people.holder(tx, serial_of(body.card_no))
    if found is None:
        raise people.PersonNotFound
    await people.require_known(tx, [found])
    return found


async def browse(tx: Session, caller: UUID, activity_id: UUID) -> Page[CoOrganizerOut]:
    """Return the co-organizers of an activity, in one page. Raises ActivityNotFound."""
    activity = await activity_queries.find(tx, activity_id)
    if activity is None or not await people.holds(tx, caller, people.READERS, activity.org_path):
        raise activities.ActivityNotFound
    found = await queries.of_activity(tx, activity_id)
    return Page(items=[CoOrganizerOut.model_validate(one) for one in found])


async def remove(tx: Session, caller: UUID, activity_id: UUID, co_organizer_id: UUID) -> None:
    """End somebody's right. Raises ActivityNotFound, CoOrganizerNotFound."""
    await activities.organized(tx, caller, activity_id, lock=True)
    found = await record_queries.find(tx, CoOrganizer, co_organizer_id)
    if found is None or found.activity_id != activity_id:
        raise CoOrganizerNotFound
    await _end(tx, caller, found)


async def end_of(tx: Session, erased: Sequence[UUID]) -> None:
    """End the rights of erased people. Repeatable."""
    for one in await queries.of_people(tx, erased):
        await _end(tx, None, one)


ERASES = end_of


async def _end(tx: Session, actor: UUID | None, one: CoOrganizer) -> None:
    facts = audit.about("activity", one.activity_id) | {"person": str(one.person_id)}
    await audit.write(tx, actor, "deleted", one, facts=facts)
    await queries.delete(tx, one)
