"""Awards by hand: proposed by an organizer for up to 500 people, all of them or none.

``batches`` takes them row by row. What is proposed waits for others: see ``review``.
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
from app.queries import people as people_queries
from app.queries.awards import reviewing as queries
from app.queries.awards.granting import NewAward
from app.schemas.awards import AwardsIn, AwardsOut, PersonAwardOut
from app.schemas.policies import Rule
from app.services import audit, notify, people, records
from app.services.awards.granting import Grant, grant
from app.services.awards.wording import message, to_out
from app.services.policies import history, rules
from app.services.policies.rules import PointsPolicy


class NumberUsed(Refusal):
    """``fields`` name the numbers."""

    code, status, title = "awards.number_used", 409, "Evidence number used"
    zh, en = "该编号已用于其他积分申报", "This evidence number was used in another proposal."


@dataclass(frozen=True, slots=True)
class ProposalItem:
    """One person's part of a proposal. ``grade`` and ``points`` choose where the rule lets one."""

    person_id: UUID
    quantity: int
    evidence: dict[str, str]
    grade: str | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a line, by its place in the list."""

    line: int
    field: str
    zh: str
    en: str

    @property
    def msg(self) -> Bilingual:
        return Bilingual(self.zh, self.en)


async def propose(tx: Session, caller: UUID, body: AwardsIn) -> AwardsOut:
    """Propose awards: pending until others approve.

    Raises OrgNotFound, Forbidden, PersonNotFound, Invalid, NumberUsed.
    """
    basis = await authorized(tx, caller, body.org_id, body.rule_key)
    lines = [
        ProposalItem(person_id, body.quantity, body.evidence, body.grade, body.points)
        for person_id in body.person_ids
    ]
    if mistakes := list(mistakes_in(basis.rule, lines)):
        # The same for everybody: said once.
        fields = dict.fromkeys((one.field, one.msg) for one in mistakes)
        raise Invalid(fields=[{"field": f"body.{field}", "msg": msg} for field, msg in fields])
    if await people_queries.existing(tx, body.person_ids) != set(body.person_ids):
        raise people.PersonNotFound
    proposal = new_id()
    if used := await claim_numbers(tx, basis, proposal, lines):
        msg = Bilingual("该编号已用于其他申报", "used in another proposal")
        names = dict.fromkeys(name for name, _ in sorted(used))
        raise NumberUsed(fields=[{"field": f"body.evidence.{name}", "msg": msg} for name in names])
    given = await give(tx, caller, basis, proposal, lines)
    return AwardsOut(items=[PersonAwardOut(person_id=a.person_id, award=to_out(a)) for a in given])


@dataclass(frozen=True, slots=True)
class Basis:
    """A rule that is in force at an organisation for which the caller may propose."""

    org_id: UUID
    policy: PointsPolicy
    rule: Rule


async def authorized(tx: Session, caller: UUID, org_id: UUID, rule_key: str) -> Basis:
    """Raises OrgNotFound, Forbidden, or Invalid where there is no such rule."""
    org = await records.authorized(tx, caller, people.ORGANIZERS, org_id)
    policy = await history.in_force(tx, org.path)
    rule = policy.rule(rule_key)
    if rule is None:
        raise invalid("body.rule_key", "没有生效的这条规则", "no such rule in force")
    return Basis(org.id, policy, rule)


async def claim_numbers(
    tx: Session, basis: Basis, proposal: UUID, lines: Sequence[ProposalItem]
) -> set[tuple[str, str]]:
    """Use up the evidence numbers of lines without a mistake; return those used before."""
    numbers = sorted({pair for line in lines for pair in numbers_of(basis.rule, line)})
    if not numbers:
        return set()
    return await queries.claim_numbers(
        tx, unit=basis.policy.unit_id, rule=basis.rule.key, proposal=proposal, numbers=numbers
    )


async def give(
    tx: Session, caller: UUID, basis: Basis, proposal: UUID, lines: Sequence[ProposalItem]
) -> list[NewAward]:
    """Write lines without a mistake, whose numbers are claimed, as one proposal."""
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
    given = [one.award for one in await grant(tx, grants, now())]
    await audit.write_about(tx, caller, "proposed", ("proposal", proposal), basis.org_id)
    await _tell(tx, caller, basis.org_id, given)
    return given


async def _tell(tx: Session, caller: UUID, org_id: UUID, given: Sequence[NewAward]) -> None:
    """Tell who gets something at once, and those who may review the others: once for all."""
    paid = [message(one) for one in given if one.state is AwardState.available]
    await notify.send_each(tx, NoticeKind.award_paid, paid)
    waiting = [one for one in given if one.reviews_needed]
    if waiting:
        recipients = {one.person_id for one in waiting}
        await notify.send_to_deciders(
            tx,
            NoticeKind.proposals_waiting,
            org_id,
            but={caller} | (recipients if len(recipients) == 1 else set()),
            count=len(waiting),
            at_least=max(one.reviews_needed for one in waiting),
        )


def mistakes_in(rule: Rule, lines: Sequence[ProposalItem]) -> Iterator[Mistake]:
    """Check lines against what the rule asks for, without a look at the database."""
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
    """Say what is wrong with the evidence for one demand: ``rating`` or ``checkin>=10``."""
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
    """Name the numbers (field, number) that count once."""
    for field in rule.unique:
        yield field, normalized(line.evidence[field])
