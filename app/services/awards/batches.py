"""Batches: awards by hand row by row, as JSON or as the rows of a sheet.

All rows are checked and all mistakes reported. If any row has one, nothing is written, unless
the caller allows a partial batch: then the other rows are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.language import Bilingual
from app.core.normalize import normalized
from app.models.cards import serial_of
from app.queries import people as people_queries
from app.queries.awards import reviewing as queries
from app.queries.people import Named
from app.schemas.awards.batches import (
    BatchIn,
    BatchOut,
    BatchRowIn,
    BatchRowOut,
    Misread,
    MistakeOut,
)
from app.schemas.policies.documents import Rule
from app.services import people
from app.services.awards.granting import Granted
from app.services.awards.proposals import (
    Basis,
    ProposalItem,
    authorized,
    claim_numbers,
    give,
    mistakes_in,
    numbers_of,
)
from app.services.awards.wording import to_out
from app.services.people import CardGuesses
from app.services.policies import rules

UNKNOWN = ("查无此人", "nobody has it")
MERGED = ("该账号已合并", "the account was merged into another one")
MISTYPED = ("卡号有误", "not a number of a card")
GIVEN_ONCE = ("once", "community_year")


class RowsWrong(Refusal):
    """``fields``: the mistakes, with their rows."""

    code, status, title = "awards.rows_wrong", 422, "Rows wrong"
    zh, en = "部分行有误，未写入任何积分", "Some rows are wrong; nothing was written."
    fact_names = ("proposed", "refused")


@dataclass(slots=True)
class Row:
    """A row in progress. ``body`` is None if it could not be parsed."""

    number: int
    body: BatchRowIn | None
    mistakes: list[MistakeOut] = field(default_factory=list)
    person_id: UUID | None = None

    def refuse(self, name: str, zh: str, en: str) -> None:
        self.mistakes.append(MistakeOut(field=name, msg=Bilingual(zh, en)))

    @property
    def line(self) -> ProposalItem:
        assert self.body is not None
        assert self.person_id is not None
        one = self.body
        return ProposalItem(self.person_id, one.quantity, one.evidence, one.grade, one.points)


def row_of(number: int, read: BatchRowIn | Misread) -> Row:
    if isinstance(read, Misread):
        return Row(number, None, read.mistakes)
    return Row(number, read)


async def propose_batch(tx: Session, caller: UUID, body: BatchIn, guesses: CardGuesses) -> BatchOut:
    """Propose awards row by row: pending until others approve.

    Raises OrgNotFound, Forbidden, Invalid, RowsWrong, TooManyProposals, and what ``guesses``
    raises.
    """
    basis = await authorized(tx, caller, body.org_id, body.rule_key)
    rows = [row_of(number, row) for number, row in enumerate(body.rows, start=1)]
    return await propose_rows(tx, caller, basis, rows, guesses, partial=body.partial)


async def propose_rows(
    tx: Session,
    caller: UUID,
    basis: Basis,
    rows: Sequence[Row],
    guesses: CardGuesses,
    *,
    partial: bool,
) -> BatchOut:
    """Check rows and give their awards.

    Raises RowsWrong, TooManyProposals, and what ``guesses`` raises.
    """
    names = await _people(tx, rows, guesses)
    _check(basis.rule, _right(rows))
    proposal = new_id()
    await _claim(tx, basis, proposal, rows)
    right = _right(rows)
    if not right or (len(right) < len(rows) and not partial):
        raise RowsWrong(
            fields=list(_problems(rows)), proposed=len(right), refused=len(rows) - len(right)
        )
    given = await give(tx, caller, basis, proposal, [row.line for row in right])
    awards = {row.number: one for row, one in zip(right, given, strict=True)}
    return BatchOut(
        proposed=len(right),
        refused=len(rows) - len(right),
        rows=[_reported(row, names, awards.get(row.number)) for row in rows],
    )


def _right(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not row.mistakes]


async def _people(tx: Session, rows: Sequence[Row], guesses: CardGuesses) -> dict[UUID, Named]:
    """Set the person of each row; return the names of these people.

    Unknown cards count as guesses in batches that are written too. A mistyped number is refused
    by its check digit, without a look at the cards.
    """
    bodies = [row.body for row in rows if row.body is not None]
    numbers = {one.card_no for one in bodies if one.card_no is not None}
    holders = await people.by_card(tx, numbers, guesses)
    asked = {one.person_id for one in bodies if one.person_id is not None}
    there = await people_queries.existing(tx, sorted(asked | set(holders.values())))
    names = await people_queries.names(tx, sorted(there))
    merged = await people_queries.kept(tx, sorted(asked))
    for row in rows:
        if row.body is None:
            continue
        card_no = row.body.card_no
        found = row.body.person_id if card_no is None else holders.get(card_no)
        if found in merged:
            row.refuse("person_id", *MERGED)
        elif found in names:
            row.person_id = found
        elif card_no is None:
            row.refuse("person_id", *UNKNOWN)
        else:
            row.refuse("card_no", *(MISTYPED if serial_of(card_no) is None else UNKNOWN))
    return names


def _check(rule: Rule, rows: Sequence[Row]) -> None:
    lines = [row.line for row in rows]
    for mistake in mistakes_in(rule, lines):
        rows[mistake.line].refuse(mistake.field, mistake.zh, mistake.en)
    first: dict[tuple[Any, ...], int] = {}
    for row, line in zip(rows, lines, strict=True):
        number = first.setdefault(_act(rule, line), row.number)
        if number != row.number:
            row.refuse("row", f"与第 {number} 行重复", f"the same as row {number}")


def _act(rule: Rule, line: ProposalItem) -> tuple[Any, ...]:
    """Return the identity of a line's act: two lines with the same one are duplicates."""
    if rule.per in GIVEN_ONCE:
        return (line.person_id,)
    evidence = (normalized(line.evidence.get(name, "")) for name in rules.demanded(rule))
    return (line.person_id, line.quantity, line.grade, line.points, *evidence)


async def _claim(tx: Session, basis: Basis, proposal: UUID, rows: Sequence[Row]) -> None:
    """Use up the evidence numbers of the rows. A row with a used one is refused and claims none."""
    claiming = _right(rows)
    used = await claim_numbers(tx, basis, proposal, [row.line for row in claiming])
    if not used:
        return
    kept: set[tuple[str, str]] = set()
    for row in claiming:
        numbers = set(numbers_of(basis.rule, row.line))
        for name, _ in sorted(numbers & used):
            row.refuse(f"evidence.{name}", "该编号已用于其他申报", "used in another proposal")
        kept |= set() if row.mistakes else numbers
    await queries.give_back_numbers(tx, proposal, sorted(kept))


def _problems(rows: Sequence[Row]) -> Iterator[dict[str, str | int | Bilingual]]:
    if not rows:
        yield {"field": "rows", "msg": Bilingual("没有数据行", "there are none")}
    for row in rows:
        for mistake in row.mistakes:
            yield {"row": row.number, "field": mistake.field, "msg": mistake.msg}


def _reported(row: Row, names: dict[UUID, Named], given: Granted | None) -> BatchRowOut:
    """Report a row. Whose card it is, is told only with an award, which leaves a trace."""
    award = given.award if given else None
    person_id = award.person_id if award else row.body.person_id if row.body else None
    return BatchRowOut(
        row=row.number,
        person_id=person_id,
        display_name=people.masked(names[award.person_id].display_name) if award else None,
        award=to_out(award) if award else None,
        points_if_approved_now=given.left if given else None,
        mistakes=row.mistakes,
    )
