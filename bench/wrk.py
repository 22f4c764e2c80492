"""wrk: the load generator, which costs less of the cores than the service that it asks."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

CONNECTIONS = 64
THREADS = 2
HERE = Path(__file__).parent


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
    rate: float = 0,
) -> Load:
    """Send the requests over and over, or each ``once``, for so many seconds.

    ``rate``: how many requests fall due a second, whatever becomes of those before them; 0: as
    many as the connections get answered.
    """
    with TemporaryDirectory() as folder:
        file = _file(folder, "requests", (request.line() for request in requests))
        arguments = (file, THREADS, "once" if once else "again", rate)
        result = _result("requests.lua", url, seconds, connections, *arguments)
    count, duration, refused, broken, *latencies = (int(part) for part in result)
    return Load(count, duration / 1e6, refused, broken, *(each / 1000 for each in latencies))


@dataclass(frozen=True)
class Rush:
    """What became of a rush: replies by status, those that refuse without a Retry-After."""

    seconds: float
    statuses: Counter[int]
    without_retry_after: int
    broken: int  # connections that failed

    @property
    def goodput(self) -> float:
        """What was created a second."""
        return self.statuses[201] / self.seconds

    @property
    def offered(self) -> float:
        """Requests a second."""
        return self.statuses.total() / self.seconds


def rush(
    url: str,
    tokens: Iterable[str],
    paths: Sequence[str],
    seconds: int,
    *,
    connections: int = CONNECTIONS,
    rate: float = 0,
) -> Rush:
    """Let everybody post an empty object to each path, path after path.

    ``rate`` as above.
    """
    with TemporaryDirectory() as folder:
        files = (_file(folder, "tokens", tokens), _file(folder, "paths", paths))
        result = _result("rush.lua", url, seconds, connections, *files, THREADS, rate)
    duration, broken, silent, *counts = result
    pairs = (each.split("=") for each in counts)
    statuses = Counter({int(status): int(count) for status, count in pairs})
    return Rush(int(duration) / 1e6, statuses, int(silent), int(broken))


def _file(folder: str, name: str, lines: Iterable[str]) -> Path:
    path = Path(folder, name)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def _result(script: str, url: str, seconds: int, connections: int, *arguments: object) -> list[str]:
    words = [
        *("wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / script)),
        *(url, "--", *(str(each) for each in arguments)),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return next(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("RESULT"))
