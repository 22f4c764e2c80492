"""Simulations of drafts: asked for by administrators, run by a job, read when they are whole.

``policies simulate`` of the command line does the same at once, without a limit of the period.
"""

from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from app.core.clock import BEGINNING, local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id, keyset
from app.models.policy_simulations import PolicySimulation
from app.models.policy_simulations import PolicySimulationState as State
from app.queries import policy_simulations as queries
from app.queries.policy_simulations import Named
from app.schemas.policy_simulations import (
    PolicySimulationDetailOut,
    PolicySimulationOut,
    SimulatedPersonOut,
    SimulationIn,
    SimulationResultOut,
)
from app.services import audit, people, policy_drafts
from app.services.awards.simulation import MOST_CHANGED
from app.services.people import Forbidden
from app.services.policies import publishing
from app.services.policies.reading import PolicyInvalid
from app.services.records import WrongState
from app.services.retention import SIMULATIONS_KEPT

MAX_DAYS = 366
NOUN = "policy_simulation"
MOVES = {State.waiting: {State.cancelled}, State.running: {State.cancelled}}


class PeopleFilter(StrEnum):
    """Whose points the draft raises, lowers, or leaves."""

    more = "more"
    less = "less"
    same = "same"


_FILTERS = {
    PeopleFilter.more: queries.gains,
    PeopleFilter.less: queries.loses,
    PeopleFilter.same: queries.keeps,
}


class PolicySimulationNotFound(Refusal):
    code, status, title = "policy_simulations.not_found", 404, "No such simulation"
    zh, en = "试算不存在或已清除", "There is no such simulation, or it is deleted by now."


class SimulationUnderWay(Refusal):
    code, status, title = "policy_simulations.under_way", 409, "One is under way"
    zh, en = "已有一次试算在进行，请等待或先取消", "One is under way already: wait, or cancel it."
    fact_names = ("simulation_id", "status")


class SimulationPeriodWrong(Refusal):
    """Facts: since when there is a past, and the most ``days`` of a period."""

    code, status, title = "policy_simulations.wrong_period", 422, "Not a period of the past"
    zh, en = "试算期间须在过去，且不超过 366 天", "It takes at most 366 days of the past."
    fact_names = ("opens_at", "limit", "measure")


class SimulationNotDone(Refusal):
    code, status, title = "policy_simulations.not_done", 409, "Not done"
    zh, en = "试算尚未完成，没有结果", "The simulation has no result: it is not done."
    fact_names = ("status",)


class SimulationWrongState(WrongState):
    code = "policy_simulations.wrong_state"


async def ask(tx: Session, caller: UUID, body: SimulationIn) -> PolicySimulationOut:
    """Ask for a simulation, which a job runs; one at a time for each organisation.

    Raises OrgNotFound, Forbidden, SimulationPeriodWrong, DraftInvalid, SimulationUnderWay.
    """
    org = await policy_drafts.place(tx, caller, body.org_id)
    first, last = _period(body.first_day, body.last_day)
    source = policy_drafts.source_of(body)
    try:
        await publishing.check_at(tx, source, org, now())
    except PolicyInvalid as invalid:
        raise policy_drafts.refused(invalid) from None
    new = {
        "org_id": body.org_id,
        "created_by": caller,
        "source": source,
        "first_day": first,
        "last_day": last,
    }
    made = await queries.add(tx, new)
    if made is None:
        raise await _under_way(tx, body.org_id)
    facts: audit.Facts = {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "sha256": sha256(source.encode()).hexdigest(),
    }
    await audit.write_about(tx, caller, "created", (NOUN, made.id), made.org_id, facts=facts)
    return _to_out(made)


async def browse(
    tx: Session, caller: UUID, org_id: UUID | None, asked: PageParams
) -> Page[PolicySimulationOut]:
    """Return the simulations of an organisation, newest first. Raises OrgNotFound, Forbidden."""
    await policy_drafts.place(tx, caller, org_id)
    return await by_id(
        asked, lambda before, limit: queries.page(tx, org_id, before, limit), _to_out
    )


async def get(tx: Session, caller: UUID, simulation_id: UUID) -> PolicySimulationDetailOut:
    """Return a simulation, with its result when it is done. Raises PolicySimulationNotFound."""
    found = await _mine(tx, caller, await queries.find(tx, simulation_id))
    changed = await queries.most_changed(tx, found.id, MOST_CHANGED) if found.result else []
    return PolicySimulationDetailOut(
        **_to_out(found).model_dump(),
        result=SimulationResultOut.model_validate(found.result) if found.result else None,
        most_changed=[_person(one) for one in changed],
    )


async def list_people(
    tx: Session,
    caller: UUID,
    simulation_id: UUID,
    wanted: PeopleFilter | None,
    asked: PageParams,
) -> Page[SimulatedPersonOut]:
    """Return what everybody would have earned.

    Raises PolicySimulationNotFound, SimulationNotDone: what is half done is not shown.
    """
    found = await _mine(tx, caller, await queries.find(tx, simulation_id))
    if found.state != State.done:
        raise SimulationNotDone(status=found.state)
    changed = _FILTERS[wanted]() if wanted is not None else None
    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: queries.people_page(
            tx, found.id, changed, after[0] if after else None, limit
        ),
        _person,
        lambda row: (row[0].person_id,),
    )


async def cancel(tx: Session, caller: UUID, simulation_id: UUID) -> PolicySimulationOut:
    """Cancel a simulation that waits or runs.

    Raises PolicySimulationNotFound, SimulationWrongState.
    """
    found = await _mine(tx, caller, await queries.lock(tx, simulation_id))
    before = found.state
    if State.cancelled not in MOVES.get(State(before), ()):
        raise SimulationWrongState(status=before)
    found.state, found.ended_at = State.cancelled, now()
    await queries.save(tx, found)
    await queries.forget_people(tx, found.id)
    await audit.write_about(
        tx, caller, "moved", (NOUN, found.id), found.org_id, before=before, after=found.state
    )
    return _to_out(found)


async def org_of(tx: Session, simulation_id: UUID) -> UUID | None:
    """Return whose simulation it is. Raises PolicySimulationNotFound."""
    found = await queries.find(tx, simulation_id)
    if found is None:
        raise PolicySimulationNotFound
    return found.org_id


def _period(first: date, last: date) -> tuple[date, date]:
    """Return the part of a period that is past. Raises SimulationPeriodWrong."""
    earliest, today = local_date(BEGINNING), local_date(now())
    first, last = max(first, earliest), min(last, today)
    if first > last or (last - first).days >= MAX_DAYS:
        raise SimulationPeriodWrong(opens_at=midnight(earliest), limit=MAX_DAYS, measure="days")
    return first, last


async def _under_way(tx: Session, org_id: UUID | None) -> SimulationUnderWay:
    found = await queries.under_way(tx, org_id)
    if found is None:  # it has ended since
        return SimulationUnderWay()
    return SimulationUnderWay(simulation_id=found.id, status=found.state)


async def _mine(tx: Session, caller: UUID, found: PolicySimulation | None) -> PolicySimulation:
    """Return a simulation of a place that the caller administers."""
    if found is None:
        raise PolicySimulationNotFound
    try:
        await policy_drafts.place(tx, caller, found.org_id)
    except Forbidden:
        raise PolicySimulationNotFound from None
    return found


def _to_out(one: PolicySimulation) -> PolicySimulationOut:
    shown: dict[str, Any] = {
        name: getattr(one, name)
        for name in PolicySimulationOut.model_fields.keys() - {"forgotten_at"}
    }
    ended_at = one.ended_at
    return PolicySimulationOut(
        **shown, forgotten_at=ended_at + SIMULATIONS_KEPT if ended_at else None
    )


def _person(row: Named) -> SimulatedPersonOut:
    one, name = row
    return SimulatedPersonOut(
        **one.model_dump(exclude={"simulation_id"}),
        display_name=people.masked(name),
        change=one.points_draft - one.points_now,
    )
