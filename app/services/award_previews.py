"""Previews of awards: what the caps would leave now of an award, for a person."""

from dataclasses import dataclass
from uuid import UUID

from app.core.db import Session
from app.core.language import named
from app.core.validation_messages import invalid
from app.queries.awards import granting as queries
from app.queries.awards.granting import OnceAsked
from app.schemas.award_previews import AwardPreviewOut, RoomOut
from app.services import audit, orgs, people
from app.services.awards import caps
from app.services.awards.proposals import ProposalItem, minutes, mistakes_in, worth
from app.services.ledger import moments
from app.services.people import CardGuesses
from app.services.policies import history


@dataclass(frozen=True, slots=True)
class PreviewQuery:
    """The award in question. Neither ``person_id`` nor ``card_no``: the caller's own."""

    org_id: UUID
    rule_key: str
    person_id: UUID | None
    card_no: str | None
    quantity: int
    grade: str | None
    points: int | None


async def preview(
    tx: Session, caller: UUID, asked: PreviewQuery, guesses: CardGuesses
) -> AwardPreviewOut:
    """Return what the caps leave; a look at somebody else leaves an entry in the audit trail.

    Raises OrgNotFound, Forbidden, PersonNotFound, Invalid, and what ``guesses`` raises.
    """
    org = await orgs.get(tx, asked.org_id)
    person_id = await _person(tx, caller, asked, org.path, guesses)
    at = await moments.recorded(tx)
    policy = await history.in_force(tx, org.path, at)
    rule = policy.rule(asked.rule_key)
    if rule is None:
        raise invalid("query.rule_key", "没有生效的这条规则", "no such rule in force")
    line = ProposalItem(person_id, asked.quantity, {}, asked.grade, asked.points)
    for mistake in mistakes_in(rule, [line]):
        if mistake.field in ("grade", "points"):
            raise invalid(f"query.{mistake.field}", mistake.zh, mistake.en)
    if person_id != caller:
        await audit.write_about(tx, caller, "viewed", ("person", person_id), org.id)
    tallies = await queries.tallies(tx, [person_id], caps.spans(at))
    earned = tallies.get((person_id, policy.unit_id), {})
    had = False
    if rule.per in caps.ONCE:
        scope = caps.once(rule, org.id, at)
        had = bool(await queries.had(tx, [OnceAsked(person_id, policy.unit_id, rule.key, scope)]))
    points = worth(rule, line)
    left, reason = caps.apply_caps(policy, rule, points, earned, had=had)
    return AwardPreviewOut(
        rule_key=rule.key,
        rule_name=named(rule.name, rule.name_en),
        points=points,
        points_if_approved_now=left,
        minutes=minutes(rule, line),
        reason=reason,
        reviewers=policy.release(rule, "manual").reviewers_for(points),
        caps=[_room(room) for room in caps.rooms(policy, rule, earned)],
    )


async def _person(
    tx: Session, caller: UUID, asked: PreviewQuery, org_path: str, guesses: CardGuesses
) -> UUID:
    """Return who is named.

    Raises PersonNotFound, PersonMerged; Forbidden unless it is the caller, or the caller organizes.
    """
    if asked.card_no is None and asked.person_id in (None, caller):
        return caller
    await people.require_role(tx, caller, people.ORGANIZERS, org_path)
    if asked.person_id is not None and asked.card_no is not None:
        raise invalid("query.card_no", "不能与 person_id 同时填写", "not beside person_id")
    found = asked.person_id
    if asked.card_no is not None:
        found = (await people.by_card(tx, [asked.card_no], guesses)).get(asked.card_no)
    if found is None:
        raise people.PersonNotFound
    await people.require_known(tx, [found])
    return found


def _room(room: caps.Room) -> RoomOut:
    scope, _, period = room.reason.value.partition("_")
    return RoomOut(
        scope="emergency" if room.is_emergency else "rule" if scope == "cap" else "all_rules",
        period=period,
        limit=room.cap,
        used=room.used,
        left=room.left,
    )
