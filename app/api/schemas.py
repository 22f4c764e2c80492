"""The component schemas of the OpenAPI document: problems added, all named, none unused."""

import json
import re
from typing import Any

from app.api.problems import Problem
from app.api.refusals import catalogue

PREFIX = "#/components/schemas/"
CODE = "RefusalCode"
# Models whose ``code`` is that of a refusal.
CODED = (Problem.__name__, "ReasonOut", "RefusedReviewOut")
_REFERENCE = re.compile(rf'"{PREFIX}([^"]+)"')


def completed(found: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas with those of problems and the enum of all codes."""
    problem = Problem.model_json_schema(ref_template=PREFIX + "{model}")
    schemas: dict[str, Any] = problem.pop("$defs") | found | {Problem.__name__: problem}
    schemas[CODE] = {
        "type": "string",
        "title": CODE,
        "description": "The codes of all refusals; `/docs/codes` explains each.",
        "enum": [one.code for one in catalogue()],
    }
    for name in CODED:
        if name in schemas:
            field = schemas[name]["properties"]["code"]
            field["$ref"] = PREFIX + CODE
            del field["type"]
    return schemas


def pruned(document: dict[str, Any]) -> dict[str, Any]:
    """Drop the schemas that nothing refers to, such as an enum that is worded in replies."""
    schemas, waiting = document["components"]["schemas"], [json.dumps(document["paths"])]
    used: set[str] = set()
    while waiting:
        new = {*_REFERENCE.findall(waiting.pop())} - used
        used |= new
        waiting += [json.dumps(schemas[name]) for name in new]
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}
    return document


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Name every schema after its title, and forms after their operation.

    ``Page_OrgOut_`` becomes ``OrgPage``, ``Body_uploadAttachment`` ``UploadAttachmentForm``.
    """
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if name.startswith("Body_"):
            operation = name.removeprefix("Body_")
            schema["title"] = f"{operation[0].upper()}{operation[1:]}Form"
    titles = {name: schema["title"] for name, schema in schemas.items()}
    assert len({*titles.values()}) == len(titles), "two schemas of one title"
    document["components"]["schemas"] = {titles[name]: schemas[name] for name in sorted(titles)}
    text = json.dumps(document, ensure_ascii=False)
    found: dict[str, Any] = json.loads(
        _REFERENCE.sub(lambda match: f'"{PREFIX}{titles[match[1]]}"', text)
    )
    return found
