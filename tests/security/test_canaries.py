"""Secrets that were used are in no dump of the database, in no spelling.

That they are in no log, no error and no metric is asked in tests/core/test_logging.py, with
the same program.
"""

import json
import subprocess
import sys
from base64 import b64encode
from typing import Any

from app.core.settings import Settings
from app.embedded.layout import postgres_program
from tests.core.test_logging import PROJECT, environment

# What has to be found again by what a person shows or sends, and why that is bearable:
# a card code is random, good once, for a minute, and deleted by the worker; an
# Idempotency-Key names a request and opens nothing.
KEPT = {"card code", "Idempotency-Key"}


def spellings(secret: str) -> list[str]:
    """Return how a dump would write it: as text, or as bytes in a bytea (hexadecimal)."""
    raw = secret.encode()
    return [secret, raw.hex(), b64encode(raw).decode()]


def found(secrets: dict[str, str], text: str) -> set[str]:
    return {
        name
        for name, secret in secrets.items()
        if any(spelling in text for spelling in spellings(secret))
    }


def test_no_secret_is_in_a_dump(unstarted: Settings) -> None:
    program = [sys.executable, "-m", "tests.core.canaries"]
    told = _run(program, environment(unstarted, "json"))
    secrets: dict[str, Any] = json.loads(told)["secrets"]
    assert unstarted.migration_database_url is not None
    url = unstarted.migration_database_url.replace("+asyncpg", "")
    dump = _run([str(postgres_program("pg_dump")), "--no-owner", url], {})

    assert "COPY public.refresh_tokens" in dump, "the dump has data"
    assert len(secrets) >= 10
    assert found(secrets, dump) == KEPT


def test_a_secret_would_be_found_in_every_spelling() -> None:
    for spelling in ("hunter2!", "\\\\x68756e7465723221", "aHVudGVyMiE="):
        assert found({"password": "hunter2!"}, f"1\t{spelling}\tx") == {"password"}
    assert found({"password": "hunter2!"}, "1\thunter\tx") == set()


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - our own programs
        command,
        cwd=PROJECT,
        env=environment or None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
