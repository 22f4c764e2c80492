"""Logs: structured, one line for each event, with the request id, without secrets."""

import asyncio
import atexit
import io
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO, cast

import structlog

# Lines are gathered for so long: a system call for each would cost as much as a query.
DELAY_S = 0.1


class Lines(io.TextIOBase):
    """Standard error, buffered for ``DELAY_S`` while an event loop runs.

    Without an event loop a line is written at once. Lines are lost only by a kill -9.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        atexit.register(self.drain)

    def write(self, text: str) -> int:
        self._lines.append(text)
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(DELAY_S, self.drain)
            except RuntimeError:
                self.drain()
        return len(text)

    def drain(self) -> None:
        lines, self._lines = self._lines, []
        sys.stderr.write("".join(lines))
        sys.stderr.flush()


_lines = Lines()
log = structlog.get_logger(__name__)
_writes_json = False


def request_id() -> str | None:
    """Return the id of the running request; None outside of one."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def log_request(*, method: str, route: str, status: int, ms: float, request_id: str) -> None:
    """Log a finished request. No value may contain what JSON escapes.

    In JSON the line is written here, as the processors would write it in five times the time.
    """
    if not _writes_json:
        log.info("request", method=method, route=route, status=status, ms=ms)
        return
    timestamp = datetime.now(UTC).isoformat().removesuffix("+00:00")
    _lines.write(
        f'{{"method": "{method}", "route": "{route}", "status": {status}, "ms": {ms},'
        f' "event": "request", "request_id": "{request_id}", "level": "info",'
        f' "timestamp": "{timestamp}Z"}}\n'
    )


def configure_logging(level: str, style: Literal["console", "json"]) -> None:
    """Send structlog and the standard library's loggers through one renderer."""
    global _writes_json  # noqa: PLW0603 - configured once for a process, like structlog itself
    _writes_json = style == "json" and level.lower() in ("debug", "info")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: those of rich show local variables, which may hold codes and tokens.
    rendering: list[structlog.typing.Processor] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if style == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _lines)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # httpx logs URLs, and those of WeChat contain our secret. The access log is written by
    # our middleware, with the pattern of the route instead of the path.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True
