"""Flags: check-ins that cannot be, or look alike, are shown to organizers, who decide.

A location is a signal and never the only proof: a flag changes nothing (docs/decisions/0049).
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby, pairwise
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.geo import distance_m
from app.core.ids import least_id
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.flags import Flag, FlagKind, FlagState
from app.queries import flags as queries
from app.queries import people as people_queries
from app.queries.flags import Presence, Spot
from app.schemas.flags import FlagDecisionIn, FlagOut, FlagOutcome
from app.services import audit, corrections, people, records
from app.services.geofences import MAX_ACCURACY_M, is_too_fast

MOVES = {FlagState.open: {FlagState.dismissed, FlagState.confirmed}}
# Check-ins recorded so long ago are looked at, by each run again.
LOOKED_AT = timedelta(hours=24)
# So many people with the same position within so long.
MANY, WITHIN = 5, timedelta(minutes=10)
# Positions are emptied after the first; a run looks back as far as the second.
KEPT, LOOKED_BACK = timedelta(days=30), timedelta(days=60)


class FlagNotFound(Refusal):
    code, status, title = "flags.not_found", 404, "No such flag"
    zh, en = "存疑记录不存在", "There is no such flag."


class FlagDecided(records.WrongState):
    code = "flags.wrong_state"


class OwnFlag(Refusal):
    code, status, title = "flags.own", 403, "Own check-in"
    zh, en = "本人的签到须由他人处理", "Somebody else must decide about your check-in."


async def browse(
    tx: Session, caller: UUID, org_id: UUID, state: FlagState | None, asked: PageParams
) -> Page[FlagOut]:
    """Return the flags of a subtree, newest first. Raises OrgNotFound, Forbidden."""

    async def shown(found: Sequence[Flag]) -> list[FlagOut]:
        return await _shown(tx, found)

    return await records.browse(
        tx, caller, people.ORGANIZERS, org_id, Flag, shown, asked, state=state
    )


async def decide(tx: Session, caller: UUID, flag_id: UUID, body: FlagDecisionIn) -> FlagOut:
    """Decide a flag, once; annul its check-in if that is asked.

    Raises FlagNotFound, OwnFlag, FlagDecided, Invalid, and what ``corrections.annul`` raises.
    """
    if body.annul and body.outcome is not FlagOutcome.confirmed:
        raise invalid("body.annul", "仅可在确认时作废", "only with the outcome `confirmed`")
    flag = await records.locked(tx, Flag, flag_id, caller, people.ORGANIZERS, FlagNotFound)
    if await people.is_any_of(tx, caller, flag.person_id):
        raise OwnFlag
    if flag.state != FlagState.open:
        raise FlagDecided(status=flag.state)
    flag.decided_by, flag.decided_at, flag.reason = caller, now(), body.reason
    state = FlagState(body.outcome)
    await records.move(tx, caller, flag, state, MOVES, FlagDecided, reason=body.reason)
    if body.annul:
        await corrections.annul(tx, caller, flag.checkin_id, body.reason)
    [out] = await _shown(tx, [flag])
    return out


async def _shown(tx: Session, found: Sequence[Flag]) -> list[FlagOut]:
    names = await people_queries.names(tx, [one.person_id for one in found])
    return [
        FlagOut.model_validate(
            one.model_dump() | {"display_name": names[one.person_id].display_name}
        )
        for one in found
    ]


async def find(tx: Session) -> int:
    """Flag what was recorded in the last day; return how many are new."""
    since = least_id(now() - LOOKED_AT)
    found = [
        *_travels(await queries.returning(tx, since)),
        *_crowds(await queries.crowded(tx, since, MANY)),
    ]
    known = await queries.known(tx, [one.checkin_id for one in found])
    new = 0
    for flag in found:
        if (flag.checkin_id, flag.kind) in known:
            continue
        flag_id = await queries.insert_new(tx, flag)
        if flag_id is not None:
            await audit.write_about(tx, None, "flagged", ("flag", flag_id), flag.org_id)
            new += 1
    return new


async def forget_positions(tx: Session) -> int:
    """Empty the positions of check-ins that are a month old; return how many."""
    at = now()
    return await queries.forget_positions(tx, least_id(at - LOOKED_BACK), least_id(at - KEPT))


def _travels(presences: Iterable[Presence]) -> Iterable[Flag]:
    """Yield a flag for each presence too far from the one before it, of one person in order."""
    for before, after in pairwise(presences):
        if before.person_id != after.person_id or before.activity_id == after.activity_id:
            continue
        apart = distance_m((before.latitude, before.longitude), (after.latitude, after.longitude))
        seconds = (after.came_at - before.came_at).total_seconds()
        edges = before.radius_m + after.radius_m + 2 * MAX_ACCURACY_M
        if is_too_fast(apart - edges, seconds):
            yield Flag(
                org_id=after.org_id,
                kind=FlagKind.travel,
                activity_id=after.activity_id,
                checkin_id=after.checkin_id,
                person_id=after.person_id,
                other_id=before.checkin_id,
                distance_m=round(apart),
                seconds=round(seconds),
            )


def _crowds(spots: Iterable[Spot]) -> Iterable[Flag]:
    """Yield a flag for each check-in at a spot that many people told within ten minutes."""
    for _, group in groupby(spots, lambda one: one[:3]):
        here = list(group)
        most: dict[UUID, int] = {}
        for number, first in enumerate(here):
            near = [
                one for one in here[number:] if one.checked_in_at - first.checked_in_at <= WITHIN
            ]
            people_here = len({one.person_id for one in near})
            for one in near:
                most[one.checkin_id] = max(most.get(one.checkin_id, 0), people_here)
        for one in here:
            if most[one.checkin_id] >= MANY:
                yield Flag(
                    org_id=one.org_id,
                    kind=FlagKind.coordinates,
                    activity_id=one.activity_id,
                    checkin_id=one.checkin_id,
                    person_id=one.person_id,
                    people=most[one.checkin_id],
                )
