"""People for tests, with an access token, without WeChat."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.core.clock import now
from app.core.db import Session
from app.core.ids import new_id
from app.models.auth import TokenFamily
from app.models.cards import Card
from app.models.people import Person, Role
from app.queries import auth as auth_queries
from app.queries import people as queries
from app.runtime import Runtime
from app.services import roles

_numbers = count(1)


@dataclass(frozen=True)
class TestPerson:
    """A person. ``headers`` authenticate requests."""

    __test__ = False

    id: UUID
    name: str
    headers: dict[str, str] = field(repr=False)


async def make_person(runtime: Runtime, name: str = "王小四") -> TestPerson:
    async with runtime.database.transaction() as tx:
        return await _add(runtime, tx, name)


async def _add(runtime: Runtime, tx: Session, name: str = "王小四") -> TestPerson:
    openid = _openid(runtime)
    person_id = await queries.add(
        tx,
        openid_index=runtime.cipher.indexes(openid)[0],
        openid_sealed=runtime.cipher.seal(openid),
        display_name=name,
    )
    assert person_id is not None
    return _logged_in(runtime, person_id, name, await auth_queries.start_family(tx, person_id))


async def make_people(runtime: Runtime, number: int, name: str = "王小四") -> list[TestPerson]:
    """Make several people as ``make_person`` makes one, in few statements."""
    people = [_values(runtime, name) for _ in range(number)]
    families = [{"id": new_id(), "person_id": one["id"]} for one in people]
    cards = [{"person_id": one["id"]} for one in people]
    async with runtime.database.transaction() as tx:
        for model, rows in ((Person, people), (Card, cards), (TokenFamily, families)):
            if rows:
                await tx.execute(insert(model).values(rows))
    return [_logged_in(runtime, one["person_id"], name, one["id"]) for one in families]


def _values(runtime: Runtime, name: str) -> dict[str, Any]:
    openid = _openid(runtime)
    return {
        "id": new_id(),
        "openid_index": runtime.cipher.indexes(openid)[0],
        "openid_sealed": runtime.cipher.seal(openid),
        "display_name": name,
    }


def _openid(runtime: Runtime) -> str:
    return f"openid-of-test-{id(runtime)}-{next(_numbers)}"


def _logged_in(runtime: Runtime, person_id: UUID, name: str, family: UUID) -> TestPerson:
    token = runtime.tokens.sign(person_id, family, now())
    return TestPerson(person_id, name, {"Authorization": f"Bearer {token}"})


async def make_with_role(
    runtime: Runtime, role: Role, *, org: UUID | None = None, merchant: UUID | None = None
) -> TestPerson:
    async with runtime.database.transaction() as tx:
        person = await _add(runtime, tx)
        await appoint(tx, person.id, role, org=org, merchant=merchant)
    return person


async def appoint(
    tx: Session,
    person: UUID,
    role: Role,
    *,
    org: UUID | None = None,
    merchant: UUID | None = None,
) -> None:
    """Grant a role. The audit trail says that the person did, which no operation allows."""
    if merchant is not None:
        await roles.appoint_staff(tx, person, person, merchant)
    else:
        assert org is not None
        await roles.appoint_at_org(tx, person, person, role, org)


async def make_organizer(runtime: Runtime, org: UUID) -> TestPerson:
    return await make_with_role(runtime, Role.organizer, org=org)


async def make_administrator(runtime: Runtime, org: UUID) -> TestPerson:
    return await make_with_role(runtime, Role.administrator, org=org)
