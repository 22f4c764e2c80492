"""Which servers speak WeChat's protocol: Tencent's, or the sandbox in this process."""

import httpx
from fastapi import FastAPI

from app.core.redis import Redis
from app.core.settings import Settings
from app.integrations.wechat_sandbox.pushing import Pusher
from app.integrations.wechat_sandbox.routes import create_sandbox


def sandbox(settings: Settings, redis: Redis) -> FastAPI | None:
    """Return the sandbox, None where messages go to WeChat."""
    if settings.wechat != "sandbox":
        return None
    pusher = _pusher(settings)
    return create_sandbox(redis, settings.wechat_appid, settings.wechat_secret, pusher)


def client(settings: Settings, sandboxed: FastAPI | None) -> httpx.AsyncClient:
    """Return the client of the servers. The sandbox is asked by the same HTTP, without a socket."""
    if sandboxed is None:
        return httpx.AsyncClient(base_url=settings.wechat_base_url)
    transport = httpx.ASGITransport(sandboxed)
    return httpx.AsyncClient(base_url="http://wechat.sandbox", transport=transport)


def _pusher(settings: Settings) -> Pusher | None:
    """Return the sandbox's sender of events, to the URL that WeChat would use."""
    if settings.wechat_push is None:
        return None
    url = f"{settings.public_url}/api/v1/wechat/pushes"
    return Pusher(url, *settings.wechat_push, settings.wechat_appid)
