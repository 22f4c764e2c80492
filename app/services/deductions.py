"""Deductions: a breach costs points, never more than there are, and may be appealed against."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Invalid, Refusal, unwrap
from app.core.ids import new_id
from app.core.language import Bilingual
from app.core.normalize import normalized
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.deductions import Deduction, DeductionState
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.queries import deductions as queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.schemas.deductions import AppealDecisionIn, AppealIn, DeductionIn, DeductionOut
from app.schemas.policies import Deduction as DeductionRule
from app.services import audit, notify, orgs, people, records
from app.services.ledger import posting
from app.services.ledger.posting import Unhold
from app.services.ledger.types import AccountKey, Posting
from app.services.policies import history


class DeductionNotFound(Refusal):
    code, status, title = "deductions.not_found", 404, "No such deduction"
    zh, en = "扣分记录不存在", "There is no such deduction."


class DeductedBefore(Refusal):
    code, status, title = "deductions.made_before", 409, "Deducted before"
    zh, en = "同一事由已扣过分", "The same breach has cost points before."


class AppealClosed(Refusal):
    code, status, title = "deductions.appeal_closed", 409, "Appeal closed"
    zh, en = "已申诉过或已超过申诉期限", "It has been appealed against, or the time is over."
    fact_names = ("status", "closes_at")


class NotAppealed(Refusal):
    code, status, title = "deductions.not_appealed", 409, "Not appealed against"
    zh, en = "没有待处理的申诉", "There is no appeal to decide."
    fact_names = ("status",)


class OwnDeduction(Refusal):
    code, status, title = "deductions.own", 403, "Own deduction"
    zh, en = "须由扣分人和本人以外的人决定", "Somebody with no part in it must decide."


async def deduct(tx: Session, caller: UUID, body: DeductionIn, *, unhold: Unhold) -> DeductionOut:
    """Take what a breach costs, or what there is.

    Raises OrgNotFound, Forbidden, PersonNotFound, Invalid, DeductedBefore.
    """
    org = await records.authorized(tx, caller, people.ORGANIZERS, body.org_id)
    at = now()
    policy = await history.in_force(tx, org.path, at)
    rule = policy.document.deductions.get(body.rule_key)
    if rule is None:
        raise invalid("body.rule_key", "没有生效的这条规则", "no such rule in force")
    if missing := [name for name in rule.evidence if not normalized(body.evidence.get(name, ""))]:
        msg = Bilingual("必填", "required")
        raise Invalid(fields=[{"field": f"body.evidence.{n}", "msg": msg} for n in missing])
    if not await people_queries.existing(tx, [body.person_id]):
        raise people.PersonNotFound
    await unhold(tx, body.person_id)
    available = AccountKey(body.person_id, Purpose.available, policy.unit_id)
    # Never a limited budget's account: an appeal must find the points again.
    fund = AccountKey(org.id, Purpose.fund, policy.unit_id)
    locked = await posting.lock(tx, [available, fund])
    deduction = Deduction(
        id=new_id(),
        person_id=body.person_id,
        org_id=org.id,
        unit_id=policy.unit_id,
        rule_key=rule.key,
        policy_version=policy.version,
        title=rule.name,
        points_asked=rule.points,
        points=min(rule.points, await posting.spendable(tx, locked[available].id, at)),
        evidence=body.evidence,
        state=DeductionState.standing,
        created_by=caller,
        created_at=at,
        appeal_until=at + timedelta(days=rule.appeal_days),
    )
    breach = _breach(rule, deduction.evidence)
    if any(_breach(rule, one) == breach for one in await queries.evidence_before(tx, deduction)):
        raise DeductedBefore
    await records.create(tx, caller, deduction)
    if deduction.points:
        entry = _posting(deduction, available, fund, Kind.deduction, f"扣分：{rule.name}")
        unwrap(await posting.post(tx, [entry], at, locked))
    facts = {"title": rule.name, "points": deduction.points, "appeal_until": deduction.appeal_until}
    await _tell(tx, deduction, NoticeKind.points_deducted, **facts)
    return DeductionOut.model_validate(deduction)


def _breach(rule: DeductionRule, evidence: dict[str, str]) -> list[str]:
    """Return what tells a breach from another: what the rule asks for, however it is spelled."""
    return [normalized(evidence.get(name, "")) for name in rule.evidence]


async def appeal(tx: Session, caller: UUID, deduction_id: UUID, body: AppealIn) -> DeductionOut:
    """Appeal against one's deduction, once and in time. Raises DeductionNotFound, AppealClosed."""
    deduction = await record_queries.lock(tx, Deduction, deduction_id)
    if deduction is None or deduction.person_id != caller:
        raise DeductionNotFound
    at = now()
    if deduction.state != DeductionState.standing or at >= deduction.appeal_until:
        raise AppealClosed(status=deduction.state, closes_at=deduction.appeal_until)
    deduction.appeal, deduction.appealed_at = body.reason, at
    await _move(tx, caller, deduction, DeductionState.appealed)
    parties = {deduction.created_by, deduction.person_id}
    await notify.send_to_deciders(tx, NoticeKind.appeals_waiting, deduction.org_id, but=parties)
    return DeductionOut.model_validate(deduction)


async def decide(
    tx: Session, caller: UUID, deduction_id: UUID, body: AppealDecisionIn
) -> DeductionOut:
    """Decide an appeal. Granted, the points go back to the lots that they came from.

    Raises DeductionNotFound, OwnDeduction, NotAppealed.
    """
    deduction = await records.locked(
        tx, Deduction, deduction_id, caller, people.ORGANIZERS, DeductionNotFound
    )
    if caller in (deduction.created_by, deduction.person_id):
        raise OwnDeduction
    if deduction.state != DeductionState.appealed:
        raise NotAppealed(status=deduction.state)
    at = now()
    deduction.decision, deduction.decided_by, deduction.decided_at = body.reason, caller, at
    state = DeductionState.revoked if body.granted else DeductionState.upheld
    await _move(tx, caller, deduction, state, reason=body.reason)
    if body.granted and deduction.points:
        fund = AccountKey(deduction.org_id, Purpose.fund, deduction.unit_id)
        available = AccountKey(deduction.person_id, Purpose.available, deduction.unit_id)
        reason = f"申诉成立：{deduction.title}"
        org = await orgs.get(tx, deduction.org_id)
        policy = await history.in_force(tx, org.path, at)
        entry = _posting(deduction, fund, available, Kind.restitution, reason)
        entry = replace(entry, revived_until=policy.revived_until(at))
        unwrap(await posting.post(tx, [entry], at))
    facts = {"title": deduction.title, "granted": body.granted, "reason": body.reason}
    await _tell(tx, deduction, NoticeKind.appeal_decided, **facts)
    return DeductionOut.model_validate(deduction)


async def _tell(tx: Session, deduction: Deduction, kind: NoticeKind, **facts: Any) -> None:
    await notify.send(tx, deduction.person_id, kind, ("deduction", deduction.id), **facts)


async def _move(
    tx: Session,
    caller: UUID,
    deduction: Deduction,
    state: DeductionState,
    *,
    reason: str | None = None,
) -> None:
    """Write a locked deduction in another state, and who decided it."""
    before, deduction.state = deduction.state, state
    await record_queries.save(tx, deduction)
    await audit.write(tx, caller, state, deduction, before=before, after=state, reason=reason)


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[DeductionOut]:
    """Return the person's deductions, newest first."""
    query = record_queries.where(Deduction, person_id=person_id)
    return await records.page(tx, query, Deduction, DeductionOut, asked)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, state: DeductionState | None, asked: PageParams
) -> Page[DeductionOut]:
    """Return the deductions of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    org = await records.authorized(tx, caller, people.READERS, org_id)
    query = record_queries.below(Deduction, org.path)
    if state is not None:
        query = query.filter_by(state=state)
    return await records.page(tx, query, Deduction, DeductionOut, asked)


def _posting(
    deduction: Deduction, payer: AccountKey, payee: AccountKey, kind: Kind, reason: str
) -> Posting:
    back = kind is Kind.restitution
    return Posting(
        id=new_id() if back else deduction.id,
        payer=payer,
        payee=payee,
        amount=deduction.points,
        kind=kind,
        reason=reason,
        reference=f"{kind}:{deduction.id}",
        source_type="deduction",
        source_id=deduction.id,
        org_id=deduction.org_id,
        closes_id=deduction.id if back else None,
    )
