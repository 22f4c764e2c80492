"""Awards by hand: proposed by an organizer for up to 500 people, all or none.

``batches`` handles them row by row. Proposed awards wait for reviewers: see ``review``.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Invalid, Refusal
from app.core.ids import new_id
from app.core.language import Bilingual
from app.core.normalize import normalized
from app.core.validation_messages import invalid
from app.models.awards import AwardState
from app.models.notices import NoticeKind
from app.models.orgs import Org
from app.models.quotas import QuotaKind
from app.queries.awards import reviewing as queries
from app.schemas.awards.proposals import AwardsIn, AwardsOut, PersonAwardOut
from app.schemas.policies.documents import Rule
from app.services import audit, notify, people, quotas, records
from app.services.awards.granting import Grant, Granted, grant
from app.services.awards.wording import message, tell_reviewers, to_out
from app.services.ledger import moments
from app.services.people import CardGuesses
from app.services.policies import history, rules
from app.services.policies.rules import PointsPolicy
from app.services.quotas import QuotaUsed


class NumberUsed(Refusal):
    """``fields``: the evidence fields of the numbers."""

    code, status, title = "awards.number_used", 409, "Evidence number used"
    zh, en = "该编号已用于其他积分申报", "This evidence number was used in another proposal."


class TooManyProposals(QuotaUsed):
    code = "awards.too_many_proposals"
    zh, en = "您今天的申报次数已达上限", "You have proposed as often as one day allows."


# Of one person on one day. A proposal holds up to 500 people, and others review each of them.
MAX_PROPOSALS_A_DAY = 200


@dataclass(frozen=True, slots=True)
class ProposalItem:
    """One person's part of a proposal. ``grade``, ``points``: choices that the rule offers."""

    person_id: UUID
    quantity: int
    evidence: dict[str, str]
    grade: str | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """An error in a line. ``line`` is the index in the list."""

    line: int
    field: str
    zh: str
    en: str

    @property
    def msg(self) -> Bilingual:
        return Bilingual(self.zh, self.en)


async def propose(tx: Session, caller: UUID, body: AwardsIn, guesses: CardGuesses) -> AwardsOut:
    """Propose awards: pending until others approve.

    Raises OrgNotFound, Forbidden, OrgClosed, PersonNotFound, PersonMerged, Invalid, NumberUsed,
    TooManyProposals, and what ``guesses`` raises.
    """
    basis = await authorized(tx, caller, body.org_id, body.rule_key)
    lines = [
        ProposalItem(person_id, body.quantity, body.evidence, body.grade, body.points)
        for person_id in await _people(tx, body, guesses)
    ]
    if mistakes := list(mistakes_in(basis.rule, lines)):
        # All lines have the same values: report each error once.
        fields = dict.fromkeys((one.field, one.msg) for one in mistakes)
        raise Invalid(fields=[{"field": f"body.{field}", "msg": msg} for field, msg in fields])
    proposal = new_id()
    if used := await claim_numbers(tx, basis, proposal, lines):
        msg = Bilingual("该编号已用于其他申报", "used in another proposal")
        names = dict.fromkeys(name for name, _ in sorted(used))
        raise NumberUsed(fields=[{"field": f"body.evidence.{name}", "msg": msg} for name in names])
    given = await give(tx, caller, basis, proposal, lines)
    return AwardsOut(
        items=[
            PersonAwardOut(
                person_id=one.award.person_id,
                award=to_out(one.award),
                points_if_approved_now=one.left,
            )
            for one in given
        ]
    )


async def _people(tx: Session, body: AwardsIn, guesses: CardGuesses) -> Sequence[UUID]:
    """Return who is named. Raises PersonMerged, and PersonNotFound, which says of which cards."""
    if body.card_nos is None:
        named = body.person_ids or []
        await people.require_known(tx, named)
        return named
    holders = await people.by_card(tx, body.card_nos, guesses)
    if unknown := [n for n, one in enumerate(body.card_nos) if one not in holders]:
        msg = Bilingual("查无此卡", "nobody has it")
        raise people.PersonNotFound(
            fields=[{"field": f"body.card_nos.{n}", "msg": msg} for n in unknown]
        )
    return [holders[one] for one in body.card_nos]


@dataclass(frozen=True, slots=True)
class Basis:
    """A rule in force at an organisation where the caller may propose."""

    org_id: UUID
    policy: PointsPolicy
    rule: Rule


async def authorized(tx: Session, caller: UUID, org_id: UUID, rule_key: str) -> Basis:
    """Return the basis of a proposal, at an organisation that is not closed before the commit.

    Raises OrgNotFound, Forbidden, OrgClosed, or Invalid without such a rule.
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, org_id)
    return await basis_at(tx, org, rule_key)


async def basis_at(tx: Session, org: Org, rule_key: str) -> Basis:
    """Return the basis at an organisation. Raises Invalid without such a rule."""
    policy = await history.in_force(tx, org.path)
    rule = policy.rule(rule_key)
    if rule is None:
        raise invalid("body.rule_key", "没有生效的这条规则", "no such rule in force")
    return Basis(org.id, policy, rule)


async def claim_numbers(
    tx: Session, basis: Basis, proposal: UUID, lines: Sequence[ProposalItem]
) -> set[tuple[str, str]]:
    """Claim the evidence numbers of lines without mistakes; return those used before."""
    numbers = sorted({pair for line in lines for pair in numbers_of(basis.rule, line)})
    if not numbers:
        return set()
    return await queries.claim_numbers(
        tx, unit=basis.policy.unit_id, rule=basis.rule.key, proposal=proposal, numbers=numbers
    )


async def give(
    tx: Session, caller: UUID, basis: Basis, proposal: UUID, lines: Sequence[ProposalItem]
) -> list[Granted]:
    """Write lines without mistakes, whose numbers are claimed, as one proposal.

    Raises TooManyProposals.
    """
    at = await moments.moment(tx)
    kind, limit = QuotaKind.proposals, MAX_PROPOSALS_A_DAY
    await quotas.take(tx, caller, kind, limit, now(), TooManyProposals)
    grants = [
        Grant(
            reference=f"manual:{proposal}:{place}",
            person_id=line.person_id,
            org_id=basis.org_id,
            policy=basis.policy,
            rule=basis.rule,
            points=worth(basis.rule, line),
            minutes=minutes(basis.rule, line),
            proof="manual",
            title=basis.rule.name,
            evidence=line.evidence,
            proposed_by=caller,
            proposal_id=proposal,
        )
        for place, line in enumerate(lines)
    ]
    given = await grant(tx, grants, at)
    awards = [one.award for one in given]
    subject = ("proposal", proposal)
    facts: audit.Facts = {"rule": basis.rule.key, "awards": len(awards)}
    await audit.write_about(tx, caller, "proposed", subject, basis.org_id, facts=facts)
    paid = [message(one) for one in awards if one.points and one.state is AwardState.available]
    await notify.send_each(tx, NoticeKind.award_paid, paid)
    await tell_reviewers(tx, awards)
    return given


def mistakes_in(rule: Rule, lines: Sequence[ProposalItem]) -> Iterator[Mistake]:
    """Check lines against the rule, without database access."""
    personal = [field for field, of in rule.unique.items() if of == "person"]
    seen = Counter(
        (field, normalized(line.evidence[field]))
        for line in lines
        for field in personal
        if field in line.evidence
    )
    wanted = rules.demanded(rule)
    for place, line in enumerate(lines):
        for asked in rule.evidence:
            if asked.partition(">=")[0] in wanted and (why := _missing(asked, line.evidence)):
                yield Mistake(place, f"evidence.{asked.split('>=')[0]}", *why)
        for field in personal:
            if seen[field, normalized(line.evidence.get(field, ""))] > 1:
                yield Mistake(
                    place, f"evidence.{field}", "多人使用同一编号", "names several people"
                )
        if line.grade is not None and line.grade not in rule.grades:
            known = ", ".join(rule.grades) or "–"
            yield Mistake(
                place, "grade", f"规则的等级为：{known}", f"the rule has these grades: {known}"
            )
        if line.points is not None and not rule.points <= line.points <= (rule.up_to or 0):
            most = f"{rule.points}–{rule.up_to}" if rule.up_to else f"{rule.points}"
            yield Mistake(place, "points", f"规则分值为 {most}", f"the rule gives {most}")


def _missing(asked: str, evidence: dict[str, str]) -> tuple[str, str] | None:
    """Return the error in the evidence for one demand: ``rating`` or ``checkin>=10``."""
    name, _, least = asked.partition(">=")
    if not normalized(evidence.get(name, "")):
        return "必填", "required"
    if least and not (evidence[name].isascii() and evidence[name].isdecimal()):
        return "应为整数", "expected a whole number"
    if least and int(evidence[name]) < int(least):
        return f"规则要求至少 {least}", f"the rule asks for at least {least}"
    return None


def worth(rule: Rule, line: ProposalItem) -> int:
    """Return the points of a line before caps."""
    each = line.points or rule.points if line.grade is None else rule.grades[line.grade]
    return each * line.quantity


def minutes(rule: Rule, line: ProposalItem) -> int:
    """Return the minutes of service of a line."""
    return line.quantity * 60 if rule.hours else 0


def numbers_of(rule: Rule, line: ProposalItem) -> Iterator[tuple[str, str]]:
    """Yield the numbers (field, number) that count once."""
    for field in rule.unique:
        yield field, normalized(line.evidence[field])
