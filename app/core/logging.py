"""Logs: structured, one line an event, a request id on each line of a request, no secret."""

import asyncio
import atexit
import io
import logging
import sys
from typing import Literal, TextIO, cast

import structlog

# A line may wait so long for company: a write of its own costs as much as a query.
DELAY_S = 0.1


class Lines(io.TextIOBase):
    """Standard error, written to a few times a second by a process that serves.

    Where no event loop runs, a line is written at once. A kill -9 takes the last lines
    with it; nothing else does.
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


def request_id() -> str | None:
    """Return the id of the running request; None outside of one."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def configure_logging(level: str, style: Literal["console", "json"]) -> None:
    """Send structlog and the standard library's loggers through one renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: the rich ones show local variables, and those hold codes and tokens.
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
    # httpx logs whole URLs, and WeChat wants our secret in one; our own middleware
    # writes the access log, with the route instead of the path.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True
