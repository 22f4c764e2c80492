"""A private Valkey that a test may freeze or kill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from app.embedded.layout import valkey_program
from tests.faults.waiting import until

# A port that nobody listens on: refused at once.
NOWHERE = "redis://127.0.0.1:1/0"


@dataclass(frozen=True)
class Valkey:
    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def private_valkey(folder: Path) -> Iterator[Valkey]:
    """Run a Valkey on a socket in the folder; it answers when the block begins."""
    file = folder / "s"
    words = ["--port", "0", "--unixsocket", str(file), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(  # noqa: S603 - the program of our own wheel
        [valkey_program(), *words, "--logfile", str(folder / "log")], cwd=folder
    )
    try:
        with redis.Redis.from_url(f"unix://{file}") as client:
            until(lambda: answers(client))
        yield Valkey(f"unix://{file}", process)
    finally:
        process.kill()
        process.wait(10)


def answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
