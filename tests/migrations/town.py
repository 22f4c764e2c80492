"""扬中市 for the script of the past: people with phones, a clock that moves, what was answered.

Only names that the release and the present code share are imported, so that ``past`` runs on
either.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from app.cli import ledger as ledger_cli
from app.cli import policies as policies_cli
from app.cli import roles as roles_cli
from app.core.clock import now
from app.core.settings import get_settings
from app.jobs.worker import jobs
from app.models.people import Role
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.clock import travel
from tests.factories.http import log_in

API = "/api/v1"
TOKEN_AGE = timedelta(minutes=10)  # an access token lives for 15 minutes
LOGIN_AGE = timedelta(days=20)  # a refresh token lives for 30 days
Json = dict[str, Any]


@dataclass
class Town:
    """Every request passes here; those under a key and their replies are kept."""

    api: httpx.AsyncClient
    runtime: Runtime
    end: datetime
    logins: dict[str, Json] = field(default_factory=dict)
    requests: list[Json] = field(default_factory=list)
    answers: list[Json] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)  # ids of what is not finished
    _since: dict[str, datetime] = field(default_factory=dict)

    @contextmanager
    def day(self, days_ago: float) -> Iterator[None]:
        """Move the clock to so many days before the end."""
        with travel(self.end - timedelta(days=days_ago), tick=True):
            yield

    async def log_in(self, user: str) -> Json:
        self.logins[user] = await log_in(self.api, user)
        self._since[user] = now()
        return self.logins[user]

    def id_of(self, user: str) -> str:
        return str(self.logins[user]["person"]["id"])

    async def headers(self, user: str | None) -> dict[str, str]:
        """Return the user's headers; a token that is too old is refreshed as a phone does."""
        if user is None:
            return {}
        since = self._since.get(user, datetime.min.replace(tzinfo=UTC))
        if now() - since > LOGIN_AGE:
            await self.log_in(user)
        elif now() - since > TOKEN_AGE:
            body = {"refresh_token": self.logins[user]["refresh_token"]}
            reply = await self.api.post(f"{API}/auth/refresh", json=body)
            assert reply.status_code == 200, reply.text
            self.logins[user], self._since[user] = reply.json(), now()
        return {"Authorization": f"Bearer {self.logins[user]['access_token']}"}

    async def send(
        self, method: str, user: str, path: str, want: int, body: Json | None = None, **form: Any
    ) -> Any:
        """Send a request with a key of its own, and keep both; ``form`` is a multipart form."""
        headers = await self.headers(user) | {"Idempotency-Key": str(uuid4())}
        request = self.api.build_request(method, API + path, headers=headers, json=body, **form)
        content = request.read()
        reply = await self.api.send(request)
        assert reply.status_code == want, f"{user} {method} {path}: {reply.text}"
        self.requests.append(
            {
                "user": user,
                "path": API + path,
                "key": headers["Idempotency-Key"],
                "type": request.headers.get("content-type"),
                "content": content.decode("utf-8", "surrogateescape"),
                "status": reply.status_code,
                "reply": reply.text,
            }
        )
        return reply.json() if reply.content else None

    async def post(self, user: str, path: str, body: Json | None = None, want: int = 201) -> Any:
        return await self.send("POST", user, path, want, {} if body is None else body)

    async def get(self, user: str | None, path: str, **query: Any) -> Any:
        reply = await self.api.get(API + path, headers=await self.headers(user), params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def record(self, user: str | None, path: str, **query: Any) -> Any:
        """Keep what is answered; of a list every page, by its cursors."""
        while True:
            request = self.api.build_request("GET", API + path, params=query)
            url = request.url.raw_path.decode()
            reply = await self.api.get(url, headers=await self.headers(user))
            is_json = "json" in reply.headers["content-type"]
            body: Any = reply.json() if is_json else reply.text
            self.answers.append(
                {"user": user, "url": url, "status": reply.status_code, "body": body}
            )
            if not is_json or not body.get("next_cursor"):
                return body
            query["cursor"] = body["next_cursor"]

    async def sql(self, *statements: str) -> None:
        """Do as the operator what no route does."""
        await as_owner(self.runtime.settings, *statements)

    async def run_jobs(self) -> None:
        for job in jobs():
            await job.run(self.runtime)

    async def appoint(self, user: str, role: Role, org: str) -> None:
        person = UUID((await self.log_in(user))["person"]["id"])
        await asyncio.to_thread(roles_cli.grant, person, role, org=org)

    async def open_unit(self, code: str, name: str) -> None:
        try:
            await asyncio.to_thread(ledger_cli.open_unit, code, name)
        except Exception as ended:
            raise AssertionError(f"{code} is not open") from ended

    async def publish(self, source: str, org: str, begins: datetime | None = None) -> None:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "policy.toml"
            file.write_text(source, encoding="utf-8")
            await asyncio.to_thread(policies_cli.publish, file, org, begins)

    async def with_keys(self) -> list[Json]:
        """Return the requests whose replies the service kept under their key."""
        async with self.runtime.database.read() as tx:
            found = await tx.execute(text("SELECT key FROM idempotency_keys"))
            keys = {row.key for row in found}
        return [one for one in self.requests if one["key"] in keys]

    def tell_commands(self) -> None:
        """Let the commands of the command line find our database."""
        settings = self.runtime.settings
        assert settings.secret_key is not None
        os.environ |= {
            "QX_DATABASE_URL": str(settings.database_url),
            "QX_MIGRATION_DATABASE_URL": str(settings.migration_database_url),
            "QX_REDIS_URL": str(settings.redis_url),
            "QX_SECRET_KEY": settings.secret_key.get_secret_value(),
        }
        get_settings.cache_clear()


def as_text(kept: Json) -> str:
    """Return JSON with a line for each thing that is kept, so that a difference can be read."""
    lines = []
    for name, value in kept.items():
        if isinstance(value, list):
            inner = ",\n".join(json.dumps(one, sort_keys=True) for one in value)
            lines.append(f'"{name}": [\n{inner}\n]')
        else:
            lines.append(f'"{name}": {json.dumps(value, sort_keys=True)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"
