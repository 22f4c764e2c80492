"""Guards that negative controls take out; the constraints behind them of a scratch database."""

from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel.sql.expression import SelectOfScalar

from app.queries.ledger import posting
from tests.engines import as_owner


def without_lock(sql: str) -> str:
    """Return a locking SELECT that locks nothing."""
    head, found, _ = sql.partition("FOR UPDATE")
    assert found
    return head


async def take_out_account_locks(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lock no account. The unique numbers of its entries, the second guard, go too."""
    monkeypatch.setattr(posting, "LOCK_ACCOUNTS", without_lock(posting.LOCK_ACCOUNTS))
    await as_owner(
        broken.state.runtime.settings,
        "DROP INDEX uq_ledger_transfers_from",
        "DROP INDEX uq_ledger_transfers_to",
    )


def take_out_row_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lock no award, no redemption, no charge."""
    assert hasattr(SelectOfScalar, "with_for_update")
    monkeypatch.setattr(SelectOfScalar, "with_for_update", lambda query, **_: query)


async def take_out_references(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ledger forget what was posted, and what was settled by it."""

    async def forgotten(*_: Any) -> list[Any]:
        return []

    post = import_module("app.services.ledger.posting")  # the package's ``post`` is the function
    assert hasattr(post, "_related")
    monkeypatch.setattr(post, "_related", forgotten)
    await as_owner(
        broken.state.runtime.settings,
        "DROP INDEX uq_ledger_transfers_reference",
        "DROP INDEX uq_ledger_transfers_closes",
        "ALTER TABLE ledger_transfers DROP CONSTRAINT pk_ledger_transfers",
    )
