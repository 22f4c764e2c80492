"""Schemathesis against our own document: which cases, which checks, and what came of it.

Every check of Schemathesis is on, but for the time a reply takes: no test here measures
time. Its only exceptions are BEYOND_THE_SCHEMA and HIDDEN_AT_FIRST.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
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
from tests.security.schema_world import EVIDENCE, LIVE_CODE, World

PHASES = ("examples", "coverage", "fuzzing", "stateful")
REAL = 0.7  # how often a name that the world knows gets a value that exists
MAX_SHOWN = 20
# What no schema can tell: a body that it allows may be refused for these reasons only.
BEYOND_THE_SCHEMA = {
    "query.cursor",  # opaque; only our own are taken
    "query.month",  # 2026-13
    "query.until",  # before since
    "body",  # one time before another
    "body.starts_at",
    "body.ends_at",
    "body.signup_opens_at",
    "body.signup_closes_at",
    "body.birth_date",  # in the past
    "body.rule_key",  # of the policy in force
    "body.evidence",  # what the rule demands
    "body.person_ids",  # one id in two spellings
    "body.capacity",  # 3.0 is no whole number to us
    "body.quantity",
    "body.points",
    "body.grade",  # of the rule
    "body.rows",  # one name a row: an id or a card's number
    "awards.rows_wrong",  # who exists, and what the rule demands
    "awards.wrong_sheet",
    "sheets.unreadable",
    "sheets.not_plain",
    "sheets.too_large",
    "auth.code_invalid",
    "checkins.code_invalid",
    "checkins.code_expired",
    "cards.code_invalid",
    "idempotency.key_reused",
}
# A new activity is a draft, of which nobody is told who would sign up: there it is not found yet.
HIDDEN_AT_FIRST = {"POST /api/v1/activities/{activity_id}/signups"}
# Which rule of the policy an operation is about; all others are about awards by hand.
RULES = {"/api/v1/activities": "volunteer_hour", "/api/v1/deductions": "no_show"}
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
    """Make a valid key new: enumerated cases would all have the same, and stop there."""
    meta = case.meta
    if meta is None or meta.generation.mode.is_negative or meta.phase.name == TestPhase.FUZZING:
        return
    if KEY in case.headers:
        case.headers[KEY] = str(uuid4())


def _is_a_finding(
    context: HookContext, failure: Failure, case: Case[Any], response: Response
) -> bool:
    if isinstance(failure, EnsureResourceAvailability):
        return failure.not_available_with not in HIDDEN_AT_FIRST
    if not isinstance(failure, RejectedPositiveData):
        return True
    body = response.json()
    fields = {".".join(one["field"].split(".")[:2]) for one in body.get("errors") or ()}
    return body["code"] not in BEYOND_THE_SCHEMA and not (fields and fields <= BEYOND_THE_SCHEMA)


class RealBodies:
    """Gives bodies what no dictionary can: a code of this moment, and several fields at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._documents = count(1)

    def __call__(self, context: HookContext, case: Case[Any]) -> Case[Any]:
        if isinstance(case.body, dict):
            self._complete(case, case.body)
        return case

    def _complete(self, case: Case[Any], form: dict[str, Any]) -> None:
        if form.get("code") == LIVE_CODE:
            form["code"] = self._world.live_code()
        for row in _rows(form):
            if (person := row.get("person_id")) in self._world.known["person_id"]:
                row.clear()
                row.update(person_id=person, evidence=self._evidence())
        if form.get("evidence") == {}:
            form["evidence"] = self._evidence()
            for choice in ("grade", "points"):  # which only some rules leave
                form.pop(choice, None)
            if KEY in case.headers:  # the same key is drawn again and again
                case.headers[KEY] = str(uuid4())
        if isinstance(file := form.get("file"), str) and len(file) <= 3:
            form["file"] = self._world.sheet
        if form.get("rule_key") in self._world.known.get("rule_key", ()):
            form["rule_key"] = RULES.get(case.operation.path, "commendation")

    def _evidence(self) -> dict[str, str]:
        """Return evidence that no award has named yet."""
        return EVIDENCE | {"document": f"扬青发〔2026〕{next(self._documents)}号"}


def _rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    rows = body.get("rows")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def run(app: FastAPI, world: World, rounds: Sequence[Amount]) -> Report:
    """Send what the document of an application promises, and what it forbids.

    Blocks; the application lives meanwhile on an event loop of Schemathesis' own.
    """
    counting, report = Counting(app), Report()
    try:
        for seed, amount in enumerate(rounds):
            config = _config(world, amount, seed) | {"operations": _left_out(app, *amount.part)}
            schema = schemathesis.openapi.from_asgi(
                "/openapi.json", counting, config=SchemathesisConfig.from_dict(config)
            )
            schema.hooks.hook("filter_failure")(_is_a_finding)
            schema.hooks.hook("map_case")(RealBodies(world))
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
            for place in ("path", "query", "body")
        },
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
            f"{response.status_code} {response.content[:300]!r}" if response is not None else "none"
        )
        for check in checks:
            if check.failure_info is not None:
                failure, sample = check.failure_info.failure, check.failure_info.code_sample
                text = f"{phase}: {failure}, answered by {answer}\n{sample}"
                report.findings.append(Finding(check.name, failure.operation, text))
