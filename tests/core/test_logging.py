"""No secret in a log, in an error's body or in the metrics; a request id on every line."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]


def environment(settings: Settings, style: str) -> dict[str, str]:
    assert settings.database_url is not None
    assert settings.redis_url is not None
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QX_")}
    return kept | {
        "QX_DATABASE_URL": settings.database_url,
        "QX_REDIS_URL": settings.redis_url,
        "QX_SECRET_KEY": "canary-secret-key-of-32-bytes-and-more",
        "QX_WECHAT_SECRET": "canary-wechat-secret",
        "QX_LOG_LEVEL": "debug",
        "QX_LOG_FORMAT": style,
        "COLUMNS": "1000",
    }


@pytest.fixture(scope="module", params=["json", pytest.param("console", marks=pytest.mark.long)])
def told(request: pytest.FixtureRequest, unstarted: Settings) -> dict[str, Any]:
    """What the program with the canaries said and logged."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.canaries"],
        cwd=PROJECT,
        env=environment(unstarted, request.param),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"log": done.stderr, "style": request.param}


def test_no_secret_is_logged(told: dict[str, Any]) -> None:
    leaked = [name for name, secret in told["secrets"].items() if secret in told["log"]]
    assert leaked == []


def test_no_secret_is_in_an_error_or_in_the_metrics(told: dict[str, Any]) -> None:
    for text in told["refused"]:
        leaked = [name for name, secret in told["secrets"].items() if secret in text]
        assert leaked == [], text[:300]


def test_the_log_was_written_at_all(told: dict[str, Any]) -> None:
    """The negative control: failures are there, with what went wrong."""
    assert "unhandled" in told["log"]
    assert "RuntimeError" in told["log"]
    assert told["log"].count("/auth/wechat") >= 3
    assert len(told["refused"]) >= 8


def test_a_traceback_is_logged(told: dict[str, Any]) -> None:
    """An error without its place cannot be found."""
    assert "insert_token" in told["log"] or "_issue" in told["log"]


def test_every_line_of_a_request_has_its_id(told: dict[str, Any]) -> None:
    if told["style"] != "json":
        return
    lines = [json.loads(line) for line in told["log"].splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) >= 10
    assert all(line["request_id"] for line in requests)
    failed = next(line for line in lines if line["event"] == "unhandled")
    assert failed["request_id"] in {line["request_id"] for line in requests}
    assert all("route" in line and "ms" in line for line in requests)


def test_the_line_of_a_request_is_as_the_processors_write_it(told: dict[str, Any]) -> None:
    """It is written without them; another line of the same request shows how they write."""
    if told["style"] != "json":
        assert told["log"].count("route=/api/v1/") >= 10
        return
    raw = told["log"].splitlines()
    lines = [line for line in raw if json.loads(line)["event"] == "request"]
    assert lines == [json.dumps(json.loads(line), ensure_ascii=False) for line in lines]
    failed = next(one for one in map(json.loads, raw) if one["event"] == "unhandled")
    shared = [name for name in failed if name in ("event", "request_id", "level", "timestamp")]
    for line in map(json.loads, lines):
        assert list(line) == ["method", "route", "status", "ms", *shared]
        assert {line["timestamp"][-1], failed["timestamp"][-1]} == {"Z"}
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta()


def test_every_line_is_json(told: dict[str, Any]) -> None:
    if told["style"] == "json":
        for line in told["log"].splitlines():
            assert json.loads(line)["level"]
