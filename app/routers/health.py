"""Probes for operators."""

from typing import Literal

from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from app.api.access import PROBE, allow
from app.api.deps import AppRuntime
from app.api.routes import Router
from app.core.metrics import exposition
from app.core.redis import RedisDown
from app.services import health

router = Router(root="", tags=["health"])


class Alive(BaseModel):
    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """``degraded``: the service works, without what Redis gives."""

    status: Literal["ok", "degraded"]
    database: Literal["ok"]
    migrations: Literal["current"]
    redis: Literal["ok", "down"]


@router.get("/healthz", operation_id="isAlive", **allow(PROBE))
async def is_alive() -> Alive:
    """The process lives."""
    return Alive()


@router.get("/readyz", operation_id="isReady", **allow(PROBE, health.NotReady))
async def is_ready(runtime: AppRuntime) -> Ready:
    """PostgreSQL answers and the schema is current; Redis down is only degraded."""
    async with runtime.database.read() as tx:
        await health.require_current_schema(tx)
    try:
        await runtime.boards.generation()
    except RedisDown:
        return Ready(status="degraded", database="ok", migrations="current", redis="down")
    return Ready(status="ok", database="ok", migrations="current", redis="ok")


@router.get("/metrics", operation_id="getMetrics", response_class=PlainTextResponse, **allow(PROBE))
async def get_metrics() -> PlainTextResponse:
    """Prometheus metrics; keep them off the internet at the front proxy."""
    body, content_type = exposition()
    return PlainTextResponse(body, media_type=content_type, headers={"Cache-Control": "no-store"})
