"""Names, titles and reasons are one line that shows something, wherever the document says so."""

import re
import unicodedata
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.core import normalize
from app.runtime import Runtime
from app.schemas.base import ONE_LINE, OneLine
from tests.factories.http import keyed
from tests.security.test_matrix import REQUESTS, ROWS, served
from tests.security.world import Ask, World, make_world

MOST = 40
LINE = TypeAdapter[str](Annotated[str, OneLine(MOST)])
BREAKS = ["清明\n植树", "清明\t植树", "清明\u2028植树", "清明\u2029植树", "清明\x85植树", "植树\n"]
NOTHING_SEEN = [
    *(" ", "\u3000", "\u200b", "\u3164", "\ufeff", "\xad", "\u2060\u200d", "\u115f", "\ufe0f"),
    *("\u2800", "\uffa0", "\U000e0041\U000e007f", "\u200b \xad\ufeff", "\U0001d159"),
    *("\u0301", "\u0301e", "\u200b\u0301e", "\u0903\u0915"),
]
NO_CHARACTERS = ["家\ue000", "家\u0378", "家\U000f0000", "家\uffff", "家\U0002ffff"]
Path = tuple[str, ...]
Schema = dict[str, Any]
# Optional objects that the request of the safety matrix leaves out.
PLACE = {"location": {"name": "江边", "latitude": 32.2, "longitude": 119.8, "radius_m": 50}}
TAGGED = PLACE | {"tags": ["夜校"]}
EVENINGS = {"sessions": [{"title": "第一课", "after_minutes": 0, "minutes": 90}]}
LEFT_OUT: dict[str, dict[str, Any]] = {
    "createActivity": TAGGED,
    "createActivityTemplate": TAGGED | EVENINGS,
    "createPost": {"skills": ["急救"]},
    "editActivity": TAGGED,
    "editActivityTemplate": TAGGED | EVENINGS,
    "editPost": {"skills": ["急救"]},
    "receiveIntoFund": {"form": "goods", "value_cents": 500, "goods": "香皂"},
    "recordMyConsent": {"document": "guardian", "guardian": {"name": "王", "relation": "other"}},
}
ANY_KEY = "*"
NEW = {"If-Match": '"1"'}


def one_lines(document: Schema, schema: Schema) -> Iterator[Path]:
    """Yield the paths of a schema's one-line texts: names, ``0`` for items, ``*`` for any key."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("pattern") == ONE_LINE:
        yield ()
    for choice in schema.get("anyOf", []):
        yield from one_lines(document, choice)
    below = dict(schema.get("properties", {}))
    by_key = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    for one in by_key:
        if isinstance(one, dict):
            below[ANY_KEY] = one
    if "items" in schema:
        below["0"] = schema["items"]
    for name, inner in below.items():
        yield from ((name, *path) for path in one_lines(document, inner))


def fields(document: Schema) -> Iterator[tuple[str, str, Path]]:
    """Yield operation, ``body`` or ``query``, and path of each one-line text of the API."""
    for methods in document["paths"].values():
        for operation in methods.values():
            name = operation["operationId"]
            content = operation.get("requestBody", {}).get("content", {})
            for path in one_lines(document, content.get("application/json", {}).get("schema", {})):
                yield name, "body", path
            for parameter in operation.get("parameters", []):
                for path in one_lines(document, parameter["schema"]):
                    yield name, parameter["in"], (parameter["name"], *path)


def placed(whole: Any, path: Path, text: str) -> Any:
    """Return a copy with the text at the path; any key is the first one that is there."""
    found = deepcopy(whole)
    *above, last = [*path]
    inner = found
    for step in above:
        inner = inner[int(step) if isinstance(inner, list) else step]
    if isinstance(inner, list):
        inner[int(last)] = text
    else:
        inner[next(iter(inner), "note") if last == ANY_KEY else last] = text
    return found


@dataclass(frozen=True)
class Reached:
    """``asks``: by operation, what was made for a request that was refused, and is still there."""

    world: World
    asks: dict[str, Ask] = field(default_factory=dict)


@pytest_asyncio.fixture(scope="module")
async def reached(api: httpx.AsyncClient, runtime: Runtime) -> Reached:
    return Reached(await make_world(api, runtime))


async def statuses(reached: Reached, app: FastAPI, text: str) -> dict[str, int]:
    """Send a text as each one-line text of the API; return the status by field."""
    found, world = {}, reached.world
    for name, where, path in fields(app.openapi()):
        row = next(one for one in ROWS.values() if one.operation == name and _succeeds(one.cells))
        who = next(who for who in row.cells if row.cells[who].startswith("2"))
        ask = reached.asks.pop(name, None) or await REQUESTS[name](world)
        body, query = ask.body, ask.query
        if where == "body":
            body = placed(ask.body | LEFT_OUT.get(name, {}), path, text)
        else:
            query = placed(ask.query, path, text)
        caller = world.everybody[who]
        assert caller is not None
        method, url = served(app)[name]
        response = await world.api.request(
            method,
            url.format(**ask.ids),
            headers=NEW | ask.headers | keyed(caller),
            json=body,
            params=query,
        )
        found[f"{name} {'.'.join(path)}"] = response.status_code
        if response.status_code == 422:
            reached.asks[name] = ask
    return found


def code_points(text: str) -> str:
    return " ".join(f"{ord(char):04x}" for char in text)


def _succeeds(cells: dict[str, str]) -> bool:
    return any(cell.startswith("2") for cell in cells.values())


def test_the_fields_are_found(app: FastAPI) -> None:
    found = {(name, path) for name, _, path in fields(app.openapi())}
    assert found >= {
        ("createActivity", ("title",)),
        ("createActivity", ("location", "name")),
        ("updateMe", ("display_name",)),
        ("proposeAwards", ("evidence", ANY_KEY)),
        ("proposeAwardBatch", ("rows", "0", "evidence", ANY_KEY)),
        ("receiveIntoFund", ("giver",)),
        ("exportAwardsXlsx", ("purpose",)),
    }


EACH_KIND = (BREAKS[0], NOTHING_SEEN[0], NO_CHARACTERS[0])
OTHERS = [one for one in (*BREAKS, *NOTHING_SEEN, *NO_CHARACTERS) if one not in EACH_KIND]


@pytest.mark.parametrize(
    "text",
    [*EACH_KIND, *(pytest.param(one, marks=pytest.mark.long) for one in OTHERS)],
    ids=code_points,
)
async def test_no_field_takes_what_is_not_one_line_or_shows_nothing(
    app: FastAPI, reached: Reached, text: str
) -> None:
    found = await statuses(reached, app, text)
    assert {field: status for field, status in found.items() if status != 422} == {}


async def test_each_field_takes_a_line(
    app: FastAPI, api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The control: what is refused above is refused for its text."""
    found = await statuses(
        Reached(await make_world(api, runtime)),
        app,
        "Zoe\u0301 \u2764\ufe0f \u0915\u0903 \U0001fae8\U00031350 家门口",
    )
    refused = {field for field, status in found.items() if status >= 300}
    assert refused == {
        *("confirmName display_name", "recordMyConsent version"),
        *("addChild text_version", "recordAttendance card_no", "addStewardOfDay card_no"),
    }, "must be what is there"


@pytest.mark.parametrize("text", [*BREAKS, *NOTHING_SEEN, *NO_CHARACTERS], ids=code_points)
def test_such_a_text_is_no_line(text: str) -> None:
    """Each of them; the fields above take one of each kind, unless long tests run too."""
    with pytest.raises(ValidationError):
        LINE.validate_python(text)


LETTERS = st.text(max_size=MOST + 1) | st.text(
    st.sampled_from([*"a 家\n\t\u2028\u200b\u3164\ufeff\xad\U000e0041e\u0301"]), max_size=6
)


@example("Zoe\u0301")
@example("\u0958" * MOST)  # composing makes it longer
@given(LETTERS)
def test_what_is_taken_is_what_the_document_says(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    is_documented = re.fullmatch(ONE_LINE, text) and len(text) <= MOST >= len(composed)
    if is_documented and normalize.is_visible(text) and normalize.is_known(text):
        assert LINE.validate_python(text) == composed.strip() != ""
    else:
        with pytest.raises(ValidationError):
            LINE.validate_python(text)
