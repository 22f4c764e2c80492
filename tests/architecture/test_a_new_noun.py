"""The drill of docs/a-new-noun.md: its five files and a migration are a noun, and go again."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.settings import Settings
from app.embedded.databases import connect, create_database, drop_database
from app.embedded.layout import Engines
from app.migrations import migrate
from tests import flaws
from tests.engines import ROOT, settings_for

PAGE = ROOT / "docs" / "a-new-noun.md"
FILE = re.compile(r"^### `(\S+)`\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAX_LINES = 200
OWN_TESTS = "tests/routers/test_needs.py"
ROUTER, SERVICE = "app/routers/needs.py", "app/services/needs.py"
SCHEMA = "app/schemas/needs.py"
MIGRATION = "alembic/versions/*_needs.py"
NOUNS = "tests/security/test_nouns.py"
COVERED = "tests/security/test_tampering.py::test_every_table_that_bears_points_has_a_tampering"
ROW = "tests/security/test_matrix.py::test_row"
OPERATIONS = ("fileNeed", "listNeeds", "moveNeed", "exportNeedsCsv", "exportNeedsXlsx")
SOMEBODY = ("-c", "user.name=drill", "-c", "user.email=drill@example.org")
DOCUMENT = "clients/openapi.json"
DOWN = """
import sys
from alembic import command
from app.migrations import config_for
command.downgrade(config_for(sys.argv[1]), "-1")
"""
TRACES = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace",
    "SELECT version_num FROM alembic_version",
)
# What the tests of all nouns say of this one.
TESTS = [
    OWN_TESTS,
    "tests/architecture",
    "tests/architecture/new_noun.py",
    # Examples of replies come from a run of the demonstration, which does not know the noun.
    (
        "--deselect=tests/architecture/test_openapi_examples.py"
        "::test_every_reply_of_json_has_an_example_that_is_valid"
    ),
    "tests/api",
    "tests/migrations/test_migrations.py",
    "tests/routers/test_refusal_facts.py::test_every_refusal_with_facts_has_a_case",
    "tests/routers/test_notice_kinds.py::test_every_kind_is_played_or_waits_for_its_verb",
    "tests/security/test_matrix.py::test_every_operation_has_a_line",
    *(f"{ROW}[{name}]" for name in OPERATIONS),
    NOUNS,
    COVERED,
    "tests/services/test_notify.py",
]


def example() -> dict[str, str]:
    """Return the files that the page shows, by path."""
    return dict(FILE.findall(PAGE.read_text(encoding="utf-8")))


def do(tree: Path, *command: str, **settings: str) -> str:
    """Run a command in a tree; return what it says."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith(("QX_", "GIT_"))}
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=tree, env=kept | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(tree: Path, *words: str, **settings: str) -> str:
    return do(tree, sys.executable, *words, **settings)


def start_repository(tree: Path) -> None:
    """Commit the tree; what a run of tests leaves there is no change (see flaws.run)."""
    do(tree, "git", "init", "-q")
    (tree / ".git/info/exclude").write_text("/report.xml\n/tmp/\n")
    do(tree, "git", "add", ".")
    do(tree, "git", *SOMEBODY, "commit", "-q", "-m", "before")


def changed(tree: Path) -> set[str]:
    lines = do(tree, "git", "status", "--porcelain", "--untracked-files=all").splitlines()
    return {line[3:] for line in lines}


def migrations(tree: Path) -> set[str]:
    return {str(file.relative_to(tree)) for file in (tree / "alembic/versions").glob("*.py")}


@pytest_asyncio.fixture
async def database(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Settings]:
    """A database at the newest migration, without the noun."""
    found, _ = engines_and_template
    name = f"scratch_{os.getpid()}_noun"
    await create_database(found.admin_database_url, name)
    settings = settings_for(found, name, redis_db=8 + worker_number)
    await asyncio.to_thread(migrate, str(settings.migration_database_url))
    yield settings
    await drop_database(found.admin_database_url, name)


def generate(tree: Path, database: Settings) -> set[str]:
    """Write the files and the migration into a tree, as ``make migration`` does; name them."""
    before, files = migrations(tree), example()
    for path, text in files.items():
        (tree / path).write_text(text, encoding="utf-8")
    python(tree, "-m", "app.cli", "migration", "needs", **urls(database))
    made = migrations(tree) - before
    assert len(made) == 1
    return files.keys() | made


def write_document(tree: Path) -> None:
    """Write the OpenAPI document anew, as ``make openapi`` does."""
    (tree / DOCUMENT).write_text(python(tree, "-m", "app.cli", "openapi"), encoding="utf-8")


def take_out(tree: Path, path: str, piece: str) -> None:
    [file] = tree.glob(path)
    text, times = re.subn(piece, "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert times == 1
    file.write_text(text, encoding="utf-8")


def urls(database: Settings) -> dict[str, str]:
    return {
        "QX_DATABASE_URL": str(database.database_url),
        "QX_MIGRATION_DATABASE_URL": str(database.migration_database_url),
        "QX_REDIS_URL": str(database.redis_url),
    }


async def traces(database: Settings) -> list[list[tuple[str, ...]]]:
    """Return all names that the schema of a database has."""
    connection = await connect(str(database.migration_database_url))
    found = [sorted(tuple(row) for row in await connection.fetch(query)) for query in TRACES]
    await connection.close()
    return found


def test_five_files_of_two_hundred_lines() -> None:
    files = example()
    assert files.keys() == {
        *(f"app/{layer}/needs.py" for layer in ("models", "schemas", "services", "routers")),
        OWN_TESTS,
    }
    assert sum(len(text.splitlines()) for text in files.values()) <= MAX_LINES


@pytest.mark.long
async def test_a_noun_is_added_and_removed(
    tree: Path, database: Settings, worker_number: int
) -> None:
    start_repository(tree)
    before = await traces(database)

    made = generate(tree, database)
    write_document(tree)

    assert changed(tree) == made | {DOCUMENT}
    assert len(made) == 6
    new = sorted(made)
    python(tree, "-m", "ruff", "format", "--check", *new)
    python(tree, "-m", "ruff", "check", *new)
    python(tree, "-m", "mypy", *sorted(example()))
    outcome = flaws.run(tree, TESTS, worker_number)
    assert (outcome.failures, outcome.errors) == ([], 0), "\n".join(outcome.failures)

    python(tree, "-m", "app.cli", "migrate", **urls(database))
    assert await traces(database) != before
    python(tree, "-c", DOWN, str(database.migration_database_url))
    assert await traces(database) == before
    for path in made:
        (tree / path).unlink()
    write_document(tree)
    assert changed(tree) == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "piece", "finder"),
    [
        (OWN_TESTS, r"^moveNeed .*\n", NOUNS),
        (OWN_TESTS, r"^HERS = .*\n", NOUNS),
        (OWN_TESTS, r"^BESIDE_POINTS = .*\n", COVERED),
        (OWN_TESTS, r', "moveNeed": _filed', f"{ROW}[moveNeed]"),
        (ROUTER, r"^exports\.beside.*\n", OWN_TESTS),
        (SERVICE, r"^    await notify\.send\(.*\n", OWN_TESTS),
        (SERVICE, r"^    await records\.move\(.*\n", OWN_TESTS),
        (MIGRATION, r"^    op\.create_index\(.*\n", "tests/migrations/test_migrations.py"),
    ],
    ids=["matrix", "hers", "points", "request", "exports", "notice", "audit", "migration"],
)
async def test_a_missing_piece_is_found(
    tree: Path, database: Settings, worker_number: int, path: str, piece: str, finder: str
) -> None:
    generate(tree, database)
    take_out(tree, path, piece)

    outcome = flaws.run(tree, [finder], worker_number)

    assert outcome.failures
    assert outcome.errors == 0
