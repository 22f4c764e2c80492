"""wrk: the load generator, one request a line of a file."""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

CONNECTIONS = 64
THREADS = 2
SCRIPT = Path(__file__).with_name("requests.lua")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str = ""
    key: str = ""
    body: str = ""
    etag: str = ""

    def line(self) -> str:
        return "\t".join((self.method, self.path, self.token, self.key, self.body, self.etag))


@dataclass(frozen=True)
class Load:
    """What wrk saw; latencies in milliseconds."""

    requests: int
    seconds: float
    refused: int  # replies of 400 and above
    broken: int  # connections that failed, and requests without a reply in 2 s
    p50: float
    p90: float
    p99: float
    longest: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk")


def wrk(
    url: str,
    requests: Iterable[Request],
    seconds: int,
    *,
    once: bool = False,
    connections: int = CONNECTIONS,
    pause_ms: int = 0,
) -> Load:
    """Send the requests over and over, or each ``once``, for so many seconds.

    ``pause_ms``: how long each connection rests between two requests, on average.
    """
    with NamedTemporaryFile("w", suffix=".tsv") as file:
        file.writelines(f"{request.line()}\n" for request in requests)
        file.flush()
        words = [
            *("wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT)),
            *(url, "--", file.name, str(THREADS), "once" if once else "again", str(pause_ms)),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    count, duration, refused, broken, *latencies = (int(part) for part in line.split()[1:])
    return Load(count, duration / 1e6, refused, broken, *(each / 1000 for each in latencies))
