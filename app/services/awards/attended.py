"""Awards by attendance whose rule asks for more: its evidence is added while reviewers wait."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from app.core.db import Session
from app.core.errors import Invalid, Refusal
from app.core.language import Bilingual
from app.models.awards import Award, AwardState
from app.queries.awards import granting as queries
from app.queries.awards import reviewing as reviewing_queries
from app.schemas.awards.reading import AwardListOut
from app.schemas.awards.review import AwardEvidenceIn
from app.schemas.policies.documents import Rule
from app.services import audit, people
from app.services.awards import announced
from app.services.awards.proposals import (
    Basis,
    NumberUsed,
    ProposalItem,
    claim_numbers,
    mistakes_in,
)
from app.services.awards.review import AwardNotPending, OwnAward, organized
from app.services.awards.wording import to_out

WAITING = (AwardState.pending, AwardState.pending_budget)


class EvidenceThere(Refusal):
    code, status, title = "awards.evidence_there", 409, "Evidence there"
    zh, en = "该积分记录已有材料", "This award has its evidence."


async def add_evidence(tx: Session, caller: UUID, body: AwardEvidenceIn) -> AwardListOut:
    """Add the same evidence to several awards: all or none.

    Whoever drafted the activity may add it; reviewers see it, and approve none without it. Raises
    AwardNotFound, OwnAward, AwardNotPending, EvidenceThere, Invalid, NumberUsed.
    """
    found = {one.id: one for one in await queries.lock_many(tx, body.award_ids)}
    groups: dict[tuple[UUID | None, str], list[Award]] = defaultdict(list)
    for award_id in body.award_ids:
        award = await organized(tx, caller, found.get(award_id))
        if await people.is_any_of(tx, caller, award.person_id):
            raise OwnAward
        if award.state not in WAITING or not award.reviews_needed or award.release_at is not None:
            raise AwardNotPending(status=award.state)
        if not await announced.lacks_evidence(tx, award):
            raise EvidenceThere
        groups[award.proposal_id, award.rule_key].append(award)
    for (proposal, _), awards in groups.items():
        assert proposal is not None, "a rule that asks for evidence has somebody who proposes"
        await _add(tx, proposal, awards, body.evidence)
        subject = ("proposal", proposal)
        await audit.write_about(tx, caller, "evidence_added", subject, awards[0].org_id)
    return AwardListOut(items=[to_out(found[one]) for one in body.award_ids])


async def _add(
    tx: Session, proposal: UUID, awards: Sequence[Award], evidence: dict[str, str]
) -> None:
    """Check and write the evidence of awards of one activity. Raises Invalid, NumberUsed."""
    policy, rule = await announced.policy_of(tx, awards[0])
    lines = [ProposalItem(award.person_id, 1, evidence) for award in awards]
    wrong = {one.field: one.msg for one in mistakes_in(rule, lines)}
    if wrong:
        raise Invalid(fields=[{"field": f"body.{name}", "msg": msg} for name, msg in wrong.items()])
    basis = Basis(awards[0].org_id, policy, rule)
    used = await claim_numbers(tx, basis, proposal, lines[:1])
    used -= await _shared(tx, proposal, rule)
    if used:
        msg = Bilingual("该编号已用于其他申报", "used in another proposal")
        names = sorted({name for name, _ in used})
        raise NumberUsed(fields=[{"field": f"body.evidence.{name}", "msg": msg} for name in names])
    for award in awards:
        award.evidence = dict(evidence)
        await queries.save(tx, award)


async def _shared(tx: Session, proposal: UUID, rule: Rule) -> set[tuple[str, str]]:
    """Return the numbers that others of the same activity have named and may share."""
    known = await reviewing_queries.numbers_of_proposal(tx, proposal)
    return {(name, number) for name, number in known if rule.unique.get(name) == "batch"}
