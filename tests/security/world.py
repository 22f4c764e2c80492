"""Alice, her things, and everybody who might reach for them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from app.models.cards import card_number
from app.models.orgs import Level, Org
from app.models.people import Role
from app.queries import notices, people
from app.queries.notices import NewNotice
from app.runtime import Runtime
from tests.factories.http import bearer, log_in
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_person, make_with_role
from tests.factories.rewards import Counter, make_counter

# The columns of the matrix. ``outsider`` holds every role, each at a wrong place.
EVERYBODY = (
    *("nobody", "alice", "bob", "counter", "rival"),
    *("sibling", "parent", "auditor", "admin", "outsider"),
)
# What is Alice's, by table: whoever has no right to it neither sees nor changes it.
_HERS = {
    "people": "id = :alice",
    "cards": "person_id = :alice",
    "card_codes": "person_id = :alice",
    "role_grants": "person_id = :alice",
    "token_families": "person_id = :alice",
    "refresh_tokens": "family_id IN (SELECT id FROM token_families WHERE person_id = :alice)",
    "signups": "person_id = :alice",
    "checkins": "person_id = :alice",
    "awards": "person_id = :alice",
    "deductions": "person_id = :alice",
    "redemptions": "person_id = :alice",
    "charges": "person_id = :alice",
    "notices": "person_id = :alice",
    "ledger_accounts": "owner_id = :alice",
    "activities": "org_id = :home AND status = 'draft'",
}
_STATE = text(
    " UNION ALL ".join(
        f"SELECT '{table}' AS kind, to_jsonb(t) AS thing FROM {table} t WHERE {hers}"  # noqa: S608
        for table, hers in _HERS.items()
    )
)
# These give a thing away when they stand in an answer.
_TELLING = ("id", "code", "pickup_code")
Things = list[tuple[str, dict[str, Any]]]


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

    async def things(self) -> Things:
        """Return every row that is Alice's."""
        parameters = {"alice": self.alice.id, "home": self.home.id}
        async with self.runtime.database.read() as tx:
            rows = (await tx.execute(_STATE, parameters)).all()
        return sorted(((row.kind, row.thing) for row in rows), key=repr)


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
    for person in everybody.values():
        if person is not None:
            await give_points(runtime, person.id, 1000, org=home.id)
    await _notice(runtime, alice.id)
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
            await people.grant_role(tx, person.id, role, org=at_org, merchant=at_merchant)
    return person


async def _notice(runtime: Runtime, person: UUID) -> None:
    async with runtime.database.transaction() as tx:
        # No message of the outbox has a negative number.
        number = -secrets.randbelow(2**60)
        await notices.insert(tx, NewNotice(person, "promoted", number, text="候补成功"))
