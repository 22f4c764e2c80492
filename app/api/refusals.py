"""The catalogue of refusals for client developers: each code with its messages and facts.

``qingxiang refusals`` prints it.
"""

from collections.abc import Iterator

from app.api.problems import Facts
from app.core.errors import Refusal

HEAD = """# Refusals

A refusal is `application/problem+json` (RFC 9457). Its `code` is stable; `msg` is for a person, in
the language of `Accept-Language` (Chinese unless English is preferred), one at a time; `errors`
tell which fields, or which rows, are wrong. `facts` let a screen say when, how many, which: an
object, not members beside `status`, which RFC 9457 takes for itself. A refusal changes nothing,
but for `auth.refresh_reused`, which ends the login.

The OpenAPI document names the codes of each operation by status, and under `x-facts` the facts
that each of them may have. Times are RFC 3339 in UTC. A fact that is not known, or not for the
caller to know, is left out: what somebody can spend (`available`) only that person is told, never
a counter.
"""


def catalogue() -> list[type[Refusal]]:
    """Return each imported class of refusal, by code."""
    return sorted(
        {one for one in _below(Refusal) if one.__module__.startswith("app.")},
        key=lambda one: one.code,
    )


def _below(base: type[Refusal]) -> Iterator[type[Refusal]]:
    """Yield all subclasses with a code of their own: others are bases, or cases of their base."""
    for one in base.__subclasses__():
        if "code" in vars(one):
            yield one
        yield from _below(one)


def document() -> str:
    """Return the catalogue as Markdown."""
    lines = [HEAD, "## Facts", "", "| fact | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {one.description} |" for name, one in Facts.model_fields.items()]
    lines += [
        "",
        "## Codes",
        "",
        "| code | status | 中文 | English | facts |",
        "|---|---|---|---|---|",
    ]
    for one in catalogue():
        facts = ", ".join(f"`{name}`" for name in one.fact_names)
        lines.append(f"| `{one.code}` | {one.status} | {one.zh} | {one.en} | {facts} |")
    return "\n".join(lines) + "\n"
