"""docs/frontend.md: its operations exist, and its flow compiles strictly and runs."""

import re

import pytest
from fastapi import FastAPI

from tests.clients.running import node, served
from tests.conftest import ScratchFactory
from tests.engines import ROOT

PAGE = ROOT / "docs/frontend.md"
CHECKS = ROOT / "clients/checks"
FLOW = re.compile(r"^```ts\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCREEN = re.compile(r"^\| \S+ \| (`[a-zA-Z]+`(?:、`[a-zA-Z]+`)*) \|", re.MULTILINE)
MAX_LINES = 60
TYPES = (
    *("openapi-typescript", "../openapi.json", "-o", "generated/schema.ts"),
    "--default-non-nullable=false",
)
COMPILE = ("tsc", "--project", "tsconfig.flow.json")
# A value, a code and a field that the document does not have.
FLAWS = {
    'category: "volunteer_service"': 'category: "volunteering"',
    '=== "cards.code_used"': '=== "cards.code_spent"',
    "award?.points": "award?.score",
}
SAID = """\
checked in: 8 points, available, 8 to spend
charged: 3 points, 5 left
passbook: out 3, in 8
refused: since """


def flow() -> str:
    [found] = FLOW.findall(PAGE.read_text(encoding="utf-8"))
    return str(found)


def test_the_page_names_operations_that_exist(app: FastAPI) -> None:
    paths = app.openapi()["paths"].values()
    known = {one["operationId"] for methods in paths for one in methods.values()}
    recipes = PAGE.read_text(encoding="utf-8").partition("### 每屏一份做法")[2]
    screens = SCREEN.findall(recipes)
    assert len(screens) == 20
    named = {name for screen in screens for name in re.findall(r"`(\w+)`", screen)}
    assert named <= known
    called = set(re.findall(r'\.(?:GET|POST)\("([^"]+)"', flow()))
    assert called <= app.openapi()["paths"].keys()
    assert len(flow().splitlines()) <= MAX_LINES


async def tool(name: str, *words: str) -> str:
    script = CHECKS / "node_modules/.bin" / name
    assert script.exists(), "make openapi-check installs the tools"
    return await node(str(script), *words, folder=CHECKS)


@pytest.mark.long
async def test_the_flow_of_the_page_runs(scratch: ScratchFactory) -> None:
    written = CHECKS / "generated/flow.ts"
    written.parent.mkdir(exist_ok=True)
    await tool(*TYPES)
    written.write_text(flow(), encoding="utf-8")
    await tool(*COMPILE)
    async with scratch() as app, served(app) as url:
        said = await node(str(written), folder=CHECKS, QX_URL=url)
    assert said.startswith(SAID), said

    wrong = flow()
    for right, flaw in FLAWS.items():
        assert right in wrong
        wrong = wrong.replace(right, flaw)
    written.write_text(wrong, encoding="utf-8")
    with pytest.raises(AssertionError) as refused:
        await tool(*COMPILE)
    assert str(refused.value).count("error TS") >= len(FLAWS)
