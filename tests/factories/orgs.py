"""Organisations for tests."""

from itertools import count

from app.models.orgs import Level, Org
from app.queries import orgs as queries
from app.runtime import Runtime

# No published division code begins with 9.
_codes = count(900_000_000)


async def make_org(
    runtime: Runtime, *, parent: Org | None = None, level: Level = Level.street
) -> Org:
    """Create an organisation, by default without a parent."""
    code = str(next(_codes))
    async with runtime.database.transaction() as tx:
        org = Org(
            code=code,
            name=f"测试组织{code}",
            level=level,
            parent_id=parent.id if parent else None,
            path=f"{parent.path if parent else '/'}{code}/",
        )
        tx.add(org)
    return org


async def sanmao_street(runtime: Runtime) -> Org:
    """Return 三茅街道 of the demonstration data."""
    async with runtime.database.read() as tx:
        org = await queries.find_by_code(tx, "321182001")
    assert org is not None
    return org
