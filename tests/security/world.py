"""Alice, her things, and everybody who might reach for them."""

import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID

import httpx

from app.models.cards import card_number
from app.models.orgs import Level, Org
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.http import bearer, keyed, log_in
from tests.factories.ledger import give_each
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_person, make_with_role
from tests.factories.rewards import Counter, make_counter
from tests.security import nouns

# These give a thing away when they stand in an answer.
_TELLING = ("id", "code", "pickup_code")
Things = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Ask:
    """What a request needs besides its method and path. ``ids`` fill the path of the route."""

    ids: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    files: dict[str, Any] | None = None  # fields of a form too, as (None, text)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """``home`` is a community below ``street``, with a sibling; Alice's things belong there."""

    api: httpx.AsyncClient
    runtime: Runtime
    home: Org
    shop: Counter
    alice: TestPerson
    user: str  # her name at the sandbox WeChat
    everybody: dict[str, TestPerson | None]
    _turns: Iterator[int] = field(default_factory=count)

    def free_time(self) -> timedelta:
        """Return how long from now a shift of up to two hours overlaps with no other one.

        Every call gives a time of its own, three hours after the one before, from tomorrow on:
        a person holds one shift at a time, and Alice gets several in a world.
        """
        return timedelta(days=1, hours=3 * next(self._turns))

    async def post(self, who: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Let one of them create something below /api/v1; return what the reply tells of it."""
        caller = self.everybody[who]
        assert caller is not None
        response = await self.api.post(f"/api/v1/{path}", headers=keyed(caller), json=body)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    async def things(self) -> Things:
        """Return every row that is Alice's."""
        parameters = {"alice": self.alice.id, "home": self.home.id}
        async with self.runtime.database.read() as tx:
            rows = await tx.fetch(_everything(), parameters)
        return sorted(((row.kind, row.thing) for row in rows), key=repr)


@cache
def _everything() -> str:
    """Return the SQL of all rows that are Alice's; on the driver it keeps its plan."""
    return " UNION ALL ".join(
        f"SELECT '{table}' AS kind, to_jsonb(t) AS thing FROM {table} t WHERE {condition}"  # noqa: S608
        for table, condition in nouns.hers().items()
    )


Maker = Callable[[World], Awaitable[Ask]]


def marks(things: Things) -> set[str]:
    """Return the words by which an answer would show one of these things."""
    found = {str(thing[name]) for _, thing in things for name in _TELLING if name in thing}
    numbers = {card_number(thing["serial"]) for kind, thing in things if kind == "cards"}
    return {mark for mark in found | numbers if len(mark) >= 8}  # not the serial of an account


async def make_world(api: httpx.AsyncClient, runtime: Runtime) -> World:
    street = await make_org(runtime)
    home, sibling = [
        await make_org(runtime, parent=street, level=Level.community) for _ in range(2)
    ]
    user = f"alice-{secrets.token_hex(8)}"
    login = await log_in(api, user)
    alice = TestPerson(
        UUID(login["person"]["id"]),
        login["person"]["display_name"],
        bearer(login["access_token"]),
    )
    shop, other = await make_counter(runtime, org=home), await make_counter(runtime)
    everybody = {
        "nobody": None,
        "alice": alice,
        "bob": await make_person(runtime),
        "counter": shop.staff,
        "rival": other.staff,
        "sibling": await make_with_role(runtime, Role.organizer, org=sibling.id),
        "parent": await make_with_role(runtime, Role.organizer, org=street.id),
        "auditor": await make_with_role(runtime, Role.auditor, org=street.id),
        "admin": await make_with_role(runtime, Role.administrator, org=street.id),
        "outsider": await _outsider(runtime, sibling.id, other.merchant.id),
    }
    assert tuple(everybody) == nouns.EVERYBODY
    people = [person.id for person in everybody.values() if person is not None]
    await give_each(runtime, people, 1000, home.id)
    return World(api, runtime, home, shop, alice, user, everybody)


async def _outsider(runtime: Runtime, org: UUID, merchant: UUID) -> TestPerson:
    person = await make_person(runtime)
    places: Sequence[tuple[Role, UUID | None, UUID | None]] = (
        (Role.organizer, org, None),
        (Role.auditor, org, None),
        (Role.administrator, org, None),
        (Role.merchant_staff, None, merchant),
    )
    async with runtime.database.transaction() as tx:
        for role, at_org, at_merchant in places:
            await appoint(tx, person.id, role, org=at_org, merchant=at_merchant)
    return person
