"""Probes and metrics."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Literal

from fastapi.responses import PlainTextResponse
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from pydantic import BaseModel, Field

from app.api.access import PROBE, allow
from app.api.deps import AppRuntime, JobIntervals
from app.api.routes import Router
from app.core.db import Database
from app.core.db_errors import Retry
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.metrics import exposition
from app.core.redis import RedisDown
from app.core.replicas import Replicas
from app.integrations.leaderboards import Boards
from app.services import health, jobs
from app.services.health import Condition
from app.services.jobs import JobAge

# Metrics are rendered without those of the jobs when PostgreSQL takes longer: a scrape is
# wanted most when the service is overloaded.
METRICS_PATIENCE_S = 2.0

ABOUT = Bilingual("运行状态与监控指标", "Probes and metrics")
router = Router(root="", tags=["health"], about=ABOUT)


class Alive(BaseModel):
    status: Literal["ok"] = Field(default="ok", description="Always `ok`.")


class ReadyJob(BaseModel):
    """``age_s``: seconds since its last completed run; null if there was none."""

    name: str = Field(description="Name of the job.")
    age_s: float | None = Field(
        description="Seconds since its last completed run; null: there was none."
    )
    is_overdue: bool = Field(description="Whether that is too long ago.")


class ReadyReplica(BaseModel):
    """``number``: its place in QX_DATABASE_READ_URLS, from 1. ``staleness_s``: null if unknown."""

    number: int = Field(description="Its place in `QX_DATABASE_READ_URLS`, from 1.")
    staleness_s: float | None = Field(description="Seconds that it is behind; null: unknown.")
    is_used: bool = Field(description="Whether it is read from.")


class Ready(BaseModel):
    """``degraded``: the service works, except for what needs Redis, the right time or a job.

    So too while a read replica is not used; the primary answers in its place.

    ``clock``: ``wrong`` if points do not move because this process's clock and PostgreSQL's
    differ. ``held_jobs`` do not run because the clock has jumped.
    """

    status: Literal["ok", "degraded"] = Field(
        description="`degraded`: something below is not as it should be."
    )
    database: Literal["ok"] = Field(default="ok", description="PostgreSQL answers.")
    migrations: Literal["current"] = Field(
        default="current", description="The schema is that of this version."
    )
    redis: Literal["ok", "down"] = Field(description="Whether Redis answers.")
    clock: Literal["ok", "wrong"] = Field(
        description="`wrong`: the clock here and that of PostgreSQL differ."
    )
    held_jobs: list[str] = Field(
        description="Names of the jobs that wait because the clock jumped."
    )
    worker: Literal["ok", "overdue"] = Field(description="`overdue`: a job has not run in time.")
    jobs: list[ReadyJob] = Field(description="Every job and its last run.")
    replicas: list[ReadyReplica] = Field(description="Every read replica.")


@router.get("/healthz", operation_id="isAlive", **allow(PROBE))
async def is_alive() -> Alive:
    """Liveness: the process answers."""
    return Alive()


@router.get("/readyz", operation_id="isReady", **allow(PROBE, health.NotReady))
async def is_ready(runtime: AppRuntime, intervals: JobIntervals) -> Ready:
    """Readiness: PostgreSQL answers and the schema is current.

    `degraded` without Redis, while the clock is wrong, while a job is held or overdue, or while
    a read replica is not used.
    """
    async with runtime.database.read() as tx:
        condition = await health.condition(tx)
        ages = await jobs.ages(tx, intervals)
    return _ready(await _redis(runtime.boards), condition, ages, runtime.replicas)


@router.get("/metrics", operation_id="getMetrics", response_class=PlainTextResponse, **allow(PROBE))
async def get_metrics(runtime: AppRuntime, intervals: JobIntervals) -> PlainTextResponse:
    """Prometheus metrics; block them at the front proxy."""
    body, content_type = exposition(await _job_metrics(runtime.database, intervals))
    return PlainTextResponse(body, media_type=content_type, headers={"Cache-Control": "no-store"})


def _ready(
    redis: Literal["ok", "down"], condition: Condition, ages: list[JobAge], replicas: Replicas
) -> Ready:
    is_overdue = any(job.is_overdue for job in ages)
    is_good = redis == "ok" and condition.is_good and not is_overdue
    each = [
        ReadyReplica(number=number, staleness_s=one.staleness_s, is_used=one.is_fresh)
        for number, one in enumerate(replicas.each, start=1)
    ]
    return Ready(
        status="ok" if is_good and all(one.is_used for one in each) else "degraded",
        redis=redis,
        clock=condition.clock,
        held_jobs=condition.held_jobs,
        worker="overdue" if is_overdue else "ok",
        jobs=[ReadyJob.model_validate(job, from_attributes=True) for job in ages],
        replicas=each,
    )


async def _redis(boards: Boards) -> Literal["ok", "down"]:
    try:
        await boards.generation()
    except RedisDown:
        return "down"
    return "ok"


async def _job_metrics(database: Database, intervals: Mapping[str, float]) -> Iterable[Metric]:
    """Return the gauges of the jobs; none while PostgreSQL is away or the schema is not current."""
    try:
        async with asyncio.timeout(METRICS_PATIENCE_S), database.read() as tx:
            await health.require_current_schema(tx)
            found = await jobs.ages(tx, intervals)
    except (Refusal, Retry, TimeoutError):
        return ()
    age = GaugeMetricFamily(
        "qingxiang_job_age_seconds", "Time since a job's last completed run.", labels=["job"]
    )
    overdue = GaugeMetricFamily(
        "qingxiang_job_overdue", "1 if a job has not run for too long, or never.", labels=["job"]
    )
    for job in found:
        overdue.add_metric([job.name], job.is_overdue)
        if job.age_s is not None:
            age.add_metric([job.name], job.age_s)
    return age, overdue
