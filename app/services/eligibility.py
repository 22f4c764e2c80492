"""Eligibility: who may sign up to an activity, by age, home, tier of the card and consent."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from app.core.clock import age_on, local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.validation_messages import invalid
from app.queries import eligibility as queries
from app.queries import orgs as org_queries
from app.queries import tiers as tier_queries
from app.queries.eligibility import PersonFacts
from app.schemas.eligibility import EligibilityIn, EligibilityRule, eligibility_of
from app.services import people, tiers
from app.services.policies import history
from app.services.policies.rules import TIER_WINDOW, PointsPolicy

ADULT = 18
UNKNOWN = "unknown"


class NotEligible(Refusal):
    """Facts: the ``rule`` that is not met, what it ``wanted`` and what was ``seen``, as text.

    Of a rule about a guardian's consent, and of one of whose subject nothing is known, ``seen`` is
    ``unknown``.
    """

    code, status, title = "signups.not_eligible", 403, "Not eligible"
    zh, en = "您不符合报名条件", "You do not meet what is asked of who signs up."
    fact_names = ("rule", "wanted", "seen")

    def sentence(self) -> Bilingual:
        words = _WORDS[self.facts["rule"]]
        wanted = self.facts["wanted"]
        return Bilingual(words.zh.format(wanted=wanted), words.en.format(wanted=wanted))


_WORDS = {
    EligibilityRule.min_age: Bilingual("须年满 {wanted} 周岁", "Only from {wanted} years on."),
    EligibilityRule.max_age: Bilingual("须不超过 {wanted} 周岁", "Only up to {wanted} years."),
    EligibilityRule.guardian_consent: Bilingual(
        "须先由监护人同意", "A guardian has to agree first."
    ),
    EligibilityRule.org: Bilingual("限 {wanted} 居民", "Only for residents of {wanted}."),
    EligibilityRule.tiers: Bilingual(
        "限青享卡等级：{wanted}", "Only for cards of these tiers: {wanted}."
    ),
}


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read for a batch. ``homes``: path and name of organisations."""

    today: date
    people: Mapping[UUID, PersonFacts]
    homes: Mapping[UUID, tuple[str, str]]
    policies: Mapping[UUID, PointsPolicy]
    earned: Mapping[tuple[UUID, int], tuple[int, int]]
    kept_tiers: Mapping[tuple[UUID, int], str]


class Demanding(Protocol):
    """An activity, as rows of several statements have it."""

    @property
    def id(self) -> UUID: ...
    @property
    def eligibility(self) -> str | None: ...


def needs_guardian() -> NotEligible:
    """Return the refusal of who is under 14, without a guardian's consent (PIPL 31)."""
    return NotEligible(
        rule=EligibilityRule.guardian_consent, wanted=EligibilityRule.guardian_consent, seen=UNKNOWN
    )


async def require_consent(tx: Session, person_id: UUID) -> None:
    """Raise NotEligible for who is under 14, without a guardian's consent.

    For what one person does: sign-ups and check-ins read it with the statement of their batch.
    """
    facts = (await queries.people(tx, [person_id]))[person_id]
    if people.is_under_14(facts.born) and not facts.consented:
        raise needs_guardian()


async def refusals(
    tx: Session, asked: Sequence[tuple[UUID, Demanding]]
) -> dict[tuple[UUID, UUID], NotEligible]:
    """Return what people (person, activity) are refused with, those alone who are not eligible.

    In at most seven statements for any number.
    """
    demands = {seats.id: eligibility_of(seats.eligibility) for _, seats in asked}
    known = await _read(tx, sorted({person for person, _ in asked}), demands)
    found = {
        (person, seats.id): _refusal(known, person, seats.id, demands[seats.id])
        for person, seats in asked
    }
    return {key: one for key, one in found.items() if one is not None}


async def _read(tx: Session, ids: Sequence[UUID], demands: Mapping[UUID, EligibilityIn]) -> _Known:
    facts = await queries.people(tx, ids)
    named = sorted({one.org_id for one in demands.values() if one.org_id is not None})
    homes: dict[UUID, tuple[str, str]] = {}
    if named:
        paths, names = await org_queries.paths_of(tx, named), await org_queries.names_of(tx, named)
        homes = {one: (paths[one], names[one][1]) for one in named if one in paths}
    by_tier = [activity for activity, one in demands.items() if one.tiers]
    policies: dict[UUID, PointsPolicy] = {}
    earned: dict[tuple[UUID, int], tuple[int, int]] = {}
    kept: dict[tuple[UUID, int], str] = {}
    at = now()
    if by_tier:
        published = await history.load(tx)
        places = await queries.places(tx, by_tier)
        policies = {one: published.policy(at, path) for one, path in places.items()}
        earned = await queries.earned(tx, ids, at - TIER_WINDOW)
        kept = await tier_queries.kept(tx, ids)
    return _Known(local_date(at), facts, homes, policies, earned, kept)


def _refusal(
    known: _Known, person: UUID, activity: UUID, wanted: EligibilityIn
) -> NotEligible | None:
    facts = known.people[person]
    age = age_on(facts.born, known.today) if facts.born else None
    if wanted.min_age is not None and (age is None or age < wanted.min_age):
        return _not(EligibilityRule.min_age, wanted.min_age, age)
    if wanted.max_age is not None and (age is None or age > wanted.max_age):
        return _not(EligibilityRule.max_age, wanted.max_age, age)
    if wanted.minors_need_consent and age is not None and age < ADULT and not facts.consented:
        return needs_guardian()
    if wanted.org_id is not None:
        path, name = known.homes.get(wanted.org_id, (None, UNKNOWN))
        if path is None or facts.path is None or not facts.path.startswith(path):
            return _not(EligibilityRule.org, name, facts.org)
    if wanted.tiers:
        policy = known.policies[activity]
        key = (person, policy.unit_id)
        tier = tiers.held(policy, known.earned.get(key, (0, 0)), known.kept_tiers.get(key))
        if tier.key not in wanted.tiers:
            return _not(EligibilityRule.tiers, ", ".join(wanted.tiers), tier.key)
    return None


def _not(rule: EligibilityRule, wanted: object, seen: object) -> NotEligible:
    return NotEligible(rule=rule, wanted=str(wanted), seen=UNKNOWN if seen is None else str(seen))


async def require_known(tx: Session, org_path: str, wanted: EligibilityIn) -> None:
    """Raise Invalid for an organisation that is not there, or a tier that the policy has not."""
    if wanted.org_id is not None and await org_queries.find(tx, wanted.org_id) is None:
        raise invalid("body.eligibility.org_id", "组织不存在", "no such organisation")
    if wanted.tiers:
        policy = await history.in_force(tx, org_path)
        if unknown := _unknown(policy, wanted.tiers):
            raise invalid(
                "body.eligibility.tiers", f"没有等级 {unknown}", f"no such tier: {unknown}"
            )


def _unknown(policy: PointsPolicy, keys: Collection[str]) -> str:
    known = {tier.key for tier in policy.document.tiers}
    return ", ".join(one for one in keys if one not in known)
