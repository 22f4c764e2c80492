"""Merges of two accounts of one person: one administrator proposes, another confirms.

What the absorbed account has goes to the kept one; whoever logs in to the first reaches the second
(docs/decisions/0036).
"""

from collections.abc import Sequence
from dataclasses import asdict, astuple
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.models.cards import SHOWN_DIGITS, CardStatus, card_number, masked_number
from app.models.merges import Merge, MergeState
from app.models.people import Role
from app.queries import auth as auth_queries
from app.queries import children as children_queries
from app.queries import erasures as erasure_queries
from app.queries import members as member_queries
from app.queries import merges as queries
from app.queries import outbox
from app.queries import records as record_queries
from app.schemas.merges import MergeIn, MergeOut
from app.services import audit, notify, orgs, people, records, roles
from app.services.ledger import merging, moments
from app.services.ledger.merging import Merged
from app.services.merges import guards, handing_over
from app.services.merges.guards import ADMINISTRATORS, OwnMerge

LAPSES_AFTER = timedelta(days=14)
READERS = (Role.auditor, Role.administrator)
MOVES = {
    MergeState.proposed: {MergeState.confirmed, MergeState.rejected, MergeState.lapsed},
}


class MergeNotFound(Refusal):
    code, status, title = "merges.not_found", 404, "No such merge"
    zh, en = "账号合并申请不存在", "There is no such merge."


class MergeProposed(Refusal):
    code, status, title = "merges.proposed", 409, "Proposed already"
    zh, en = "该账号已有待确认的合并申请", "A merge of the account waits for its confirmation."
    fact_names = ("merge_id", "closes_at")


class MergeBlocked(Refusal):
    """Facts: numbers of what must end before, see ``queries.merges.Blockers``."""

    code, status, title = "merges.blocked", 409, "Something is open"
    zh = "并入账号尚有未了结的事项，或账号已停用、待注销"
    en = "Something of the account is open, or one of the two is suspended or about to be closed."
    fact_names = ("reservations", "awards", "cases", "deductions", "closures", "suspended")


class MergeWrongState(records.WrongState):
    code = "merges.wrong_state"


async def propose(tx: Session, caller: UUID, body: MergeIn) -> MergeOut:
    """Propose to merge the account of one card into that of another; both get a notice.

    The codes of both cards are used up: whoever shows them is logged in to both accounts. Raises
    Invalid, OrgNotFound, OrgClosed, Forbidden, CardCodeInvalid, CardCodeUsed, CardSuspended,
    PersonNotFound, OwnMerge, RoleElsewhere, KeptRole, MergeProposed.
    """
    org = await records.authorized_open(tx, caller, ADMINISTRATORS, body.org_id)
    absorbed, kept = await guards.use_codes(tx, caller, body)
    if caller in (absorbed, kept):
        raise OwnMerge
    locked = await queries.lock_people(tx, [absorbed, kept])
    await guards.require_administered(tx, caller, org, (absorbed, kept))
    await guards.require_no_new_role(tx, absorbed, kept)
    if (found := await queries.open_of(tx, absorbed)) is not None:
        raise MergeProposed(merge_id=found.id, closes_at=found.lapses_at)
    merge = Merge(
        org_id=org.id,
        created_by=caller,
        absorbed_id=absorbed,
        kept_id=kept,
        reason=body.reason,
        lapses_at=await moments.recorded(tx) + LAPSES_AFTER,
    )
    await records.create(tx, caller, merge)
    card = card_number(locked[kept][1].serial or 0)[-SHOWN_DIGITS:]
    subject = ("merge", merge.id)
    await notify.send(tx, [absorbed, kept], "merge_proposed", subject, org=org.name, card=card)
    but = [caller, absorbed, kept]
    await notify.send_to_deciders(tx, "merges_waiting", org.id, but=but, roles=ADMINISTRATORS)
    return await _shown_one(tx, merge)


async def confirm(tx: Session, caller: UUID, merge_id: UUID) -> tuple[MergeOut, list[UUID]]:
    """Merge the two accounts; return also the logins to be revoked after the commit.

    Raises MergeNotFound, OwnMerge, MergeWrongState, PersonNotFound, RoleElsewhere,
    LastAdministrator, MergeBlocked, KeptRole.
    """
    merge = await _locked(tx, caller, merge_id)
    if await people.is_any_of(tx, caller, merge.created_by):
        raise OwnMerge
    at = await moments.moment(tx)
    if merge.state == MergeState.proposed and merge.lapses_at <= at:
        raise MergeWrongState(status=MergeState.lapsed)
    if merge.state != MergeState.proposed:
        raise MergeWrongState(status=merge.state)
    org = await orgs.get(tx, merge.org_id)
    # Before anything is moved: somebody may belong to the subtree by a sign-up alone.
    await guards.require_administered(tx, caller, org, (merge.absorbed_id, merge.kept_id))
    await handing_over.hand_over(tx, merge.absorbed_id, merge.kept_id, at)
    await children_queries.give_to(tx, merge.absorbed_id, merge.kept_id)
    await _move_points(tx, merge, at)
    await guards.require_no_new_role(tx, merge.absorbed_id, merge.kept_id)  # the two are locked
    await roles.require_others(tx, merge.absorbed_id)
    ended = await _close(tx, caller, merge, at)
    merge.settled_by, merge.settled_at = caller, at
    await records.move(tx, caller, merge, MergeState.confirmed, MOVES, MergeWrongState)
    await outbox.put(tx, "leaderboards.rebuild", {})
    told = {"points": merge.points, "minutes": merge.minutes}
    await notify.send(tx, merge.kept_id, "merge_confirmed", ("merge", merge.id), **told)
    return await _shown_one(tx, merge), ended


async def reject(tx: Session, caller: UUID, merge_id: UUID, reason: str) -> MergeOut:
    """Reject a proposal, or withdraw an own one.

    Raises MergeNotFound, OwnMerge, MergeWrongState.
    """
    merge = await _locked(tx, caller, merge_id)
    at = await moments.recorded(tx)
    merge.settled_by, merge.settled_at, merge.answer = caller, at, reason
    await records.move(tx, caller, merge, MergeState.rejected, MOVES, MergeWrongState)
    return await _shown_one(tx, merge)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, state: MergeState | None, asked: PageParams
) -> Page[MergeOut]:
    """Return the merges of a subtree, newest first; names are masked for auditors.

    Raises OrgNotFound, Forbidden.
    """
    org = await records.authorized(tx, caller, READERS, org_id)
    masks = not await people.holds(tx, caller, ADMINISTRATORS, org.path)

    async def shown(found: Sequence[Merge]) -> Sequence[MergeOut]:
        return await _shown(tx, found, masks=masks)

    return await records.browse(tx, caller, READERS, org_id, Merge, shown, asked, state=state)


async def read(tx: Session, caller: UUID, merge_id: UUID) -> MergeOut:
    """Return a merge. Raises MergeNotFound."""
    merge = await record_queries.find(tx, Merge, merge_id)
    if merge is None:
        raise MergeNotFound
    org = await orgs.get(tx, merge.org_id)
    if not await people.holds(tx, caller, READERS, org.path):
        raise MergeNotFound
    masks = not await people.holds(tx, caller, ADMINISTRATORS, org.path)
    return (await _shown(tx, [merge], masks=masks))[0]


async def lapse(tx: Session, at: datetime, limit: int) -> int:
    """Let proposals lapse that nobody settled in time; return how many."""
    found = await queries.lapsing(tx, at, limit)
    for merge in found:
        merge.settled_at = at
        await records.move(tx, None, merge, MergeState.lapsed, MOVES, MergeWrongState)
    return len(found)


async def with_arrivals(tx: Session) -> list[Merged]:
    """Return the merges whose absorbed person got something since, by a refund for one."""
    return [_merged(one) for one in await queries.with_arrivals(tx)]


async def sweep(tx: Session, one: Merged) -> bool:
    """Move on what the absorbed person of a merge got since; tell whether anything was moved."""
    at = await moments.moment(tx)
    moved = await merging.move(tx, one, at, await merging.lock(tx, one, at))
    return any((moved.points, moved.minutes, moved.debt))


async def erase(tx: Session, erased: Sequence[UUID]) -> None:
    await queries.forget_texts(tx, erased)


ERASES = erase


def _merged(merge: Merge) -> Merged:
    return Merged(merge.id, merge.org_id, merge.absorbed_id, merge.kept_id)


async def _locked(tx: Session, caller: UUID, merge_id: UUID) -> Merge:
    merge = await records.locked(tx, Merge, merge_id, caller, ADMINISTRATORS, MergeNotFound)
    if await people.is_any_of(tx, caller, merge.absorbed_id, merge.kept_id):
        raise OwnMerge
    return merge


async def _move_points(tx: Session, merge: Merge, at: datetime) -> None:
    """Move points, hours and debts, once nothing is open. Raises MergeBlocked.

    What is open is read under the locks of the accounts, which whatever opens something takes.
    """
    locked = await merging.lock(tx, _merged(merge), at)
    await queries.lock_people(tx, [merge.absorbed_id, merge.kept_id])
    open_ = await queries.blockers(tx, merge.absorbed_id, merge.kept_id, at)
    if any(astuple(open_)):
        raise MergeBlocked(**asdict(open_))
    moved = await merging.move(tx, _merged(merge), at, locked)
    merge.points, merge.minutes, merge.debt = moved.points, moved.minutes, moved.debt


async def _close(tx: Session, caller: UUID, merge: Merge, at: datetime) -> list[UUID]:
    """End logins, roles and the card of the absorbed person; return the logins."""
    absorbed = merge.absorbed_id
    for role in await erasure_queries.remove_roles(tx, [absorbed]):
        facts = {"role": role.role} | (
            {"merchant": str(role.merchant_id)} if role.merchant_id else {}
        )
        subject = ("person", absorbed)
        await audit.write_about(tx, caller, "dismissed", subject, role.org_id, facts=facts)
    card = (await queries.lock_people(tx, [absorbed]))[absorbed][1]
    card.status = CardStatus.suspended
    await member_queries.save(tx, card)
    await audit.write_about(tx, caller, "suspended", ("card", absorbed), merge.org_id)
    await queries.lead(tx, absorbed, merge.kept_id)
    return await auth_queries.revoke_all(tx, absorbed, at)


async def _shown_one(tx: Session, merge: Merge) -> MergeOut:
    return (await _shown(tx, [merge], masks=False))[0]


async def _shown(tx: Session, found: Sequence[Merge], *, masks: bool) -> list[MergeOut]:
    ids = {one for merge in found for one in (merge.absorbed_id, merge.kept_id)}
    known = await queries.parties(tx, sorted(ids))

    def party(person_id: UUID, noun: str) -> dict[str, Any]:
        name, serial = known[person_id]
        shown = (
            (people.masked(name), masked_number(serial)) if masks else (name, card_number(serial))
        )
        return dict(zip((f"{noun}_name", f"{noun}_card_no"), shown, strict=True))

    return [
        MergeOut(
            **merge.model_dump(),
            **party(merge.absorbed_id, "absorbed"),
            **party(merge.kept_id, "kept"),
        )
        for merge in found
    ]
