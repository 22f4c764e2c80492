"""clients/typescript: the built client against a running service, on a phone that has only wx."""

import json
from pathlib import Path

import pytest

from tests.clients.running import node, served
from tests.conftest import ScratchFactory
from tests.engines import ROOT

CLIENT = ROOT / "clients/typescript"
LOCKS = sorted((ROOT / "clients").glob("*/package-lock.json"))
BUILT = CLIENT / "miniprogram_dist/package.json"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.parent.name))
def test_a_lock_of_npm_has_hashes_and_no_registry(lock: Path) -> None:
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    locked = {name: one for name, one in packages.items() if name and not one.get("link")}
    assert locked
    assert [name for name, one in locked.items() if "integrity" not in one] == []
    assert [name for name, one in locked.items() if "resolved" in one] == []


@pytest.mark.long
async def test_the_client_works_and_its_tests_find_planted_flaws(scratch: ScratchFactory) -> None:
    """The tests of ``clients/typescript/test`` pass, and each flaw of flaws.mjs fails one."""
    assert BUILT.exists(), "make client builds the client"
    tests = sorted(str(path.relative_to(CLIENT)) for path in CLIENT.glob("test/*.test.mjs"))
    async with scratch() as app, served(app) as url:
        said = await node("--test", *tests, folder=CLIENT, QX_URL=url)
        assert "fail 0" in said, said
        assert "skipped 0" in said, said
        await node("test/flaws.mjs", folder=CLIENT, QX_URL=url)
