"""Activities of the demonstration data: published with a place and a cover, and signed up to."""

from collections.abc import Sequence
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.demo import pictures
from app.demo.county import County, held
from app.schemas.activities import ActivityIn, LocationIn
from app.schemas.checkins import PositionIn
from app.schemas.organizing import ActivityEditIn
from app.services import activities, signups
from app.services.attachments.subjects import SubjectRef
from app.services.organizing import editing
from app.services.signups import Claim

A_STEP = 0.0002  # degrees: about 20 m


async def publish(
    tx: Session, county: County, body: ActivityIn, motif: str | None = None, number: int = 0
) -> UUID:
    """Create and publish an activity of the organizer; return its id. ``motif``: of its cover."""
    organizer = county.people["organizer"]
    made = await activities.create(tx, organizer, body)
    if motif is not None:
        subject = SubjectRef("activity", made.id)
        cover = await pictures.attach(tx, county.means, organizer, subject, motif, number)
        content = body.model_dump(exclude={"org_id", "for_minors"}) | {"cover_id": cover}
        edit = ActivityEditIn.model_validate(content)
        await editing.edit(tx, organizer, made.id, made.version, edit)
    return (await activities.publish(tx, organizer, made.id)).id


async def sign_up(tx: Session, activity: UUID, people: Sequence[UUID]) -> list[UUID]:
    """Sign people up in this order, by the clock as it is set; return the ids."""
    claimed = held(await signups.claim(tx, [Claim(activity, person) for person in people], now()))
    return [one.signup.id for one in claimed]


def near(place: LocationIn, number: int) -> PositionIn:
    """Return what a phone some steps away from a place reports."""
    return PositionIn(
        latitude=place.latitude + number % 4 * A_STEP,
        longitude=place.longitude - number % 3 * A_STEP,
        accuracy_m=15,
        coordinate_system="gcj02",
    )
