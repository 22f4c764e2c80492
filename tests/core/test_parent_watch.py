"""A child ends when its parent does, however the parent died."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from app.core.parent_watch import PARENT, watch_parent
from tests.faults.waiting import until

PROJECT = Path(__file__).resolve().parents[2]
CHILD = """
import signal
from app.core.parent_watch import watch_parent
with watch_parent():
    print("following", flush=True)
    signal.pause()
"""
PARENT_PROGRAM = f"""
import os, subprocess, sys
env = os.environ | {{"{PARENT}": str(os.getpid())}}
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env=env, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def family() -> tuple["subprocess.Popen[str]", psutil.Process]:
    parent = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PARENT_PROGRAM],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    return parent, psutil.Process(int(parent.stdout.readline()))


def ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_of_a_killed_parent_ends(number: signal.Signals) -> None:
    parent, child = family()
    assert not ended(child)
    parent.send_signal(number)
    parent.communicate()
    until(lambda: ended(child), 5)


def test_the_child_of_a_living_parent_stays() -> None:
    parent, child = family()
    assert not ended(child)
    parent.communicate()
    until(lambda: ended(child), 5)


def test_without_a_parent_to_follow_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT, raising=False)
    before = threading.active_count()
    with watch_parent():
        assert threading.active_count() == before


def test_nobody_follows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, str(os.getpid()))
    before = threading.active_count()
    with watch_parent():
        assert threading.active_count() == before


def test_the_watcher_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, str(os.getppid()))
    with watch_parent():
        assert any(thread.name == "follow-parent" for thread in threading.enumerate())
    assert not any(thread.name == "follow-parent" for thread in threading.enumerate())
