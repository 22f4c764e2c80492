"""A program: log in, fail and use secrets; the log goes to stderr, what was said to stdout.

Run by test_logging.py in a process of its own, because loggers keep the level that they
were first used with.
"""

import asyncio
import json
import sys
from typing import Any
from unittest.mock import patch

import httpx

from app.core.settings import Settings
from app.integrations.wechat.client import WechatSession
from app.main import create_app

CANARY = WechatSession(openid="canary-openid", unionid=None, session_key="canary-session-key")
KEY = "canary-idempotency-key"
NOTHING = "00000000-0000-0000-0000-000000000000"
FAILING = {
    "login": "app.queries.auth.insert_token",
    "card": "app.services.cards.CardCodeOut",
}


class Talk:
    """Calls the application; keeps every reply that must hold no secret."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.refused: list[str] = []

    async def ask(self, status: int, method: str, path: str, **options: Any) -> httpx.Response:
        response = await self.http.request(method, f"/api/v1{path}", **options)
        assert response.status_code == status, response.text
        if status >= 400:
            self.refused.append(response.text + str(response.headers))
        return response


async def use(talk: Talk, wechat: Any) -> dict[str, str]:
    """Log in, look around, make mistakes; return every secret that came up."""
    log_in = {"json": {"code": "canary-login-code"}}
    await talk.ask(401, "POST", "/auth/wechat", **log_in)
    with patch.object(wechat, "code_to_session", return_value=CANARY):
        first = (await talk.ask(200, "POST", "/auth/wechat", **log_in)).json()
        with patch(FAILING["login"], side_effect=RuntimeError("a bug")):
            await talk.ask(500, "POST", "/auth/wechat", **log_in)
    bearer = {"headers": {"Authorization": f"Bearer {first['access_token']}"}}
    card = (await talk.ask(200, "GET", "/me/card/code", **bearer)).json()
    with patch(FAILING["card"], side_effect=RuntimeError("a bug")):
        await talk.ask(500, "GET", "/me/card/code", **bearer)
    charge = {"card_code": card["code"], "points": 1}
    await talk.ask(403, "POST", "/merchant/charges", json=charge, **bearer)
    keyed = {"headers": bearer["headers"] | {"Idempotency-Key": KEY}}
    await talk.ask(404, "POST", "/redemptions", json={"reward_id": NOTHING}, **keyed)
    token = {"refresh_token": first["refresh_token"]}
    await talk.ask(422, "POST", "/auth/refresh", json={"refresh_token": [token["refresh_token"]]})
    await talk.ask(422, "POST", "/auth/refresh", json=token | {"more": token["refresh_token"]})
    second = (await talk.ask(200, "POST", "/auth/refresh", json=token)).json()
    await talk.ask(401, "POST", "/auth/refresh", json=token)
    logout = {"json": {"refresh_token": second["refresh_token"]}}
    await talk.ask(204, "POST", "/auth/logout", **logout, **bearer)
    await talk.ask(401, "GET", "/me", **bearer)
    await talk.ask(
        401, "GET", "/me", headers={"Authorization": bearer["headers"]["Authorization"] + "x"}
    )
    return {
        "openid": CANARY.openid,
        "session_key": CANARY.session_key,
        "login code": "canary-login-code",
        "refresh token": first["refresh_token"],
        "second refresh token": second["refresh_token"],
        "access token": first["access_token"],
        "card code": card["code"],
        "Idempotency-Key": KEY,
        "wechat secret": "canary-wechat-secret",
        "secret key": "canary-secret-key-of-32-bytes-and-more",
    }


async def main() -> None:
    application = create_app(Settings())
    async with application.router.lifespan_context(application):
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            talk = Talk(http)
            secrets = await use(talk, application.state.runtime.wechat)
            talk.refused.append((await http.get("/metrics")).text)
    json.dump({"secrets": secrets, "refused": talk.refused}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
