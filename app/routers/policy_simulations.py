"""Simulations: what a draft would have given in a past period, computed by a job."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.api import exports
from app.api.access import ADMINISTRATOR, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to, takes_document
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.core.ratelimit import Limit
from app.schemas.base import Id
from app.schemas.policy_simulations import (
    PolicySimulationDetailOut,
    PolicySimulationOut,
    SimulatedPersonOut,
    SimulationIn,
)
from app.services.orgs import OrgNotFound
from app.services.policy_drafts import DraftInvalid
from app.services.policy_simulations import asking
from app.services.policy_simulations.asking import (
    PeopleFilter,
    PolicySimulationNotFound,
    SimulationNotDone,
    SimulationPeriodWrong,
    SimulationUnderWay,
    SimulationWrongState,
)

ABOUT = Bilingual(
    "积分管理办法的试算：按草案重算过去一段时间",
    "Simulations: a past period under a draft of points rules",
)
router = Router(prefix="/policies/simulations", tags=["policy_simulations"], about=ABOUT)
# Each keeps a worker busy and writes a row for each person: ten at once, then one in five minutes.
ASKS = replace(ADMINISTRATOR, limit=Limit("policy_simulation", burst=10, per_second=1 / 300))
OrgQuery = Annotated[Id | None, Query(description="Only those of this organisation.")]
MAX_BYTES = 320 * 1024
ASK = (OrgNotFound, DraftInvalid, SimulationPeriodWrong, SimulationUnderWay)


@router.post(
    "",
    status_code=202,
    operation_id="simulatePolicy",
    max_body_size=MAX_BYTES,
    **allow(ASKS, *ASK, body=True, once=True),
)
@leads_to("getPolicySimulation", {"simulation_id": "id"})
@takes_document(SimulationIn, "document")
async def simulate_policy(
    body: SimulationIn, tx: Tx, person_id: CurrentPerson
) -> PolicySimulationOut:
    """Ask for a simulation: what everybody would have earned under a document.

    A job runs it on one moment of the database; nothing is written to accounts. One at a time for
    each organisation; it is deleted seven days after its end.
    """
    return await asking.ask(tx, person_id, body)


@router.get("", operation_id="listPolicySimulations", **allow(ADMINISTRATOR, OrgNotFound))
async def list_policy_simulations(
    tx: Reader, person_id: CurrentPerson, page: PageQuery, org_id: OrgQuery = None
) -> Page[PolicySimulationOut]:
    """Return the simulations of an organisation, newest first; without `org_id` those of all."""
    return await asking.browse(tx, person_id, org_id, page)


exports.beside(router, list_policy_simulations, Bilingual("试算", "Simulations"))


@router.get(
    "/{simulation_id}",
    operation_id="getPolicySimulation",
    **allow(ADMINISTRATOR, PolicySimulationNotFound),
)
async def get_policy_simulation(
    simulation_id: PathId, tx: Reader, person_id: CurrentPerson
) -> PolicySimulationDetailOut:
    """Return the progress of a simulation and, once it is done, its result."""
    return await asking.get(tx, person_id, simulation_id)


@router.get(
    "/{simulation_id}/people",
    operation_id="listSimulatedPeople",
    **allow(ADMINISTRATOR, PolicySimulationNotFound, SimulationNotDone),
)
async def list_simulated_people(
    simulation_id: PathId,
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    points: Annotated[
        PeopleFilter | None, Query(description="Only people with `more`, `less` or the `same`.")
    ] = None,
) -> Page[SimulatedPersonOut]:
    """Return what everybody would have earned, once the simulation is done."""
    return await asking.list_people(tx, person_id, simulation_id, points, page)


async def _org_of(tx: Session, asked: dict[str, UUID]) -> UUID | None:
    return await asking.org_of(tx, asked["simulation_id"])


exports.beside(router, list_simulated_people, Bilingual("试算结果", "Simulation"), org=_org_of)


@router.post(
    "/{simulation_id}/cancel",
    operation_id="cancelPolicySimulation",
    **allow(ADMINISTRATOR, PolicySimulationNotFound, SimulationWrongState, once=True),
)
async def cancel_policy_simulation(
    simulation_id: PathId, tx: Tx, person_id: CurrentPerson
) -> PolicySimulationOut:
    """Cancel a simulation that waits or runs. It has no result then."""
    return await asking.cancel(tx, person_id, simulation_id)
