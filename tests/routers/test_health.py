"""The probes of operators; tests/faults asks them while an engine is away."""

import httpx

MATRIX = """
operation   rule   nobody alice bob  counter rival sibling parent auditor admin outsider
isAlive     probe  200    200   200  200     200   200     200    200     200   200
isReady     probe  200    200   200  200     200   200     200    200     200   200
getMetrics  probe  200    200   200  200     200   200     200    200     200   200
"""


async def test_every_probe_answers(api: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await api.get(path)).status_code == 200


async def test_readiness_tells_of_each_engine(api: httpx.AsyncClient) -> None:
    assert (await api.get("/readyz")).json() == {
        "status": "ok",
        "database": "ok",
        "migrations": "current",
        "redis": "ok",
    }


async def test_metrics_are_kept_by_nobody(api: httpx.AsyncClient) -> None:
    response = await api.get("/metrics")
    assert response.headers["cache-control"] == "no-store"
    assert "qingxiang_" in response.text
