"""Routers, models and jobs are discovered by location: a new file needs no registration."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from sqlmodel import SQLModel

from app import jobs, models, routers
from app.core.settings import Settings
from app.jobs import worker
from app.main import CROWDED, create_app, discovered_routers
from tests.engines import ROOT

AddModule = Callable[[ModuleType, str, str], None]
WITH_RULE = """
from app.api.access import ANYONE, allow
from app.api.routes import Router

router = Router()

@router.get("{path}", operation_id="listSomethings", **allow(ANYONE))
async def list_somethings() -> None: ...
"""
A_JOB = """
from app.jobs.job import Job

async def do_something(runtime) -> int: ...

JOBS = (Job("{name}", do_something, every=1),)
"""


@pytest.fixture
def add_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddModule]:
    """Add a module to a package until the test ends."""
    added = set()

    def add(package: ModuleType, name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
        monkeypatch.setattr(package, name, None, raising=False)
        added.add(f"{package.__name__}.{name}")

    yield add
    for name in added:
        sys.modules.pop(name, None)


def names(package: ModuleType) -> set[str]:
    return {module.name for module in iter_modules(package.__path__)}


def collisions(found: Sequence[APIRouter]) -> list[str]:
    """Return the paths that routes of two routers match."""
    routes = [
        (number, method, route)
        for number, router in enumerate(found)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    return [
        f"{method} {one.path}"
        for number, method, one in routes
        for other_number, other_method, other in routes
        if number != other_number
        and method == other_method
        and other.path_regex.match(re.sub(r"\{[^}]+\}", "x", one.path))
    ]


def tables_in(folder: Path) -> set[str]:
    """Return the tables that the files of a folder declare."""
    declared = re.compile(r'__tablename__ = "(\w+)"')
    texts = [file.read_text(encoding="utf-8") for file in folder.glob("*.py")]
    return {table for text in texts for table in declared.findall(text)}


def known_tables() -> set[str]:
    return {table.name for table in SQLModel.metadata.tables.values()}


def test_every_router_is_served(app: FastAPI) -> None:
    served = {route.endpoint.__module__ for route in app.routes if isinstance(route, APIRoute)}
    assert served >= {f"app.routers.{name}" for name in names(routers)}
    assert len(names(routers)) >= 17


def test_a_new_router_needs_no_wiring(settings: Settings, add_module: AddModule) -> None:
    add_module(routers, "somethings", WITH_RULE.format(path="/somethings"))

    paths = {getattr(route, "path", None) for route in create_app(settings).routes}

    assert "/api/v1/somethings" in paths


def test_a_module_without_a_router_would_be_found(
    settings: Settings, add_module: AddModule
) -> None:
    add_module(routers, "somethings", "")
    with pytest.raises(AttributeError, match="router"):
        create_app(settings)


def test_what_a_crowd_calls_is_matched_first() -> None:
    tags = [str(router.tags[0]) for router in discovered_routers()]
    assert tuple(tags[: len(CROWDED)]) == CROWDED
    assert tags[len(CROWDED) :] == sorted(names(routers) - {*CROWDED})


def test_the_order_of_routers_decides_nothing_but_the_time() -> None:
    assert collisions(discovered_routers()) == []


def test_a_path_that_two_routers_match_would_be_found(add_module: AddModule) -> None:
    add_module(routers, "somethings", WITH_RULE.format(path="/activities/next"))
    assert collisions(discovered_routers()) == ["GET /api/v1/activities/next"]


def test_every_table_is_known() -> None:
    assert {f"app.models.{name}" for name in names(models)} <= sys.modules.keys()
    assert len(known_tables()) > 30
    assert tables_in(ROOT / "app/models") == known_tables()


def test_a_table_that_nobody_imports_would_be_found(tmp_path: Path) -> None:
    """Otherwise it would have no migration."""
    (tmp_path / "somethings.py").write_text('__tablename__ = "somethings"')
    assert tables_in(tmp_path) - known_tables() == {"somethings"}


def test_every_job_is_run() -> None:
    assert names(jobs) >= worker.MACHINERY
    homes = {
        getattr(job.run, "__module__", type(job.run).__module__).rpartition(".")[2]
        for job in worker.jobs()
    }
    assert homes == names(jobs) - worker.MACHINERY


def test_a_new_job_needs_no_wiring(add_module: AddModule) -> None:
    before = {job.name for job in worker.jobs()}
    add_module(jobs, "somethings", A_JOB.format(name="do-something"))
    assert {job.name for job in worker.jobs()} == before | {"do-something"}


def test_a_module_without_jobs_would_be_found(add_module: AddModule) -> None:
    add_module(jobs, "somethings", "")
    with pytest.raises(AttributeError, match="JOBS"):
        worker.jobs()


def test_two_jobs_of_one_name_would_be_found(add_module: AddModule) -> None:
    """Runs are counted by the job's name."""
    add_module(jobs, "somethings", A_JOB.format(name="forget"))
    with pytest.raises(AssertionError, match="same name"):
        worker.jobs()
