"""Schemathesis against our own document: which cases, which checks, and what came of it.

Every check of Schemathesis is on, but for the time a reply takes: no test here measures
time. Its only exceptions are BEYOND_EVERY_SCHEMA, and BEYOND_THE_SCHEMA and
HIDDEN_AT_FIRST of each noun.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jsonschema_rs
import schemathesis
from fastapi import FastAPI
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData
from schemathesis.python import asgi
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.openapi import KEY
from app.api.problems import MEDIA_TYPE, Problem
from tests.security import nouns
from tests.security.schema_world import World

PHASES = ("examples", "coverage", "fuzzing", "stateful")
REAL = 0.7  # how often a name that the world knows gets a value that exists
MAX_SHOWN = 20
# What no schema can tell: a request that it allows may be refused for these reasons, and for
# those that the test module of its noun tells.
BEYOND_EVERY_SCHEMA = {
    "query.cursor",  # opaque; only our own are taken
    "idempotency.key_reused",
}
# Of any line: which characters are known, and seen, goes by categories that patterns cannot name.
BY_CATEGORY = {"含有不是通用字符的符号", "没有可见的字符"}
PROBLEM = jsonschema_rs.validator_for(Problem.model_json_schema())


class Counting:
    """Counts the requests that reach an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += scope["type"] == "http"
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Amount:
    """``examples`` an operation in the fuzzing phase, ``scenarios`` of the stateful phase.

    From the tenth example on, Hypothesis climbs towards requests that succeed, which cost
    three quarters of the time in vain: rounds of fewer, each with its own seed, are better.
    ``part``: (k, n) gives the phases that enumerate (examples, coverage) every n-th
    operation only, from the k-th on.
    """

    examples: int
    scenarios: int
    part: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class Finding:
    """``check``: which one failed, or why Schemathesis itself could not go on."""

    check: str
    operation: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.check} {self.operation}\n{self.text}"


@dataclass
class Report:
    """``cases`` sent by phase, ``answers`` by operation and status."""

    cases: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        shown = "\n\n".join(map(str, self.findings[:MAX_SHOWN]))
        return f"{len(self.findings)} findings in {dict(self.cases)}\n{shown}"


@schemathesis.check
def refusal_is_a_problem(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Hold every refusal to RFC 9457, those of wrong methods and of wrong media types too."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == [MEDIA_TYPE], response.headers["content-type"]
    body = response.json()
    assert PROBLEM.is_valid(body), body
    assert body["status"] == response.status_code, body


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Make a valid key new (enumerated cases would all have the same); spell integers as such.

    To JSON Schema 4.0 is an integer, and scenarios send it; the service takes 4 only.
    """
    meta = case.meta
    if meta is None or meta.generation.mode.is_negative or meta.phase.name == TestPhase.FUZZING:
        return
    _spell_integers(case.body)
    if KEY in case.headers:
        case.headers[KEY] = str(uuid4())


def _spell_integers(value: Any) -> None:
    """In place: a case that is given a body anew forgets which mode it was made in."""
    places: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        places = enumerate(value)
    for place, one in list(places):
        if isinstance(one, float) and one.is_integer():
            value[place] = int(one)
        else:
            _spell_integers(one)


class Judge:
    """Tells a failure from what no schema can express."""

    def __init__(self, app: FastAPI) -> None:
        exports = nouns.modules()
        served = nouns.served(app)
        self._allowed = {
            one.label: BEYOND_EVERY_SCHEMA | exports[one.noun].get("BEYOND_THE_SCHEMA", set())
            for one in served
        }
        self._hidden = {
            one.label
            for one in served
            if one.operation in exports[one.noun].get("HIDDEN_AT_FIRST", ())
        }

    def __call__(
        self, context: HookContext, failure: Failure, case: Case[Any], response: Response
    ) -> bool:
        if isinstance(failure, EnsureResourceAvailability):
            return failure.not_available_with not in self._hidden
        if not isinstance(failure, RejectedPositiveData):
            return True
        allowed = self._allowed.get(case.operation.label, BEYOND_EVERY_SCHEMA)
        body = response.json()
        errors = body.get("errors") or ()
        fields = {
            ".".join(one["field"].split(".")[:2]) for one in errors if one["msg"] not in BY_CATEGORY
        }
        return body["code"] not in allowed and (not errors or not fields <= allowed)


class Completed:
    """Lets each noun complete the bodies of its operations, so that they can succeed."""

    def __init__(self, app: FastAPI, world: World) -> None:
        self._known = world.known
        self._completions = {
            one.label: world.completions[one.noun]
            for one in nouns.served(app)
            if one.noun in world.completions
        }

    def __call__(self, context: HookContext, case: Case[Any]) -> Case[Any]:
        complete = self._completions.get(case.operation.label)
        if complete is not None and isinstance(case.body, dict):
            before = deepcopy(case.body)
            complete(case.body, self._known)
            if KEY in case.headers and case.body != before:  # the same key is drawn again and again
                case.headers[KEY] = str(uuid4())
        return case


def run(
    app: FastAPI, world: World, rounds: Sequence[Amount], operations: Sequence[str] = ()
) -> Report:
    """Send what the document of an application promises, and what it forbids.

    ``operations``: only these. Blocks; the application lives meanwhile on an event loop of
    Schemathesis' own.
    """
    counting, report = Counting(app), Report()
    try:
        for seed, amount in enumerate(rounds):
            config = _config(world, amount, seed) | {"operations": _left_out(app, *amount.part)}
            schema: Any = schemathesis.openapi.from_asgi(
                "/openapi.json", counting, config=SchemathesisConfig.from_dict(config)
            )
            if operations:
                schema = schema.include(operation_id=list(operations))
            schema.hooks.hook("filter_failure")(Judge(app))
            schema.hooks.hook("map_case")(Completed(app, world))
            for event in from_schema(schema).execute():
                report.findings += _broken(event)
                if isinstance(event, events.ScenarioFinished):
                    _account(report, event.phase.value, event.recorder)
    finally:
        asgi.shutdown_lifespans()
    assert report.cases.total() <= counting.requests
    return report


def _left_out(app: FastAPI, k: int, n: int) -> list[dict[str, Any]]:
    paths = app.openapi()["paths"].values()
    names = [one["operationId"] for methods in paths for one in methods.values()]
    left_out = [name for place, name in enumerate(names) if place % n != k]
    off = {phase: {"enabled": False} for phase in ("examples", "coverage")}
    return [{"include-operation-id": left_out, "phases": off}] if left_out else []


def _config(world: World, amount: Amount, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "cache": {"enabled": False},
        "suppress-health-check": ["all"],
        "continue-on-failure": True,
        "headers": world.headers,
        "dictionaries": {name: {"values": list(v)} for name, v in world.known.items()},
        "parameters": {
            f"{place}.{name}": {"dictionary": name, "probability": REAL}
            for name in world.known
            for place in ("path", "query", "header", "body")
        },
        "checks": {"missing_required_header": {"expected-statuses": [400, 401, 403, 422, 428]}},
        "generation": {
            "deterministic": True,
            "database": "none",
            "no-shrink": True,
            "max-examples": amount.examples,
        },
        "phases": {
            "examples": {"fill-missing": True},
            "stateful": {"generation": {"max-examples": amount.scenarios}},
        },
    }


def _broken(event: events.EngineEvent) -> Iterator[Finding]:
    """Tell what kept Schemathesis itself from its work."""
    if isinstance(event, events.NonFatalError):
        yield Finding("error", event.label, f"{event.info.title} {event.value!r}")
    elif isinstance(event, events.FatalError):
        yield Finding("fatal", None, repr(event.exception))
    elif isinstance(event, events.EngineFinished) and event.stop_reason != StopReason.COMPLETED:
        yield Finding("stopped", None, event.stop_reason)


def _account(report: Report, phase: str, recorder: ScenarioRecorder) -> None:
    report.cases[phase] += len(recorder.interactions)
    for case_id, one in recorder.interactions.items():
        if one.response is not None:
            label = recorder.cases[case_id].value.operation.label
            report.answers[label, one.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        response = recorder.interactions[case_id].response
        answer = (
            f"{response.status_code} {response.content[:900]!r}" if response is not None else "none"
        )
        for check in checks:
            if check.failure_info is not None:
                failure, sample = check.failure_info.failure, check.failure_info.code_sample
                text = f"{phase}: {failure}, answered by {answer}\n{sample}"
                report.findings.append(Finding(check.name, failure.operation, text))
