"""Jobs that somebody started: how far they are, and what came of them."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Links, Reader
from app.api.operations import no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.started_jobs import StartedJobOut
from app.services import started_jobs
from app.services.people import Forbidden
from app.services.policy_simulations.asking import PolicySimulationNotFound
from app.services.started_jobs import JobNotFound

ABOUT = Bilingual("后台任务：进度与结果", "Jobs that were started: progress and result")
router = Router(tags=["started_jobs"], about=ABOUT)


@router.get(
    "/jobs/{job_id}",
    operation_id="getJob",
    **allow(RESIDENT, JobNotFound, Forbidden, PolicySimulationNotFound),
)
@no_store
async def get_job(
    job_id: PathId, tx: Reader, links: Links, person_id: CurrentPerson
) -> StartedJobOut:
    """Return a job to who started it: a simulation, a verification, a copy, an import.

    Its id is that in the reply that started it.
    """
    return await started_jobs.read(tx, links, person_id, job_id)
