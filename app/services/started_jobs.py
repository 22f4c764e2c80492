"""Started jobs: one read over all work that somebody asked for, for who asked.

Each kind keeps its own table and its own read. An import of divisions is done when it answers: its
entry in the audit trail stands for it.
"""

from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.links import SignedLinks
from app.models.policy_simulations import PolicySimulationState as SimulationState
from app.models.verifications import VerificationState
from app.queries import audit as audit_queries
from app.queries import policy_simulations as simulation_queries
from app.queries import verifications as verification_queries
from app.schemas.org_imports import OrgImportSumOut
from app.schemas.started_jobs import JobKind, JobState, StartedJobOut
from app.services import data_copies, verifications
from app.services.org_imports import IMPORTED
from app.services.policy_simulations import asking

STATES: dict[str, JobState] = {
    SimulationState.cancelled: JobState.failed,
    VerificationState.ok: JobState.done,
    VerificationState.findings: JobState.done,
    VerificationState.interrupted: JobState.failed,
}


class JobNotFound(Refusal):
    code, status, title = "jobs.not_found", 404, "No such job"
    zh, en = "任务不存在或已清除", "There is no such job, or it is deleted by now."


async def read(tx: Session, links: SignedLinks, caller: UUID, job_id: UUID) -> StartedJobOut:
    """Return a job that the caller started. Raises JobNotFound, and what the read of its kind does.

    That is Forbidden or PolicySimulationNotFound, for who lost the role meanwhile.
    """
    if (simulation := await simulation_queries.find(tx, job_id)) is not None:
        _require(caller, simulation.created_by)
        shown = await asking.get(tx, caller, job_id)
        done, total = shown.people_done, shown.people_total or 0
        return _to_out(job_id, JobKind.policy_simulation, shown.state, (done, total), shown)
    if (verification := await verification_queries.find(tx, job_id)) is not None:
        _require(caller, verification.created_by)
        report = await verifications.read(tx, caller, job_id)
        steps = (report.steps_done, report.steps_total)
        return _to_out(job_id, JobKind.verification, report.state, steps, report)
    for copy in (await data_copies.mine(tx, links, caller)).items:
        if copy.id == job_id:
            state = JobState.done if copy.ready_at else JobState.waiting
            return _to_out(job_id, JobKind.data_copy, state, (0, 0), copy)
    entry = await audit_queries.find(tx, job_id)
    if entry is None or entry.verb != IMPORTED:
        raise JobNotFound
    _require(caller, entry.actor_id)
    counts = OrgImportSumOut(org_id=entry.subject_id, **entry.facts)
    return _to_out(job_id, JobKind.org_import, JobState.done, (0, 0), counts)


def _require(caller: UUID, started_by: UUID | None) -> None:
    if started_by != caller:
        raise JobNotFound


def _to_out(
    job_id: UUID, kind: JobKind, state: str, parts: tuple[int, int], result: Any
) -> StartedJobOut:
    """``parts``: how many are done, of how many; 0: not known."""
    told = JobState(STATES.get(state, state))
    done, total = parts
    progress = 100 if told is JobState.done else 100 * done // total if total else 0
    has_ended = told in (JobState.done, JobState.failed)
    shown = result if has_ended else None
    return StartedJobOut(id=job_id, kind=kind, state=told, progress=progress, result=shown)
