"""The live view of an activity: one reading a second for all screens of a process."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import ReadPool, Row, Session
from app.core.etag import TaggedBody
from app.core.language import Language, speaking
from app.core.snapshots import Snapshots
from app.core.streams import Streams
from app.models.activities import SignupFor
from app.queries import live as queries
from app.queries.live import Presences
from app.schemas.live import (
    ArrivalOut,
    HallViewOut,
    LiveSessionOut,
    LiveViewOut,
    MaskedArrivalOut,
    MissingOut,
)
from app.services import activities, people
from app.services.activities import ActivityNotFound

VIEW_AGE, RIGHT_AGE = timedelta(seconds=1), timedelta(seconds=10)
MOST_VIEWS, MOST_RIGHTS = 500, 5_000
# Arrivals on a screen in the hall.
IN_THE_HALL = 8
# Each stream is a connection, and a look a second at what is kept.
MOST_STREAMS = 200


class LiveView:
    """A view as it was read, and its replies: in each language one, for all callers."""

    def __init__(self, view: LiveViewOut) -> None:
        self.view = view
        self._replies: dict[Language, TaggedBody] = {}

    def reply(self, language: Language) -> TaggedBody:
        if language not in self._replies:
            with speaking(language):
                body = self.view.model_dump_json().encode()
            self._replies[language] = TaggedBody.of(body)
        return self._replies[language]

    @cached_property
    def hall(self) -> TaggedBody:
        """Return the ``HallViewOut``: what a screen in the hall may show, in no language."""
        return TaggedBody.of(_in_the_hall(self.view).model_dump_json().encode())


class LiveViews:
    """The views of a process: an activity is read at most once a second.

    That a caller organizes an activity is looked up at most once in ten seconds; a refusal is not
    kept. ``streams``: the places of those who are told of changes, each for ``stream_s`` seconds.
    """

    def __init__(self, pool: ReadPool, stream_s: float) -> None:
        self._pool, self.streams = pool, Streams(MOST_STREAMS, stream_s)
        self._views = Snapshots(self._read, age=VIEW_AGE, most=MOST_VIEWS)
        self._rights = Snapshots(self._admit, age=RIGHT_AGE, most=MOST_RIGHTS)

    async def get(self, caller: UUID, activity_id: UUID) -> LiveView:
        """Return the view for an organizer or co-organizer. Raises ActivityNotFound, Forbidden."""
        await self._rights.get((caller, activity_id))
        return await self._views.get(activity_id)

    async def close(self) -> None:
        """Wait for the readings that run, before the database is closed."""
        await self._rights.close()
        await self._views.close()

    async def _admit(self, asked: tuple[UUID, UUID]) -> None:
        async with self._pool.read() as tx:
            await activities.co_organized(tx, *asked)

    async def _read(self, activity_id: UUID) -> LiveView:
        async with self._pool.read() as tx:
            return LiveView(await view(tx, activity_id))


def _in_the_hall(view: LiveViewOut) -> HallViewOut:
    return HallViewOut(
        checked_in=view.checked_in,
        confirmed=view.confirmed,
        inside=view.inside,
        waiting=view.waiting,
        arrivals=[
            MaskedArrivalOut(name=people.masked(one.display_name), at=one.checked_in_at)
            for one in view.arrivals[:IN_THE_HALL]
        ],
    )


async def view(tx: Session, activity_id: UUID) -> LiveViewOut:
    """Read the view of an activity in four statements, five with sessions.

    Raises ActivityNotFound.
    """
    activity = await queries.activity(tx, activity_id)
    if activity is None:
        raise ActivityNotFound
    near = await queries.sessions(tx, activity_id, now()) if activity.sessions else []
    numbers = [one.number for one in near] if activity.sessions else [0]
    counted = await queries.presences(tx, activity_id, numbers)
    came = await queries.arrivals(tx, activity_id, numbers)
    missing = await queries.missing(tx, activity_id, numbers) if numbers else []
    return LiveViewOut(
        activity_id=activity_id,
        status=activity.status,
        sessions=[_session(activity, one, counted.get(one.number, Presences())) for one in near],
        arrivals=[ArrivalOut(**one) for one in came],
        missing_people=[
            MissingOut(display_name=one.display_name, session=one.session) for one in missing
        ],
        missing=missing[0].total if missing else 0,
        **_signed_up(activity, near),
        **_present(activity, [*counted.values()]),
    )


def _session(activity: Row, session: Row, counts: Presences) -> LiveSessionOut:
    signed_up = _signed_up(activity, [session])
    return LiveSessionOut(
        session=session.number,
        title=session.title,
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        missing=signed_up["confirmed"] - counts.expected,
        **signed_up,
        **_present(activity, [counts]),
    )


def _signed_up(activity: Row, sessions: Sequence[Row]) -> dict[str, int]:
    """Return the counts of sign-ups: those of the sessions, if people sign up for single ones."""
    counted = sessions if activity.signup_for == SignupFor.session else [activity]
    return {
        "confirmed": sum(one.signups_confirmed for one in counted),
        "waiting": sum(one.signups_waitlisted for one in counted),
    }


def _present(activity: Row, counted: Sequence[Presences]) -> dict[str, Any]:
    checked_in = sum(one.checked_in for one in counted)
    checked_out = sum(one.checked_out for one in counted)
    return {
        "checked_in": checked_in,
        "checked_out": checked_out,
        "inside": checked_in - checked_out if activity.checks_out else None,
        "walk_ins": sum(one.walk_ins for one in counted),
    }
