"""Starting: the job worker beside the server runs, whatever ends it."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from app import serve

ENDS, LIVES = "pass", "import signal; signal.pause()"


class Starts:
    """Stands for ``subprocess.Popen``: what each start does, one after the other."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.outcomes = list(outcomes)
        self.environments: list[Any] = []
        self.all_done = threading.Event()

    def __call__(self, command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        self.environments.append(options["env"])
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.all_done.set()
        if isinstance(outcome, Exception):
            raise outcome
        return POPEN([sys.executable, "-c", outcome], **options)


POPEN = subprocess.Popen


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Starts]:
    """Return a function that decides what the next starts of a worker do."""
    monkeypatch.setattr(serve, "RESTART_AFTER_S", 0.01)
    monkeypatch.setattr(serve, "MAX_RESTART_AFTER_S", 0.02)

    def decide(*outcomes: Exception | str) -> Starts:
        found = Starts(*outcomes)
        monkeypatch.setattr(subprocess, "Popen", found)
        return found

    return decide


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.EFAULT, "Bad address"),
        OSError(errno.EAGAIN, "no process"),
        MemoryError(),
        ENDS,
    ],
    ids=["EFAULT", "EAGAIN", "no memory", "it ends at once"],
)
def test_a_worker_that_could_not_be_run_is_started_again(
    starts: Callable[..., Starts], failure: Exception | str
) -> None:
    found = starts(*[failure] * 5, LIVES)
    with serve._job_worker():
        assert found.all_done.wait(30)
    assert found.outcomes == []


def test_a_worker_gets_the_environment_of_before_its_thread(
    starts: Callable[..., Starts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no environment given, a start reads the live one, while others may change it."""
    monkeypatch.setenv("QX_OF_BEFORE", "1")
    found = starts(ENDS, LIVES)
    with serve._job_worker():
        monkeypatch.setenv("QX_OF_AFTER", "1")
        assert found.all_done.wait(30)
    assert "QX_OF_AFTER" in os.environ
    for environment in found.environments:
        assert environment["QX_OF_BEFORE"] == "1"
        assert "QX_OF_AFTER" not in environment
