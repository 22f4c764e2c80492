"""The operations that take an Idempotency-Key, and whether a repeated request does more."""

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


# Writes without a key that do more when they are repeated, and why that is harmless.
MORE_EACH_TIME = {
    "createActivity": "a second draft is seen before it is published",
    "makeHandoverCode": "another code replaces the first",
    "sendDeviceEvents": "the device was seen later; the events count once",
    "uploadScans": "as sendDeviceEvents",
    "writeShiftNote": "the same text was written later",
}


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


async def does_more(world: World, first: httpx.Response) -> bool:
    """Send a request without a key again; tell whether that changed something of Alice's."""
    before = await world.things()
    await world.api.send(first.request)
    return await world.things() != before
