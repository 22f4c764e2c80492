"""A small world for one caller, so that generated requests reach what they name.

Everything that belongs to somebody belongs to the caller: its sign-ups, its redemptions,
the activities of its organisation, the charges of its counter. The test module of each noun
adds what its operations name.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.models.orgs import Org
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.http import keyed
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_organizer, make_people, make_person
from tests.factories.rewards import Counter, make_counter
from tests.security import nouns

API = "/api/v1"
# A phone's card codes live for a minute; these must not expire under way.
OUTLIVES_THE_RUN = timedelta(hours=1)
FEW, MANY = 4, 16
SEALED = timedelta(days=2)  # ago: that day is over
# Who calls. Nobody sends no token.
NOBODY, RESIDENT, STAFF = "nobody", "resident", Role.merchant_staff
ROLES: tuple[str, ...] = (NOBODY, RESIDENT, Role.organizer, STAFF, Role.auditor, Role.administrator)
# By the name of a parameter or field, what exists and the caller may name.
Known = Mapping[str, Sequence[str]]
# Changes a generated body so that it can succeed, where no dictionary of single values can.
Completion = Callable[[dict[str, Any], Known], None]


@dataclass(frozen=True)
class Setup:
    """What is there before any noun adds its own: ``caller`` has its role at ``org``.

    It and ``others`` have points of a day that is over.
    """

    runtime: Runtime
    api: httpx.AsyncClient
    role: str
    org: Org
    counter: Counter
    caller: TestPerson
    organizer: TestPerson
    others: list[TestPerson]

    async def post(self, person: TestPerson, path: str, **body: object) -> dict[str, str]:
        """Let somebody create something below /api/v1; return the reply's body."""
        plain = {k: str(v) if isinstance(v, UUID) else v for k, v in body.items()}
        reply = await self.api.post(API + path, headers=keyed(person), json=plain)
        assert reply.status_code == 201, reply.text
        made: dict[str, str] = reply.json()
        return made


@dataclass(frozen=True)
class World:
    """``completions`` by noun."""

    headers: dict[str, str] = field(repr=False)
    known: Known
    completions: Mapping[str, Completion] = field(default_factory=dict)


async def make_world(runtime: Runtime, api: httpx.AsyncClient, role: str) -> World:
    setup = await _make_setup(runtime, api, role)
    known: dict[str, list[str]] = {}
    completions: dict[str, Completion] = {}
    for noun, exports in nouns.modules().items():
        tell: Callable[[Setup], Awaitable[Known]] | None = exports.get("known")
        for name, values in (await tell(setup) if tell else {}).items():
            known[name] = [*known.get(name, ()), *values]
        if (complete := exports.get("completion")) is not None:
            completions[noun] = await complete(setup)
    return World({} if role == NOBODY else setup.caller.headers, known, completions)


async def _make_setup(runtime: Runtime, api: httpx.AsyncClient, role: str) -> Setup:
    org = await make_org(runtime)
    counter = await make_counter(runtime, org=org)
    caller = await _caller(runtime, role, org.id, counter.merchant.id)
    others = await make_people(runtime, FEW)
    for person in (caller, *others):
        await give_points(runtime, person.id, 100_000, org=org.id, at=now() - SEALED)
    organizer = await make_organizer(runtime, org.id)
    return Setup(runtime, api, role, org, counter, caller, organizer, others)


async def _caller(runtime: Runtime, role: str, org: UUID, merchant: UUID) -> TestPerson:
    caller = await make_person(runtime)
    async with runtime.database.transaction() as tx:
        if role == STAFF:
            await appoint(tx, caller.id, Role(role), merchant=merchant)
        elif role in set(Role):
            await appoint(tx, caller.id, Role(role), org=org)
    return caller
