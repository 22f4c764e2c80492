"""Awards by hand: proposed by one, approved by another."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Invalid, Language, Refusal
from app.core.ids import new_id
from app.core.outcomes import single
from app.models.awards import AwardState
from app.models.ledger import Kind, Purpose
from app.models.people import Role
from app.queries import awards as queries
from app.queries import people as people_queries
from app.schemas.awards import AwardOut, AwardsIn, AwardsOut, PersonAwardOut
from app.services import ledger, orgs, people, policies
from app.services.awards.grant import (
    Grant,
    grant,
    lot_expiry,
    minutes_posting,
)
from app.services.awards.wording import shown
from app.services.ledger import AccountKey, Posting

# What the request itself proves; the other evidence is written down by the organizer.
PROVEN_BY_ATTENDANCE = {"checkin", "checkout"}


class AwardNotFound(Refusal):
    code, status, title = "awards.not_found", 404, "No such award"
    zh, en = "积分记录不存在", "There is no such award."


class AwardNotPending(Refusal):
    code, status, title = "awards.not_pending", 409, "Award not pending"
    zh, en = "该积分记录不在待审核状态", "This award is not pending."


class OwnProposal(Refusal):
    code, status, title = "awards.own_proposal", 403, "Own proposal"
    zh, en = "不能审核本人提交的积分", "Somebody else must approve what you proposed."


async def propose(tx: Session, caller: UUID, body: AwardsIn, language: Language) -> AwardsOut:
    """Award by hand: pending until somebody else approves.

    Raises OrgNotFound, Forbidden, PersonNotFound, Invalid.
    """
    org = await orgs.get(tx, body.org_id)
    await people.require_role(tx, caller, [Role.organizer, Role.administrator], org.path)
    rules = await policies.in_force(tx)
    rule = rules.rules.get(body.rule_key)
    if rule is None:
        raise Invalid(fields=[{"field": "body.rule_key", "msg": "no such rule in force"}])
    # ``checkin>=10`` asks for ten check-ins: the field is called ``checkin``.
    asked = {name.split(">=")[0] for name in rule.evidence if name not in PROVEN_BY_ATTENDANCE}
    missing = sorted(asked - body.evidence.keys())
    if missing:
        raise Invalid(fields=[{"field": f"body.evidence.{n}", "msg": "required"} for n in missing])
    if await people_queries.existing(tx, body.person_ids) != set(body.person_ids):
        raise people.PersonNotFound
    grants = [
        Grant(
            reference=f"manual:{new_id()}",
            person_id=person_id,
            org_id=org.id,
            rule=rule,
            points=rule.points * body.quantity,
            minutes=body.quantity * 60 if policies.counts_hours(rule) else 0,
            state=AwardState.pending,
            title=rule.name_zh,
            evidence=body.evidence,
            proposed_by=caller,
        )
        for person_id in body.person_ids
    ]
    given = [one.award for one in await grant(tx, grants, rules, now())]
    return AwardsOut(
        items=[PersonAwardOut(person_id=a.person_id, award=shown(a, language)) for a in given]
    )


async def approve(tx: Session, caller: UUID, award_id: UUID, language: Language) -> AwardOut:
    """Release a pending award. Raises AwardNotFound, OwnProposal, AwardNotPending."""
    award = await queries.find(tx, award_id, lock=True)
    if award is None:
        raise AwardNotFound
    org = await orgs.get(tx, award.org_id)
    reviewers = [Role.organizer, Role.administrator]
    if not await people_queries.has_role_at(tx, caller, reviewers, org.path):
        raise AwardNotFound
    if award.proposed_by == caller:
        raise OwnProposal
    if not await queries.settle(
        tx,
        award_id,
        before=AwardState.pending,
        state=AwardState.available,
        approved_by=caller,
    ):
        raise AwardNotPending
    at = now()
    rules = await policies.in_force(tx, at)
    title = f"审核通过：{rules.rules[award.rule_key].name_zh}"
    postings = []
    if award.points:
        posting = Posting(
            id=new_id(),
            payer=AccountKey(award.person_id, Purpose.pending),
            payee=AccountKey(award.person_id, Purpose.available),
            amount=award.points,
            kind=Kind.release,
            reason=title,
            reference=f"release:{award.id}",
            source_type="award",
            source_id=award.id,
            org_id=award.org_id,
            closes_id=award.id,
            expires_at=lot_expiry(rules, at),
        )
        postings.append(posting)
    if award.minutes:
        postings.append(minutes_posting(award, title))
    for outcome in await ledger.post(tx, postings, at):
        single([outcome])
    award.state = AwardState.available
    return shown(award, language)
