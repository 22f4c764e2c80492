"""Shapes of seals of days, and of the proofs of entries under them."""

from datetime import date

from app.schemas.base import Out
from app.schemas.notify import words

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

    day: date
    leaves: int
    root: str
    previous: str
    seal: str
    version: int
    facts: int
    facts_root: str | None


class ProofLevel(Out):
    """Up to 64 hashes of a level; ``place`` is the index of the one on the path."""

    place: int
    nodes: list[str]


class ProofOut(Out):
    """The sealed texts of an entry and the path from it to the root of its day.

    ``transfer`` is the text of the transfer, ``entry`` that of the person's entry. Their fields
    are described in docs/check_proof.py.
    """

    transfer: str
    entry: str
    path: list[ProofLevel]
    sealed: SealOut
