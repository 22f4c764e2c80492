"""Shapes of seals of days, and of the proofs of entries under them."""

from datetime import date

from pydantic import Field

from app.core.language import Bilingual
from app.schemas.base import Out
from app.schemas.notify import words

HEADINGS = {
    "day": Bilingual("日期", "Day"),
    "leaves": Bilingual("记录数", "Entries"),
    "root": Bilingual("根哈希", "Root"),
    "previous": Bilingual("前一封印", "Previous seal"),
    "seal": Bilingual("封印", "Seal"),
    "facts_root": Bilingual("事实根哈希", "Root of the facts"),
}


NOTICES = {
    "seal_published": words(
        ("账目已封存", "Day sealed"),
        "{day:day}的账目已封存，请抄存封存值：{seal}",
        "The ledger of {day:day} is sealed. Keep this seal: {seal}",
    ),
}


class SealOut(Out):
    """A day's seal: SHA-256 hashes in hexadecimal. ``seal`` covers the previous seal and this day.

    ``version`` 1 covers the entries; 2 also ``facts`` rows of awards, charges and so on, whose
    root is ``facts_root``. docs/check_proof.py defines both formats.
    """

    day: date = Field(description="The sealed day, in Asia/Shanghai.")
    leaves: int = Field(description="Entries of the day.")
    root: str = Field(description="Root of the entries: SHA-256 in hexadecimal.")
    previous: str = Field(description="The seal of the day before, in hexadecimal.")
    seal: str = Field(description="SHA-256 over the previous seal and this day, in hexadecimal.")
    version: int = Field(description="Format: 1 covers the entries; 2 the facts, too.")
    facts: int = Field(description="Rows of awards, charges and so on that are covered.")
    facts_root: str | None = Field(
        description="Root of the facts, in hexadecimal; null in version 1."
    )


class ProofLevel(Out):
    """Up to 64 hashes of a level; ``place`` is the index of the one on the path."""

    place: int = Field(description="Index in `nodes` of the one on the path, from 0.")
    nodes: list[str] = Field(description="Hashes of the level in hexadecimal, at most 64.")


class ProofOut(Out):
    """The sealed texts of an entry and the path from it to the root of its day.

    ``transfer`` is the text of the transfer, ``entry`` that of the person's entry. Their fields
    are described in docs/check_proof.py.
    """

    transfer: str = Field(description="Text of the transfer, as it was sealed.")
    entry: str = Field(description="Text of the person's entry, as it was sealed.")
    path: list[ProofLevel] = Field(description="Levels from the entry to the root of its day.")
    sealed: SealOut = Field(description="The seal of the day.")
