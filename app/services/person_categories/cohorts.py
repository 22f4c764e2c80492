"""Cohorts: lists of people by card or id, each with an outcome of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.core.db import Session
from app.queries import people as people_queries
from app.schemas.person_categories import CohortIn, CohortMemberOut, CohortOut, CohortOutcome
from app.services import people
from app.services.people import CardGuesses


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody on a list: as named there, and who it is; None: nobody."""

    card_no: str | None
    asked: UUID | None
    person_id: UUID | None


@dataclass(frozen=True, slots=True)
class Cohort:
    """A list, and its people who may be given something: known, and not the caller."""

    named: list[Named]
    members: list[UUID]
    own: set[UUID]


async def read(tx: Session, caller: UUID, body: CohortIn, guesses: CardGuesses) -> Cohort:
    """Find the people of a list; numbers of nobody are guesses. Raises what ``guesses`` raises."""
    numbers = list(dict.fromkeys(body.card_nos))
    holders = await people.by_card(tx, numbers, guesses)
    named = [Named(one, None, holders.get(one)) for one in numbers]
    named += [Named(None, one, one) for one in dict.fromkeys(body.person_ids)]
    asked = sorted({one.person_id for one in named if one.person_id is not None})
    standing, own = await people_queries.active(tx, asked), await people.own(tx, caller)
    return Cohort(named, [one for one in asked if one in standing and one not in own], own)


def told(cohort: Cohort, outcomes: Mapping[UUID, CohortOutcome]) -> CohortOut:
    """Return the outcome of each name; ``outcomes``: of the members."""
    items = [
        CohortMemberOut(
            card_no=one.card_no, person_id=one.asked, outcome=_outcome(one, cohort, outcomes)
        )
        for one in cohort.named
    ]
    changed = (CohortOutcome.added, CohortOutcome.renewed)
    return CohortOut(items=items, added=sum(one in changed for one in outcomes.values()))


def _outcome(one: Named, cohort: Cohort, outcomes: Mapping[UUID, CohortOutcome]) -> CohortOutcome:
    if one.person_id is None:
        return CohortOutcome.unknown
    if one.person_id in cohort.own:
        return CohortOutcome.own
    return outcomes.get(one.person_id, CohortOutcome.unknown)
