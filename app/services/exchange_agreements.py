"""Agreements to exchange points: proposed by one organisation, accepted by another (decision 0057).

Everybody may read them and the positions of both sides.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.exchanges import ExchangeAgreement, ExchangeAgreementState
from app.models.orgs import Org
from app.models.people import Role
from app.queries import exchanges as queries
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.schemas.exchange_agreements import (
    AgreementDecisionIn,
    AgreementEndIn,
    ExchangeAgreementIn,
    ExchangeAgreementOut,
    PartyOut,
)
from app.services import notify, orgs, people, records
from app.services.ledger import moments
from app.services.policies import history

MOVES = {
    ExchangeAgreementState.proposed: {
        ExchangeAgreementState.agreed,
        ExchangeAgreementState.declined,
        ExchangeAgreementState.ended,
    },
    ExchangeAgreementState.agreed: {ExchangeAgreementState.ended},
}
LONGEST = timedelta(days=3 * 366)


class AgreementNotFound(Refusal):
    code, status, title = "exchange_agreements.not_found", 404, "No such agreement"
    zh, en = "积分互换协议不存在", "There is no such agreement."


class AgreementWrongState(records.WrongState):
    code = "exchange_agreements.wrong_state"


class OwnAgreement(Refusal):
    code, status, title = "exchange_agreements.own", 403, "Own proposal"
    zh, en = "不能答复自己提议的互换", "Nobody answers a proposal of their own."


class SameUnit(Refusal):
    code, status, title = "exchange_agreements.same_unit", 409, "Same unit"
    zh, en = "两个组织使用同一种积分，无须互换", "Both organisations give the same points."
    fact_names = ("unit",)


async def propose(tx: Session, caller: UUID, body: ExchangeAgreementIn) -> ExchangeAgreementOut:
    """Propose an agreement. Raises OrgNotFound, Forbidden, OrgClosed, Invalid, SameUnit."""
    org = await records.authorized_open(tx, caller, [Role.administrator], body.org_id)
    other = await orgs.get_open(tx, body.other_org_id)
    at = await moments.moment(tx)
    starts_at = body.starts_at or at
    if not max(starts_at, at) < body.ends_at <= at + LONGEST:
        raise invalid("body.ends_at", "须晚于开始时间，且不超过三年", "must be later, by 3 years")
    unit, other_unit = [(await history.in_force(tx, o.path, at)).unit_id for o in (org, other)]
    if unit == other_unit:
        raise SameUnit(unit=(await queries.unit_codes(tx))[unit])
    agreement = ExchangeAgreement(
        **body.model_dump(exclude={"starts_at"}),
        created_by=caller,
        created_at=at,
        starts_at=starts_at,
        unit_id=unit,
        other_unit_id=other_unit,
    )
    await records.create(tx, caller, agreement)
    await _tell(tx, "exchange_proposed", agreement, other, org)
    return (await _shown(tx, [agreement]))[0]


async def decide(
    tx: Session, caller: UUID, agreement_id: UUID, body: AgreementDecisionIn
) -> ExchangeAgreementOut:
    """Accept or decline, for the organisation that was asked.

    Raises AgreementNotFound, Forbidden, OwnAgreement, OrgClosed, AgreementWrongState (also once its
    time is over).
    """
    agreement, org, other = await _locked(tx, agreement_id)
    await people.require_role(tx, caller, [Role.administrator], other.path)
    if await people.is_any_of(tx, caller, agreement.created_by):
        raise OwnAgreement
    at = await moments.moment(tx)
    if body.accepted:
        for one in (org, other):
            await orgs.get_open(tx, one.id)
        if agreement.state == ExchangeAgreementState.proposed and agreement.ends_at <= at:
            raise AgreementWrongState(status=ExchangeAgreementState.ended)
    state = ExchangeAgreementState.agreed if body.accepted else ExchangeAgreementState.declined
    if agreement.state == ExchangeAgreementState.proposed:
        agreement.decided_by, agreement.decided_at = caller, at
    await records.move(tx, caller, agreement, state, MOVES, AgreementWrongState, reason=body.reason)
    facts: dict[str, str | bool] = {"accepted": body.accepted, "reason": body.reason}
    await _tell(tx, "exchange_decided", agreement, org, other, **facts)
    return (await _shown(tx, [agreement]))[0]


async def end(
    tx: Session, caller: UUID, agreement_id: UUID, body: AgreementEndIn
) -> ExchangeAgreementOut:
    """End an agreement for either side, or withdraw an own proposal.

    Raises AgreementNotFound, Forbidden, AgreementWrongState.
    """
    agreement, org, other = await _locked(tx, agreement_id)
    sides = [org] if agreement.state == ExchangeAgreementState.proposed else [org, other]
    mine = [o for o in sides if await people.holds(tx, caller, [Role.administrator], o.path)]
    if not mine:
        raise people.Forbidden
    if ExchangeAgreementState.ended in MOVES.get(ExchangeAgreementState(agreement.state), ()):
        agreement.ended_by, agreement.ended_at = caller, await moments.moment(tx)
    await records.move(
        *(tx, caller, agreement, ExchangeAgreementState.ended, MOVES, AgreementWrongState),
        reason=body.reason,
    )
    by, told = (org, other) if mine[0] is org else (other, org)
    await _tell(tx, "exchange_ended", agreement, told, by, reason=body.reason)
    return (await _shown(tx, [agreement]))[0]


async def browse(
    tx: Session, org_id: UUID | None, state: ExchangeAgreementState | None, asked: PageParams
) -> Page[ExchangeAgreementOut]:
    """Return agreements, newest first, of an organisation on either side. Raises OrgNotFound."""
    if org_id is not None:
        await orgs.get(tx, org_id)
    query = queries.agreements(org_id, state)
    return await records.page(tx, query, ExchangeAgreement, lambda found: _shown(tx, found), asked)


async def show(tx: Session, agreement_id: UUID) -> ExchangeAgreementOut:
    """Return an agreement. Raises AgreementNotFound."""
    found = await record_queries.find(tx, ExchangeAgreement, agreement_id)
    if found is None:
        raise AgreementNotFound
    return (await _shown(tx, [found]))[0]


def is_open(agreement: ExchangeAgreement, at: datetime) -> bool:
    """Tell whether residents may exchange at a time."""
    is_agreed = agreement.state == ExchangeAgreementState.agreed
    return is_agreed and agreement.starts_at <= at < agreement.ends_at


async def _locked(tx: Session, agreement_id: UUID) -> tuple[ExchangeAgreement, Org, Org]:
    agreement = await record_queries.lock(tx, ExchangeAgreement, agreement_id)
    if agreement is None:
        raise AgreementNotFound
    org, other = [await orgs.get(tx, i) for i in (agreement.org_id, agreement.other_org_id)]
    return agreement, org, other


async def _tell(
    tx: Session, kind: str, agreement: ExchangeAgreement, org: Org, other: Org, **facts: str | bool
) -> None:
    """Tell the administrators of an organisation what the other one did."""
    found = await people_queries.nearest_holders(tx, org.id, [Role.administrator], [], 1)
    subject = ("exchange_agreement", agreement.id)
    told = [one.person_id for one in found]
    await notify.send(tx, told, kind, subject, org=org.name, other=other.name, **facts)


async def _shown(tx: Session, found: Sequence[ExchangeAgreement]) -> list[ExchangeAgreementOut]:
    sides = [one.org_id for one in found] + [one.other_org_id for one in found]
    names, codes = await org_queries.names_of(tx, sides), await queries.unit_codes(tx)
    return [
        ExchangeAgreementOut(
            id=one.id,
            party=PartyOut(
                org_id=one.org_id,
                name=names[one.org_id][1],
                unit=codes[one.unit_id],
                rate_points=one.rate_points,
                max_points=one.max_points,
                position=one.position,
                left=one.max_points + one.position,
            ),
            other_party=PartyOut(
                org_id=one.other_org_id,
                name=names[one.other_org_id][1],
                unit=codes[one.other_unit_id],
                rate_points=one.other_rate_points,
                max_points=one.other_max_points,
                position=one.other_position,
                left=one.other_max_points + one.other_position,
            ),
            state=ExchangeAgreementState(one.state),
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            is_open=is_open(one, now()),
            decided_at=one.decided_at,
            ended_at=one.ended_at,
            created_at=one.created_at,
        )
        for one in found
    ]
