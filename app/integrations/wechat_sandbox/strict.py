"""The sandbox's routes: JSON bodies without duplicate keys, replies that are not stored."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

NO_STORE = {"Cache-Control": "no-store"}


class StrictRequest(Request):
    """A request whose JSON body has no duplicate keys. FastAPI calls ``json`` to parse it."""

    async def json(self) -> Any:
        return parsed(await self.body())


class Route(APIRoute):
    """A path of the sandbox: reads bodies strictly, and its replies are not stored."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            response = await handler(StrictRequest(request.scope, request.receive))
            response.headers.update(NO_STORE)
            return response

        return handle


def parsed(body: bytes) -> Any:
    """Parse JSON. Raises ValueError, also for a key that is there twice; RecursionError."""
    return json.loads(body, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise json.JSONDecodeError("duplicate key", "", 0)
    return found
