"""Programmes for tests: whole documents of an organisation, in a unit of their own."""

from importlib.resources import files
from uuid import uuid4

import pytest

from app.models.orgs import Org
from app.runtime import Runtime
from app.services.policies import publishing
from app.services.policies import publishing as policies_publishing
from tests.engines import as_owner

SHIPPED = (files("app") / "data" / "policy.toml").read_text(encoding="utf-8")


async def open_unit(runtime: Runtime) -> str:
    """Open a unit, as the schema's owner; return its code."""
    code = f"u{uuid4().hex[:12]}"
    columns = "(id, code, name_zh) SELECT max(id) + 1"
    await as_owner(
        runtime.settings, f"INSERT INTO ledger_units {columns}, '{code}', '测试' FROM ledger_units"
    )
    return code


def share_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the guards against programmes in a unit that is used by another one."""
    for guard in ("_require_own_unit", "_require_free_unit"):
        monkeypatch.setattr(publishing, guard, lambda *_: None)


async def publish_in(runtime: Runtime, unit: str, org: Org, source: str) -> int:
    """Publish a whole document for an organisation, in a unit; return the version."""
    async with runtime.database.transaction() as tx:
        return await policies_publishing.publish(
            tx, source.replace('unit = "points"', f'unit = "{unit}"'), org=org
        )
