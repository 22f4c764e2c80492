"""Bodies that are a document: the text itself, or a file of a form, in place of JSON.

    @router.post("/checks", …)
    @takes_document(PolicyDraftIn, "document")
    async def check_policy(body: PolicyDraftIn, …) -> …: ...

takes ``{"org_id": "…", "document": "…"}`` as before. It also takes the document as ``text/plain``
with the other fields in the query, and as the ``file`` of a form with the other fields beside it.
Each becomes the JSON that it stands for, before the body is validated and its fingerprint taken.
"""

import json
from collections.abc import Iterable
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.requests import Request

from app.api.bodies import StrictRequest
from app.api.operations import DocumentBody
from app.core.errors import Malformed

TEXT, FORM, JSON = "text/plain", "multipart/form-data", "application/json"
FILE = "file"
# Of a form: a file, and no more fields than any of these bodies has.
MAX_FILES, MAX_FIELDS = 1, 10
_UTF_8 = (b"utf-8", b"utf8")
_OF_BODY = (b"content-type", b"content-length")


def is_text(request: Request) -> bool:
    """Whether the body is the document itself, and the query holds the other fields."""
    return parse_options_header(request.headers.get("content-type"))[0] == TEXT.encode()


async def as_json(request: StrictRequest, field: str) -> StrictRequest:
    """Return the request with the JSON body that its document stands for; JSON as it is.

    A field that is given twice stands twice in the JSON, which is refused as in any body.
    Raises Malformed for a text that is not UTF-8, or a form that cannot be parsed.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type == TEXT.encode():
        if options.get(b"charset", b"utf-8").lower() not in _UTF_8:
            raise Malformed
        fields = [*request.query_params.multi_items(), (field, _decoded(await request.body()))]
    elif media_type == FORM.encode():
        fields = await _fields_of_form(request, field)
    else:
        return request
    return _with_body(request, fields)


async def _fields_of_form(request: StrictRequest, field: str) -> list[tuple[str, str]]:
    fields = []
    async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS) as form:
        for name, value in form.multi_items():
            text = _decoded(await value.read()) if isinstance(value, UploadFile) else value
            fields.append((field if name == FILE else name, text))
    return fields


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Malformed from None


def _with_body(request: StrictRequest, fields: Iterable[tuple[str, str]]) -> StrictRequest:
    members = (f"{json.dumps(name)}:{json.dumps(value)}" for name, value in fields)
    kept = [one for one in request.scope["headers"] if one[0] not in _OF_BODY]
    request.scope.setdefault("state", {})  # shared with the request as it came
    headers = [*kept, (b"content-type", JSON.encode())]
    return StrictRequest.of_body(
        {**request.scope, "headers": headers}, "{" + ",".join(members) + "}"
    )


def _given(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field that is given: neither a query nor a form holds null."""
    one, *_ = field.get("anyOf", [field])
    kept = {key: value for key, value in field.items() if key not in {"anyOf", "default", "title"}}
    result: dict[str, Any] = one | kept
    return result


def describe(operation: dict[str, Any], body: DocumentBody | None) -> None:
    """Add to the description of an operation that it takes the document as text or file."""
    if body is None:
        return
    schema = body.model.model_json_schema()
    others = {name: _given(one) for name, one in schema["properties"].items()}
    document = others.pop(body.field)
    text = {key: value for key, value in document.items() if key != "examples"}
    operation.setdefault("parameters", []).extend(
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {key: value for key, value in one.items() if key != "description"},
            "description": f"Only with a body of `{TEXT}`: as the field of the JSON body. "
            + one["description"],
        }
        for name, one in others.items()
    )
    operation["requestBody"]["content"] |= {
        TEXT: {"schema": text, "example": document["examples"][0]},
        FORM: {
            "example": {
                FILE if name == body.field else name: value
                for name, value in schema["examples"][0].items()
            },
            "schema": {
                "type": "object",
                "title": f"{body.model.__name__.removesuffix('In')}Form",
                "properties": {FILE: text | {"contentMediaType": TEXT}, **others},
                "required": [
                    FILE,
                    *(one for one in schema["required"] if one != body.field),
                ],
                "additionalProperties": False,
            },
        },
    }
