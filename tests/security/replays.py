"""The operations that take an Idempotency-Key, and whether a repeated request is the same one."""

from functools import cache
from importlib import import_module

import httpx

from app.api.access import AccessRule
from app.api.routes import Route
from tests.security import nouns
from tests.security.world import World


@cache
def operations() -> frozenset[str]:
    """Return the operations of all routers that demand a key."""
    return frozenset(
        str(route.operation_id)
        for noun in nouns.modules()
        for route in import_module(nouns.ROUTERS + noun).router.routes
        if isinstance(route, Route)
        and isinstance(rule := route.guard, AccessRule)
        and (rule.once or rule.once_in_batch)
    )


async def differences(world: World, first: httpx.Response) -> list[str]:
    """Send the request of a reply again, with its key; return what is not as it was."""
    before = await world.things()
    again = await world.api.send(first.request)
    found = {
        "status": again.status_code == first.status_code,
        "body": again.content == first.content,
        "replayed": again.headers.get("idempotency-replayed") == "true",
        "things": await world.things() == before,
    }
    return [what for what, is_same in found.items() if not is_same]
