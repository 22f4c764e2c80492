"""Hand-overs: a steward lets a child go with the guardian, a named person, or alone if allowed."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.keys import FieldCipher
from app.core.paging import Page, PageParams, keyset
from app.models.activities import Activity
from app.models.cards import CodePurpose
from app.models.checkouts import Departure
from app.models.children import Child, Pickup
from app.models.handovers import Handover, HandoverCode, HandoverProof
from app.queries import activities as activity_queries
from app.queries import cards as card_queries
from app.queries import children as child_queries
from app.queries import handovers as queries
from app.queries import people as people_queries
from app.queries import signups as signup_queries
from app.schemas.children import FetcherOut
from app.schemas.handovers import (
    CODE_DIGITS,
    ChildHandoverOut,
    HandoverCodeIn,
    HandoverCodeOut,
    HandoverIn,
    HandoverOut,
)
from app.services import activities, audit, checkouts, children, notify, people, session_numbers
from app.services.checkouts import Leave, NotCheckedIn
from app.services.children import PickupNotFound
from app.services.ledger import moments
from app.services.people import CardGuesses, PersonNotFound
from app.services.redemptions import card_codes
from app.services.signup_terms import NotAClass
from app.services.signups import SignupNotFound

Guessing = Callable[[UUID], CardGuesses]  # the counter of wrong codes for a child


class OwnChild(Refusal):
    code, status, title = "handovers.own", 403, "Own hand-over"
    zh, en = "不能将孩子交接给自己，请其他工作人员办理", "Nobody hands a child to himself."


class NotNamed(Refusal):
    code, status, title = "handovers.not_named", 403, "May not fetch the child"
    zh, en = (
        "此人不是监护人，也不在接送人名单中",
        "This is not the guardian, and nobody whom the guardian named.",
    )


class MayNotLeaveAlone(Refusal):
    code, status, title = "handovers.not_alone", 403, "May not leave alone"
    zh, en = "监护人未同意孩子自行离开", "The guardian does not let this child leave alone."


class HandoverCodeInvalid(Refusal):
    code, status, title = "handovers.code_invalid", 422, "Hand-over code invalid"
    zh, en = "交接码无效", "The hand-over code is not valid for this child and session."


class HandoverCodeUsed(Refusal):
    code, status, title = "handovers.code_used", 409, "Hand-over code used"
    zh, en = "交接码已使用", "The hand-over code has been used."
    fact_names = ("used_at",)


class HandoverCodeExpired(Refusal):
    code, status, title = "handovers.code_expired", 409, "Hand-over code expired"
    zh, en = "交接码已过期，请监护人重新生成", "The hand-over code has expired."
    fact_names = ("expires_at",)


class AlreadyHandedOver(Refusal):
    code, status, title = "handovers.done", 409, "Already handed over"
    zh, en = "孩子已被接走", "The child has left already."
    fact_names = ("handed_over_at",)


@dataclass(frozen=True, slots=True)
class _Proven:
    """Why a child may leave, and with whom."""

    proof: HandoverProof
    person_id: UUID | None = None
    named_sealed: bytes | None = None


async def make_code(
    tx: Session, cipher: FieldCipher, caller: UUID, child_id: UUID, body: HandoverCodeIn
) -> HandoverCodeOut:
    """Make a code for a named person and a session, in place of an earlier one.

    Raises ChildNotFound, PickupNotFound, SignupNotFound, SessionNotFound.
    """
    await children.owned(tx, caller, child_id)
    if await child_queries.pickup(tx, child_id, body.pickup_id) is None:
        raise PickupNotFound
    activity = await activity_queries.find(tx, body.activity_id)
    if activity is None or child_id not in await signup_queries.people_of(tx, activity.id):
        raise SignupNotFound
    await session_numbers.span(tx, activity, body.session)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    row = HandoverCode(
        id=new_id(),
        pickup_id=body.pickup_id,
        child_id=child_id,
        activity_id=activity.id,
        session=body.session,
        code_index=cipher.indexes(_indexed(child_id, code))[0],
        expires_at=midnight(local_date(now()) + timedelta(days=1)),
    )
    await queries.renew_code(tx, row)
    facts = audit.about("activity", activity.id) | {"pickup": str(body.pickup_id)}
    subject = ("child", child_id)
    await audit.write_about(tx, caller, "handover_code_made", subject, activity.org_id, facts=facts)
    return HandoverCodeOut(id=row.id, code=code, expires_at=row.expires_at)


async def record(
    tx: Session,
    cipher: FieldCipher,
    caller: UUID,
    activity_id: UUID,
    body: HandoverIn,
    guessing: Guessing,
) -> HandoverOut:
    """Hand a child over and check it out; the guardian gets a notice.

    The child's row is locked first: of two stewards one hands over, and whom the guardian removes
    meanwhile gets nobody. Raises ActivityNotFound, Forbidden, NotAClass, PersonNotFound, OwnChild,
    NotCheckedIn, AlreadyHandedOver, and what the proof is refused with.
    """
    activity = await activities.co_organized(tx, caller, activity_id)
    if not activity.for_minors:
        raise NotAClass
    child = None
    if body.child_id in await signup_queries.people_of(tx, activity_id):
        child = await child_queries.lock(tx, body.child_id)
    if child is None:
        raise PersonNotFound
    found = await queries.checkin(tx, activity_id, child.person_id, body.session)
    if found is None:
        raise NotCheckedIn
    checkin_id, is_open = found
    if (earlier := await queries.of_checkin(tx, checkin_id)) is not None:
        raise AlreadyHandedOver(handed_over_at=earlier.handed_over_at)
    proven = await _proven(tx, cipher, caller, child, activity_id, body, guessing)
    if await people.is_any_of(tx, caller, child.guardian_id, proven.person_id):
        raise OwnChild
    row = Handover(
        id=new_id(),
        checkin_id=checkin_id,
        activity_id=activity_id,
        session=body.session,
        child_id=child.person_id,
        proof=proven.proof,
        fetched_by=proven.person_id,
        fetcher_sealed=proven.named_sealed,
        handed_over_by=caller,
        handed_over_at=now(),
    )
    await queries.save(tx, row)
    if is_open:
        await _check_out(tx, caller, activity, row)
    facts = audit.about("activity", activity_id) | {"proof": proven.proof, "session": body.session}
    await audit.write_about(
        tx, caller, "handed_over", ("child", child.person_id), activity.org_id, facts=facts
    )
    await _tell(tx, child, activity, row)
    return HandoverOut(**_shown(cipher, row))


async def list_of_child(
    tx: Session, cipher: FieldCipher, caller: UUID, child_id: UUID, asked: PageParams
) -> Page[ChildHandoverOut]:
    """Return the hand-overs of a child of the caller, newest first. Raises ChildNotFound."""
    await children.require_own(tx, caller, child_id)
    return await keyset(
        asked,
        (UUID,),
        lambda before, limit: queries.page(tx, child_id, before[0] if before else None, limit),
        lambda row: ChildHandoverOut(**_shown(cipher, row[0]), title=row[1]),
        lambda row: (row[0].id,),
    )


async def _proven(
    tx: Session,
    cipher: FieldCipher,
    caller: UUID,
    child: Child,
    activity_id: UUID,
    body: HandoverIn,
    guessing: Guessing,
) -> _Proven:
    pickups = (await child_queries.pickups(tx, [child.person_id])).get(child.person_id, [])
    if body.card_code is not None:
        return await _by_card(tx, caller, child, pickups, body.card_code)
    if body.handover_code is not None:
        code = await _by_code(tx, cipher, child, activity_id, body, guessing(child.person_id))
        [named] = [one.named_sealed for one in pickups if one.id == code.pickup_id]
        return _Proven(HandoverProof.handover_code, named_sealed=named)
    if not child.may_leave_alone:
        raise MayNotLeaveAlone
    return _Proven(HandoverProof.alone)


async def _by_card(
    tx: Session, caller: UUID, child: Child, pickups: list[Pickup], card_code: str
) -> _Proven:
    """Use up a card's code, and return whose it is.

    Raises CardCodeInvalid, CardCodeUsed, CardSuspended, NotNamed.
    """
    at = now()
    rows = await card_queries.lock_codes(tx, [card_code])
    code = card_codes.require_usable(rows.get(card_code), at, CodePurpose.handover, caller)
    await card_queries.use_codes(tx, [code.id], at, [caller])
    if await people.is_any_of(tx, code.person_id, child.guardian_id):
        return _Proven(HandoverProof.guardian_card, code.person_id)
    for one in pickups:
        if one.person_id and await people.is_any_of(tx, code.person_id, one.person_id):
            return _Proven(HandoverProof.pickup_card, code.person_id, one.named_sealed)
    raise NotNamed


async def _by_code(
    tx: Session,
    cipher: FieldCipher,
    child: Child,
    activity_id: UUID,
    body: HandoverIn,
    guesses: CardGuesses,
) -> HandoverCode:
    """Use up a hand-over code. A wrong one is counted against the child."""
    assert body.handover_code is not None
    await guesses.admit()
    indexes = cipher.indexes(_indexed(child.person_id, body.handover_code))
    code = await queries.find_code(tx, child.person_id, activity_id, body.session, indexes)
    if code is None:
        await guesses.count(1)
        raise HandoverCodeInvalid
    at = now()
    if code.used_at is not None:
        raise HandoverCodeUsed(used_at=code.used_at)
    if code.expires_at <= at:
        raise HandoverCodeExpired(expires_at=code.expires_at)
    code.used_at = at
    await queries.save(tx, code)
    return code


async def _check_out(tx: Session, caller: UUID, activity: Activity, row: Handover) -> None:
    """Check the child out where the activity asks for it.

    That it is too late for a check-out, or that none is asked for, keeps no child from leaving.
    """
    leave = Leave(activity.serial, row.child_id, Departure.steward, caller, session=row.session)
    await checkouts.record(tx, [leave], await moments.moment(tx))


async def _tell(tx: Session, child: Child, activity: Activity, row: Handover) -> None:
    name = (await people_queries.names(tx, [child.person_id]))[child.person_id].display_name
    facts = {"name": name, "at": row.handed_over_at, "title": activity.title}
    subject = ("handover", row.id)
    await notify.send(tx, child.guardian_id, "handover_recorded", subject, **facts)


def _shown(cipher: FieldCipher, row: Handover) -> dict[str, object]:
    sealed = row.fetcher_sealed
    return {
        **row.model_dump(include={"id", "activity_id", "session", "child_id", "handed_over_at"}),
        "proof": HandoverProof(row.proof),
        "fetcher": FetcherOut.model_validate_json(cipher.open(sealed)) if sealed else None,
    }


def _indexed(child_id: UUID, code: str) -> str:
    """Return what is hashed: the same digits of another child give another hash."""
    return f"handover:{child_id}:{code}"
