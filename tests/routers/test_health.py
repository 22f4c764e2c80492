"""The probes of operators; tests/faults asks them while an engine is away."""

import re

import httpx
import pytest

from app.core.errors import Busy
from app.core.settings import Settings
from app.jobs import worker
from app.runtime import Runtime
from app.services import jobs
from tests.engines import as_owner
from tests.factories.jobs import all_ran

MATRIX = """
operation   rule   nobody alice bob  counter rival sibling parent auditor admin outsider
isAlive     probe  200    200   200  200     200   200     200    200     200   200
isReady     probe  200    200   200  200     200   200     200    200     200   200
getMetrics  probe  200    200   200  200     200   200     200    200     200   200
"""


async def test_every_probe_answers(api: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await api.get(path)).status_code == 200


async def overdue(api: httpx.AsyncClient) -> set[str]:
    """Return which jobs are overdue; readiness, worker and metrics agree."""
    response = await api.get("/readyz")
    body = response.json()
    found = {job["name"] for job in body["jobs"] if job["is_overdue"]}
    assert response.status_code == 200, "the api works without a worker"
    assert (body["status"], body["worker"]) == (("degraded", "overdue") if found else ("ok", "ok"))
    text = (await api.get("/metrics")).text
    assert {*re.findall(r'qingxiang_job_overdue\{job="(.+)"\} 1.0', text)} == found
    return found


async def test_readiness_tells_of_each_engine_and_job(
    api: httpx.AsyncClient, settings: Settings, runtime: Runtime
) -> None:
    await all_ran(settings, runtime)
    body = (await api.get("/readyz")).json()
    ages = body.pop("jobs")
    assert body == {
        "status": "ok",
        "database": "ok",
        "migrations": "current",
        "redis": "ok",
        "clock": "ok",
        "held_jobs": [],
        "worker": "ok",
        "replicas": [],
    }
    assert {job["name"] for job in ages} == {job.name for job in worker.jobs()}
    assert all(job["age_s"] < jobs.LEAST_S for job in ages)


@pytest.mark.parametrize(
    ("ago", "late"),
    [
        ({"outbox": 50}, set()),  # a hundred of its intervals, but less than a minute
        ({"outbox": 70}, {"outbox"}),
        ({"seal_days": 170}, set()),
        ({"seal_days": 190, "leaderboards": 90}, {"seal-days", "leaderboards"}),
        ({"forget": 3 * 3600 - 60}, set()),
        ({"forget": 3 * 3600 + 60}, {"forget"}),
        ({"outbox": -3600}, set()),  # the clock of the database was an hour ahead
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else str(len(value)),
)
async def test_a_job_that_has_not_run_for_some_intervals_is_overdue(
    api: httpx.AsyncClient,
    settings: Settings,
    runtime: Runtime,
    ago: dict[str, int],
    late: set[str],
) -> None:
    await all_ran(settings, runtime, **ago)
    assert await overdue(api) == late
    text = (await api.get("/metrics")).text
    for name, seconds in ago.items():
        [age] = re.findall(rf'job_age_seconds\{{job="{name.replace("_", "-")}"\}} (.+)', text)
        assert max(seconds, 0) <= float(age) < max(seconds, 0) + 30


async def test_a_job_that_never_ran_is_overdue(
    api: httpx.AsyncClient, settings: Settings, runtime: Runtime
) -> None:
    await all_ran(settings, runtime)
    await as_owner(settings, "DELETE FROM job_runs WHERE name = 'seal-days'")
    assert await overdue(api) == {"seal-days"}
    body = (await api.get("/readyz")).json()
    assert [job["age_s"] for job in body["jobs"] if job["is_overdue"]] == [None]


async def test_a_job_of_another_release_is_of_no_account(
    api: httpx.AsyncClient, settings: Settings, runtime: Runtime
) -> None:
    await all_ran(settings, runtime)
    old = "INSERT INTO job_runs VALUES ('gone', '2020-01-01 00:00Z') ON CONFLICT DO NOTHING"
    await as_owner(settings, old)
    assert await overdue(api) == set()


async def test_metrics_are_rendered_while_postgres_is_away(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Busy

    monkeypatch.setattr(jobs, "ages", away)
    response = await api.get("/metrics")
    assert response.status_code == 200
    assert "qingxiang_job_overdue" not in response.text


async def test_metrics_are_kept_by_nobody(api: httpx.AsyncClient) -> None:
    response = await api.get("/metrics")
    assert response.headers["cache-control"] == "no-store"
    assert "qingxiang_" in response.text
