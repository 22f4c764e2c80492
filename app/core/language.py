"""The language of a reply: Chinese, or English if the caller prefers it.

Services return facts, enums and ``Bilingual`` sentences. One language is chosen where a reply is
rendered; ``request_language`` returns that of the running request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

Language = Literal["zh-CN", "en"]
# The request's Accept-Language header, parsed only where words are rendered.
_accepted: ContextVar[str] = ContextVar("accept_language", default="")


class Bilingual(NamedTuple):
    """A sentence in both languages."""

    zh: str
    en: str

    def said(self, language: Language | None = None) -> str:
        """Return the sentence in a language, by default that of the running request."""
        return self.zh if (language or request_language()) == "zh-CN" else self.en


def named(name: str, name_en: str | None) -> Bilingual:
    """Return a name in both languages: the Chinese one where it has no English one."""
    return Bilingual(name, name_en or name)


def set_request_language(accept_language: str) -> None:
    """Store the Accept-Language header of a request in its context."""
    _accepted.set(accept_language)


def request_language() -> Language:
    """Return the language of the running request; Chinese outside of one."""
    return preferred(_accepted.get())


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Render in a language that is not the running request's: of a batch of several requests."""
    token = _accepted.set(language)
    try:
        yield
    finally:
        _accepted.reset(token)


def preferred(accept_language: str) -> Language:
    """Choose by an Accept-Language header (RFC 9110, 12.5.4); at most 200 characters are read."""
    return _preferred(accept_language[:200])


@lru_cache(maxsize=1000)
def _preferred(accept_language: str) -> Language:
    best, best_q = "zh-CN", 0.0
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            q = float(weight or 1)
        except ValueError:
            continue
        if tag[:2].lower() in ("en", "zh") and q > best_q:
            best, best_q = tag[:2].lower(), q
    return "en" if best == "en" else "zh-CN"


# The name of who closed the account: the Chinese one is stored in place of the person's.
CLOSED_ACCOUNT = Bilingual("已注销用户", "Closed account")


def _shown_name(name: str | None) -> str | None:
    return CLOSED_ACCOUNT.said() if name == CLOSED_ACCOUNT.zh else name


# The name of a person, masked or not: of one who closed the account, in the caller's language.
PersonName = Annotated[str, PlainSerializer(_shown_name, return_type=str)]


def _sentence(value: object) -> Bilingual:
    if not isinstance(value, (list, tuple)):
        raise ValueError("expected a sentence in both languages")  # noqa: TRY004 - pydantic's
    return Bilingual(*value)


# On the wire a string: one language, that of the request.
Worded = Annotated[
    Bilingual,
    PlainValidator(_sentence),  # the pair itself is no shape of the API
    PlainSerializer(lambda sentence: sentence.said(), return_type=str),
    WithJsonSchema({"type": "string"}),
]
