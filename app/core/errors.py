"""Refusals: named error classes, rendered in one place as RFC 9457 problems.

A service raises one, such as ``ActivityFull()``, and knows nothing else of HTTP. ``main.py``
installs the handler that renders them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from app.core.language import Bilingual, Language

T = TypeVar("T")


class Refusal(Exception):
    """An expected error: a stable dotted code, an HTTP status, a sentence in two languages.

    ``retry_after`` (seconds) becomes the header of the same name.
    ``headers`` are added to the reply. ``fields`` lists what is wrong with the request,
    as ``{"field", "msg"}`` items, of a batch with the ``row``; ``msg`` is Bilingual.
    ``facts`` let a screen say when, how many, which: ``limit``, ``used``, ``opens_at``; a class
    declares the names of those that it may have as ``fact_names``.
    ``zh``, ``en``: what lists of all refusals say of it.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    zh: ClassVar[str]
    en: ClassVar[str]
    fact_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
        fields: Sequence[Mapping[str, Any]] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(self.code)
        self.retry_after = retry_after
        self.headers = headers or {}
        self.fields = fields
        self.facts = facts
        self.words: Bilingual | None = None  # said instead, to somebody else than it is about

    def sentence(self) -> Bilingual:
        """Return what is said. A refusal with several causes chooses by its facts."""
        return Bilingual(self.zh, self.en)

    def message(self, language: Language) -> str:
        return (self.words or self.sentence()).said(language)


class Invalid(Refusal):
    code, status, title = "request.invalid", 422, "Invalid request"
    zh, en = "请求内容有误，请检查后重试", "The request is not valid."


class Malformed(Refusal):
    code, status, title = "request.malformed", 400, "Malformed request"
    zh, en = "请求无法解析", "The request could not be parsed."


class TooLarge(Refusal):
    code, status, title = "request.too_large", 413, "Request too large"
    zh, en = "请求内容过大", "The request is too large."
    fact_names = ("limit", "measure")


class PreconditionMissing(Refusal):
    code, status, title = "request.precondition_required", 428, "Precondition required"
    zh, en = (
        "缺少 If-Match：请先读取最新内容再修改",
        "If-Match is missing: read the current version before changing it.",
    )


class PreconditionFailed(Refusal):
    """Somebody else changed it since the caller read it. Fact: ``version``, the current one."""

    code, status, title = "request.precondition_failed", 412, "Precondition failed"
    zh, en = (
        "内容已被他人修改，请刷新后重试",
        "Somebody else has changed this meanwhile; read it again.",
    )
    fact_names = ("version",)


class UnknownRoute(Refusal):
    code, status, title = "request.unknown_route", 404, "No such route"
    zh, en = "接口不存在", "There is no such route."


class MethodNotAllowed(Refusal):
    code, status, title = "request.method_not_allowed", 405, "Method not allowed"
    zh, en = "不支持该请求方法", "This method is not allowed here."


class HostNotAllowed(Refusal):
    code, status, title = "request.host_not_allowed", 400, "Host not allowed"
    zh, en = "请求的主机名无效", "This host name is not served here."


class RateLimited(Refusal):
    code, status, title = "request.rate_limited", 429, "Too many requests"
    zh, en = "操作太频繁，请稍后再试", "Too many requests; try again later."
    fact_names = ("limit", "window", "retry_after")


class Busy(Refusal):
    """The service is overloaded, or PostgreSQL or Redis did not answer in time.

    The request may or may not have been done: the client repeats it with the same key.
    """

    code, status, title = "service.busy", 503, "Service busy"
    zh, en = "服务繁忙，请稍后再试", "The service is busy; try again in a moment."
    fact_names = ("retry_after",)


class LockTimeout(Busy):
    """Another transaction held a lock too long: the engine answers, and other work may go on."""


class ClockWrong(Refusal):
    """The process's clock and PostgreSQL's differ too much to date a transfer."""

    code, status, title = "service.clock", 503, "Clock wrong"
    zh, en = (
        "服务器时钟有误，暂停办理，请稍后再试",
        "The clock of the server is wrong; try again when it has been set.",
    )
    fact_names = ("retry_after",)


class Internal(Refusal):
    code, status, title = "service.internal", 500, "Internal error"
    zh, en = "服务内部错误", "Something went wrong on our side."


def unwrap(outcomes: Sequence[T | Refusal]) -> T:
    """Return the outcome of a batch of one, raising it if it is a refusal."""
    assert len(outcomes) == 1, "one command, one outcome"
    outcome = outcomes[0]
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome
