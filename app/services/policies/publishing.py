"""Checking, comparing and publishing policy documents."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Busy
from app.models.orgs import Org
from app.queries import policies as queries
from app.queries.ledger import units as units_queries
from app.schemas.policies import PolicyDocument, PolicyTightening
from app.services import audit
from app.services.policies.history import ROOT, Draft, PolicyHistory, is_whole, load
from app.services.policies.reading import (
    DocumentError,
    Path,
    PolicyInvalid,
    Table,
    dotted,
    line_numbers,
    line_of,
    parse,
    require_consistent,
    shaped,
    without,
)
from app.services.policies.tightening import Looser, get, tighten

# From the command to the database; only the first version ever may begin earlier.
PAST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs between two policies; None where one of them has none."""

    path: str
    before: Any
    after: Any


def check(source: str, above: Table | None = None) -> PolicyDocument:
    """Check a document: a programme's whole one, or one that tightens ``above``.

    Returns what would be in force. Raises PolicyInvalid, every mistake with its line.
    """
    table = parse(source)
    if not is_whole(table):
        if above is None:
            zh, en = "缺少 [programme]，且上级没有生效的办法", "no [programme], and nothing above"
            raise PolicyInvalid([DocumentError(1, "", zh, en)])
        table = _tightened(table, above, source)
    document = shaped(PolicyDocument, table, source)
    if is_whole(parse(source)) and above is not None:
        _require_own_unit(document, above, source)
    is_below = above is not None and not is_whole(parse(source))
    require_consistent(document, source, PolicyDocument.model_validate(above) if is_below else None)
    return document


def _tightened(table: Table, above: Table, source: str) -> Table:
    """Tighten ``above``. Raises PolicyInvalid with what is no tightening, and what loosens."""
    problems: list[DocumentError] = []
    try:
        shaped(PolicyTightening, table, source)
    except PolicyInvalid as invalid:
        problems = invalid.problems
        table = without(table, [one.path.split(".") for one in problems])
        try:
            shaped(PolicyTightening, table, source)
        except PolicyInvalid:
            raise invalid from None
    merged, looser = tighten(above, table)
    lines = line_numbers(source)
    problems += [_loosened(one, lines) for one in looser]
    if problems:
        raise PolicyInvalid(problems)
    return merged


def _require_own_unit(document: PolicyDocument, above: Table, source: str) -> None:
    """Refuse another programme in the unit of the one above: its rules could be any looser."""
    if document.programme.unit == get(above, ("programme", "unit")):
        zh = "上级的办法用这种积分；只写更严的几行，不写 [programme]"
        en = "the rules above give in this unit: write only what is stricter, without [programme]"
        raise _unit_refused(source, zh, en)


async def check_at(tx: Session, source: str, org: Org | None, at: datetime) -> PolicyDocument:
    """Check a document where it would be published, and when. Raises PolicyInvalid."""
    document = check(source, await above(tx, org, at))
    unit = document.programme.unit
    if not is_whole(parse(source)):
        return document
    if unit not in await units_queries.units(tx):
        en = f"the ledger has no unit {unit}; an operator opens it: qingxiang ledger open-unit"
        raise _unit_refused(source, "账本中没有这个单位", en)
    _require_free_unit(unit, await load(tx), org, source)
    return document


def _require_free_unit(unit: str, found: PolicyHistory, org: Org | None, source: str) -> None:
    """Refuse a programme in the unit of another organisation: its points count in their shops."""
    if found.givers(unit) - {org.code if org else None}:
        zh, en = "另一机构的办法用这种积分", "another organisation's programme gives in this unit"
        raise _unit_refused(source, zh, en)


def _unit_refused(source: str, zh: str, en: str) -> PolicyInvalid:
    path = ("programme", "unit")
    return PolicyInvalid([DocumentError(line_of(path, line_numbers(source)), dotted(path), zh, en)])


def _loosened(one: Looser, lines: dict[Path, int]) -> DocumentError:
    if one.above is None:
        zh, en = "上级没有这一项，下级不能增加", "does not exist above, and may not be added"
    else:
        zh = f"比上级宽：上级 {one.above}，这里 {one.below}"
        en = f"looser than above: {one.above} there, {one.below} here"
    return DocumentError(line_of(one.path, lines), dotted(one.path), zh, en)


async def above(tx: Session, org: Org | None, at: datetime) -> Table | None:
    """Return what would stand above a document of this organisation."""
    if org is None:
        return None
    parent = org.path.removesuffix(f"{org.code}/")
    found = await load(tx)
    versions = found.versions(at, parent)
    return found.table(versions) if versions else None


async def publish(
    tx: Session,
    source: str,
    *,
    org: Org | None = None,
    effective_from: datetime | None = None,
    by: UUID | None = None,
) -> int:
    """Publish the next version; return its number.

    ``org`` None: for everybody who has no programme of their own. Raises PolicyInvalid, and
    Busy when somebody else publishes at this moment.
    """
    at = effective_from or now()
    if at < now() - PAST and await queries.newest(tx) is not None:
        en = "takes effect in the past: what was awarded was awarded by the rules of its day"
        raise PolicyInvalid([DocumentError(1, "", "生效时间已过", en)])
    await check_at(tx, source, org, at)
    org_id = org.id if org else None
    version = await queries.insert(
        tx, org_id=org_id, effective_from=at, source=source, published_by=by
    )
    if version is None:
        raise Busy
    subject = ("policy", UUID(int=version))
    await audit.write_about(tx, by, "published", subject, org_id)
    return version


async def compare(tx: Session, source: str, org: Org | None, at: datetime) -> list[Change]:
    """Say what a document would change where it is published. Raises PolicyInvalid."""
    standing = await above(tx, org, at)
    await check_at(tx, source, org, at)
    table = parse(source)
    if not is_whole(table) and standing is not None:
        table, _ = tighten(standing, table)
    found = await load(tx)
    versions = found.versions(at, org.path if org else ROOT)
    before = dict(_leaves(found.table(versions))) if versions else {}
    after = dict(_leaves(table))
    return [
        Change(dotted(path), before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys(), key=dotted)
        if before.get(path) != after.get(path)
    ]


async def draft(tx: Session, source: str, org: Org | None) -> Draft:
    """Return what would be in force if a document were published now. Raises PolicyInvalid."""
    at = now()
    await check_at(tx, source, org, at)
    return (await load(tx)).with_draft(source, org.path if org else ROOT, at)


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Walk a document down to its values; a tier is named by its key, not by its place."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    elif path == ("tiers",):
        for tier in value:
            yield from _leaves(tier, (*path, tier["key"]))
    else:
        yield path, value
