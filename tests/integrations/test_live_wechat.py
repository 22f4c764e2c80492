"""QX_WECHAT=live behaves as the sandbox does: the whole application, over a real socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI

from tests.conftest import ScratchFactory
from tests.factories.http import assert_refused


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application that is already started on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_a_live_client_logs_in_at_a_running_sandbox(
    app: FastAPI, api: httpx.AsyncClient, scratch: ScratchFactory
) -> None:
    async with (
        served(app) as url,
        scratch(wechat="live", wechat_base_url=f"{url}/sandbox/wechat") as live,
        httpx.AsyncClient(transport=httpx.ASGITransport(live), base_url="http://live") as client,
    ):
        made = await api.post("/sandbox/wechat/codes", json={"user": "live-user"})
        code = made.json()["code"]

        first = await client.post("/api/v1/auth/wechat", json={"code": code})
        again = await client.post("/api/v1/auth/wechat", json={"code": code})

        assert first.status_code == 200
        assert first.json()["is_new"] is True
        assert_refused(again, 401, "auth.code_invalid")
        # Live means live: this process offers no sandbox.
        assert_refused(
            await client.post("/sandbox/wechat/codes", json={"user": "x"}),
            404,
            "request.unknown_route",
        )


async def test_a_live_client_tells_wechats_troubles_apart(
    app: FastAPI, api: httpx.AsyncClient, scratch: ScratchFactory
) -> None:
    async with (
        served(app) as url,
        scratch(wechat="live", wechat_base_url=f"{url}/sandbox/wechat") as live,
        httpx.AsyncClient(transport=httpx.ASGITransport(live), base_url="http://live") as client,
    ):
        for errcode, status, code in (
            (40226, 403, "auth.user_at_risk"),
            (45011, 429, "auth.wechat_limited"),
            (40013, 503, "auth.wechat_unavailable"),
        ):
            await api.post(
                "/sandbox/wechat/script",
                json={"path": "/sns/jscode2session", "errcode": errcode, "times": 1},
            )
            reply = await client.post("/api/v1/auth/wechat", json={"code": "whatever"})
            assert_refused(reply, status, code)
