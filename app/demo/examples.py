"""Examples of replies for the OpenAPI document, from the demonstration's month and the tour.

One for each operation and status, written to ``app/data/examples.json``. Lists are cut to their
first two items, tokens to their first characters.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.demo import tour
from app.demo.phone import AT_ONCE, Network
from app.demo.stage import Stage

SHOWN = 2  # items of a list
TOKEN = 12  # characters of a token
_SECRET = {"access_token", "refresh_token", "secret"}


@dataclass
class Examples:
    """``found``: by operation and status, the reply with the most values so far.

    ``paths``: the pattern and the operation id of each method and path of the document.
    """

    paths: list[tuple[str, re.Pattern[str], str]] = field(default_factory=list)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def learn(self, client: httpx.AsyncClient) -> None:
        """Read the operations from the served document."""
        document = (await client.get("/openapi.json")).json()
        for path, methods in document["paths"].items():
            pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + "$")
            for method, operation in methods.items():
                self.paths.append((method.upper(), pattern, operation["operationId"]))
        self.paths.sort(key=lambda one: "[^/]+" in one[1].pattern)  # literal paths first

    async def note(self, response: httpx.Response) -> None:
        """Keep a reply if it says more than those before. An event hook of the client."""
        if not response.is_success or "json" not in response.headers.get("content-type", ""):
            return
        operation = self._operation(response.request)
        if operation is None or not await response.aread():
            return
        reply, status = _cut(response.json()), str(response.status_code)
        before = self.found.setdefault(operation, {}).get(status)
        if before is None or _values(reply) > _values(before):
            self.found[operation][status] = reply

    def write(self, file: Path) -> None:
        text = json.dumps(self.found, ensure_ascii=False, indent=1, sort_keys=True)
        file.write_text(text + "\n", encoding="utf-8")

    def _operation(self, request: httpx.Request) -> str | None:
        for method, pattern, operation in self.paths:
            if method == request.method and pattern.match(request.url.path):
                return operation
        return None


async def keep(examples: Examples, place: Stage) -> None:
    """Make the tour on a server with the demonstration data, noting its replies."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=place.url, limits=limits, timeout=30.0) as client:
        client.event_hooks = {"response": [examples.note]}
        await tour.travel(Network(client))


def _cut(value: Any, name: str = "") -> Any:
    if isinstance(value, list):
        return [_cut(one) for one in value[:SHOWN]]
    if isinstance(value, dict):
        return {key: _cut(one, key) for key, one in value.items()}
    return f"{value[:TOKEN]}…" if name in _SECRET else value


def _values(reply: Any) -> int:
    """Count the values of a reply that are not null."""
    if isinstance(reply, list):
        return sum(map(_values, reply))
    if isinstance(reply, dict):
        return sum(map(_values, reply.values()))
    return reply is not None
