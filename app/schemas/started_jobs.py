"""Wire shapes of started jobs: work of the worker that somebody asked for."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from app.schemas.base import Out
from app.schemas.data_copies import DataCopyOut
from app.schemas.org_imports import OrgImportSumOut
from app.schemas.policy_simulations import PolicySimulationDetailOut
from app.schemas.verifications import VerificationOut


class JobKind(StrEnum):
    policy_simulation = "policy_simulation"
    verification = "verification"
    data_copy = "data_copy"
    org_import = "org_import"


class JobState(StrEnum):
    """``failed``: also cancelled or interrupted."""

    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"


class StartedJobOut(Out):
    """A job, of whatever kind. ``result`` is what the read of its kind returns."""

    id: UUID = Field(description="Id of the job: that of the simulation, the copy and so on.")
    kind: JobKind = Field(description="What the job makes.")
    state: JobState = Field(description="`failed`: also one that was cancelled or interrupted.")
    progress: int = Field(ge=0, le=100, description="How much is done, in percent.")
    result: PolicySimulationDetailOut | VerificationOut | DataCopyOut | OrgImportSumOut | None = (
        Field(description="What came of it, by `kind`; null until it has ended.")
    )
