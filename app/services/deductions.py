"""Deductions: points taken for a breach of the rules, at most those available, with an appeal."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Invalid, Refusal
from app.core.ids import new_id
from app.core.language import Bilingual
from app.core.normalize import normalized
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.cases import OPEN, Case, CaseKind, CaseOutcome
from app.models.deductions import Deduction
from app.models.deductions import DeductionState as State
from app.models.notices import NoticeKind
from app.models.quotas import QuotaKind
from app.queries import cases as case_queries
from app.queries import deductions as queries
from app.queries import members as member_queries
from app.queries import records as record_queries
from app.schemas.deductions import AppealDecisionIn, AppealIn, DeductionIn, DeductionOut
from app.schemas.policies.documents import Deduction as DeductionRule
from app.services import cases, notify, orgs, people, quotas, records, signup_pauses
from app.services.ledger import deducting, moments, posting
from app.services.people import CardGuesses
from app.services.policies import history, naming
from app.services.policies.naming import Book
from app.services.quotas import QuotaUsed

MOVES = {State.standing: {State.appealed}, State.appealed: {State.upheld, State.revoked}}


class DeductionNotFound(Refusal):
    code, status, title = "deductions.not_found", 404, "No such deduction"
    zh, en = "扣分记录不存在", "There is no such deduction."


class DeductedBefore(Refusal):
    code, status, title = "deductions.made_before", 409, "Deducted before"
    zh, en = "同一事由已扣过分", "The same breach has cost points before."
    fact_names = ("day",)


class AppealClosed(records.WrongState):
    code, title = "deductions.appeal_closed", "Appeal closed"
    zh, en = "已申诉过或已超过申诉期限", "It has been appealed against, or the time is over."
    fact_names = ("status", "closes_at")

    def sentence(self) -> Bilingual:
        if self.facts["status"] == State.standing:
            return Bilingual("已超过申诉期限", "The time to appeal is over.")
        return Bilingual("已申诉过", "It has been appealed against before.")


class NotAppealed(records.WrongState):
    code, title = "deductions.not_appealed", "Not appealed against"
    zh, en = "没有待处理的申诉", "There is no appeal to decide."


class OwnDeduction(Refusal):
    code, status, title = "deductions.own", 403, "Own deduction"
    zh, en = "须由扣分人和本人以外的人决定", "Somebody with no part in it must decide."


class OwnPoints(Refusal):
    code, status, title = "deductions.own_points", 403, "Own points"
    zh, en = "本人的扣分须由他人办理", "Somebody else must deduct points from you."


class TooManyDeductions(QuotaUsed):
    code = "deductions.too_many"
    zh, en = "您今天的扣分次数已达上限", "You have deducted as often as one day allows."


class TooManyOfPerson(QuotaUsed):
    code = "deductions.too_many_of_person"
    zh, en = "该居民今天被扣分的次数已达上限", "This person was deducted as often as a day allows."


# On one day. By an organizer: a whole activity's no-shows. Of a person: nobody misses more
# activities in a day, and an appeal takes longer than one.
MAX_A_DAY, MAX_OF_PERSON_A_DAY = 100, 10


async def deduct(
    tx: Session, caller: UUID, body: DeductionIn, guesses: CardGuesses
) -> DeductionOut:
    """Take the points of a breach, or all available points if they are fewer.

    The person takes part in something of the organisation's subtree, or lives there: card numbers
    run in sequence, and nobody's organizer deducts from strangers. The refusal tells no more than
    that of a card of nobody.

    Raises OrgNotFound, Forbidden, OrgClosed, OwnPoints, PersonNotFound, PersonMerged, Invalid,
    DeductedBefore, TooManyDeductions, TooManyOfPerson, and what ``guesses`` raises.
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    person_id = await _person(tx, body, guesses)
    if await people.is_any_of(tx, caller, person_id):
        raise OwnPoints
    if not await member_queries.takes_part(tx, org.path, person_id):
        await guesses.count(1 if body.card_no is not None else 0)
        raise people.PersonNotFound
    at = await moments.moment(tx)
    policy = await history.in_force(tx, org.path, at)
    rule = policy.document.deductions.get(body.rule_key)
    if rule is None:
        raise invalid("body.rule_key", "没有生效的这条规则", "no such rule in force")
    if missing := [name for name in rule.evidence if not normalized(body.evidence.get(name, ""))]:
        msg = Bilingual("必填", "required")
        raise Invalid(fields=[{"field": f"body.evidence.{n}", "msg": msg} for n in missing])
    await _count(tx, caller, person_id, now())
    deduction = Deduction(
        id=new_id(),
        person_id=person_id,
        org_id=org.id,
        unit_id=policy.unit_id,
        rule_key=rule.key,
        policy_version=policy.version,
        title=rule.name,
        points_asked=rule.points,
        points=0,
        evidence=body.evidence,
        state=State.standing,
        created_by=caller,
        created_at=at,
        appeal_until=at + timedelta(days=rule.appeal_days),
    )
    locked = await deducting.lock(tx, deduction, at)
    breach = _breach(rule, deduction.evidence)
    for evidence, made_at in await queries.evidence_before(tx, deduction):
        if _breach(rule, evidence) == breach:
            raise DeductedBefore(day=local_date(made_at))
    await _record(tx, deduction, locked, at)
    return _to_out(deduction, None, await naming.book(tx))


async def charge(tx: Session, deduction: Deduction, at: datetime, **facts: str) -> None:
    """Take the points of a deduction that a job has found, in the name of its author.

    ``facts``: of the entry in the audit trail.
    """
    await _record(tx, deduction, await deducting.lock(tx, deduction, at), at, **facts)


async def _record(
    tx: Session, deduction: Deduction, locked: posting.Locked, at: datetime, **facts: str
) -> None:
    await records.create(tx, deduction.created_by, deduction, **facts)
    await deducting.take(tx, deduction, locked, at)
    shown = deduction.model_dump(include={"title", "points", "appeal_until"})
    await _tell(tx, deduction, NoticeKind.points_deducted, **shown)


async def _person(tx: Session, body: DeductionIn, guesses: CardGuesses) -> UUID:
    """Return who is named. Raises PersonNotFound, PersonMerged, and what ``guesses`` raises."""
    found = body.person_id
    if body.card_no is not None:
        found = (await people.by_card(tx, [body.card_no], guesses)).get(body.card_no)
    if found is None:
        raise people.PersonNotFound
    await people.require_known(tx, [found])
    return found


async def _count(tx: Session, caller: UUID, person: UUID, at: datetime) -> None:
    """Count a deduction of the day. Raises TooManyDeductions, TooManyOfPerson."""
    made, of = QuotaKind.deductions_made, QuotaKind.deductions_of
    await quotas.take(tx, caller, made, MAX_A_DAY, at, TooManyDeductions)
    await quotas.take(tx, person, of, MAX_OF_PERSON_A_DAY, at, TooManyOfPerson)


def _breach(rule: DeductionRule, evidence: dict[str, str]) -> list[str]:
    """Return the key of a breach: the evidence required by the rule, in normalized spelling."""
    return [normalized(evidence.get(name, "")) for name in rule.evidence]


async def appeal(tx: Session, caller: UUID, deduction_id: UUID, body: AppealIn) -> DeductionOut:
    """Appeal against a deduction from oneself, once and in time.

    Raises DeductionNotFound, AppealClosed.
    """
    deduction = await record_queries.lock(tx, Deduction, deduction_id)
    if deduction is None or deduction.person_id != caller:
        raise DeductionNotFound
    closes_at = deduction.appeal_until
    if now() >= closes_at:
        raise AppealClosed(status=deduction.state, closes_at=closes_at)
    await records.move(
        tx, caller, deduction, State.appealed, MOVES, AppealClosed, closes_at=closes_at
    )
    subject = ("deduction", deduction.id)
    case = await cases.open(tx, caller, CaseKind.appeal, subject, deduction.org_id, body.reason)
    parties = {deduction.created_by, deduction.person_id}
    await notify.send_to_deciders(tx, NoticeKind.appeals_waiting, deduction.org_id, but=parties)
    return _to_out(deduction, case, await naming.book(tx))


async def decide(
    tx: Session, caller: UUID, deduction_id: UUID, body: AppealDecisionIn
) -> DeductionOut:
    """Decide an appeal. If it is granted, the points return to the lots that they came from.

    Raises DeductionNotFound, OwnDeduction, NotAppealed.
    """
    deduction = await records.locked(
        tx, Deduction, deduction_id, caller, people.ORGANIZERS, DeductionNotFound
    )
    parties = dict.fromkeys((deduction.created_by, deduction.person_id), OwnDeduction)
    await people.require_no_part(tx, caller, parties)
    state = State.revoked if body.granted else State.upheld
    at = await moments.moment(tx)
    await records.move(tx, caller, deduction, state, MOVES, NotAppealed, reason=body.reason)
    case = await case_queries.lock_of(tx, CaseKind.appeal, deduction.id, deduction.person_id)
    assert case is not None, "the appeal that is decided"
    outcome = CaseOutcome.adopted if body.granted else CaseOutcome.dismissed
    await cases.decide(tx, caller, case, outcome, body.reason, parties)
    if body.granted:
        org = await orgs.get(tx, deduction.org_id)
        policy = await history.in_force(tx, org.path, at)
        await deducting.give_back(tx, deduction, policy, at)
        await signup_pauses.review(tx, deduction.person_id, policy, at)
    facts = {"title": deduction.title, "granted": body.granted, "reason": body.reason}
    await _tell(tx, deduction, NoticeKind.appeal_decided, **facts)
    return _to_out(deduction, case, await naming.book(tx))


async def end_appeals(tx: Session, erased: Sequence[UUID]) -> None:
    """End the open appeals of erased people: the deductions stand. Repeatable."""
    for deduction_id, opener in await case_queries.open_by(tx, CaseKind.appeal, erased):
        deduction = await record_queries.lock(tx, Deduction, deduction_id)
        case = await case_queries.lock_of(tx, CaseKind.appeal, deduction_id, opener)
        assert deduction is not None, "no deduction is ever deleted"
        if case is not None and case.state in OPEN:
            await cases.end(tx, None, case)
            await records.move(tx, None, deduction, State.upheld, MOVES, NotAppealed)


ERASES = end_appeals


async def _tell(tx: Session, deduction: Deduction, kind: NoticeKind, **facts: Any) -> None:
    await notify.send(tx, deduction.person_id, kind, ("deduction", deduction.id), **facts)


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[DeductionOut]:
    """Return the person's deductions, newest first."""
    query = record_queries.where(Deduction, person_id=person_id)
    return await records.page(tx, query, Deduction, partial(_with_appeals, tx), asked)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, state: State | None, asked: PageParams
) -> Page[DeductionOut]:
    """Return the deductions of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    shown = partial(_with_appeals, tx)
    return await records.browse(
        tx, caller, people.READERS, org_id, Deduction, shown, asked, state=state
    )


async def _with_appeals(tx: Session, found: Sequence[Deduction]) -> list[DeductionOut]:
    """Return deductions with the appeals against them."""
    appeals = await case_queries.about(tx, CaseKind.appeal, [one.id for one in found])
    by_deduction = {case.subject_id: case for case in appeals}
    names = await naming.book(tx)
    return [_to_out(one, by_deduction.get(one.id), names) for one in found]


def _to_out(deduction: Deduction, case: Case | None, names: Book) -> DeductionOut:
    appeal = case.reason if case else None
    decision = case.answer if case else None
    shown = deduction.model_dump() | {"title": names.said(deduction.title)}
    return DeductionOut(**shown, appeal=appeal, decision=decision)
