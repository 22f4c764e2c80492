"""Checking and publishing policy documents."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Busy
from app.models.orgs import Org
from app.queries import policies as queries
from app.queries.ledger import units as units_queries
from app.schemas.base import STORED
from app.schemas.policies.documents import PolicyDocument, PolicyTightening
from app.services import audit
from app.services.policies.history import ROOT, Draft, PolicyHistory, is_whole, load
from app.services.policies.reading import (
    Contradiction,
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
from app.services.policies.rules import PointsPolicy, by_attendance
from app.services.policies.tightening import RELEASE, Looser, get, tighten

# Time between command and insertion. Only the first version ever may take effect earlier.
PAST = timedelta(minutes=5)


def check(source: str, above: Table | None = None) -> PolicyDocument:
    """Check a document: a whole programme, or one that tightens ``above``.

    Returns what would be in force. Raises PolicyInvalid with every error and its line.
    """
    table = parse(source)
    if not is_whole(table):
        if above is None:
            zh, en = "缺少 [programme]，且上级没有生效的办法", "no [programme], and nothing above"
            raise PolicyInvalid([DocumentError(1, "", zh, en)])
        table = _tightened(table, above, source)
    is_below = above is not None and not is_whole(parse(source))
    # A document below names nothing itself.
    document = shaped(PolicyDocument, table, source, STORED if is_below else None)
    if is_whole(parse(source)) and above is not None:
        _require_own_unit(document, above, source)
    standing = PolicyDocument.model_validate(above, context=STORED) if is_below else None
    require_consistent(document, source, standing)
    return document


def warnings(document: PolicyDocument, source: str) -> list[DocumentError]:
    """Return where ``source`` lets fewer people decide, or sooner, than the rest of the document.

    A whole programme may. A document below may not: there it is an error.
    """
    lines = line_numbers(source)
    found = {
        path: DocumentError(line_of(path, lines), dotted(path), zh, en)
        for path, zh, en in (*_loose(document), *_without_effect(document))
        if path in lines or (path[0] == "release" and path[:2] in lines)
    }
    return list(found.values())


def _loose(document: PolicyDocument) -> Iterator[Contradiction]:
    """Yield where awards by hand need no reviewer, and where a rule needs less than the others."""
    general = document.release
    if not general["manual"].reviewers:
        en = "nobody reviews awards by hand"
        yield ("release", "manual", "reviewers"), "人工申报的奖励无须任何人审核", en
    for key, rule in document.rules.items():
        for proof, own in rule.release.items():
            standing = general.get(proof) or general["manual"]
            for (name,), stricter in RELEASE.items():
                kept, asked = getattr(standing, str(name)), getattr(own, str(name))
                if name not in own.model_fields_set or kept is None:
                    continue
                if asked is None or stricter(kept, asked) != asked:
                    zh = f"比一般规定宽：一般 {kept}，这里 {asked}"
                    en = f"looser than for other rules: {kept} there, {asked} here"
                    yield ("rules", key, "release", proof, str(name)), zh, en


def _without_effect(document: PolicyDocument) -> Iterator[Contradiction]:
    """Yield where a rule asks attendance for less review than it has by hand.

    It is asked for all the same: see ``PointsPolicy.release``.
    """
    policy = PointsPolicy(0, 0, document)
    for key, rule in document.rules.items():
        for proof, own in rule.release.items():
            kept = policy.release(rule, proof)
            for name in ("reviewers", "second_reviewer_from"):
                asked, asked_by_hand = getattr(own, name), getattr(kept, name)
                if asked != asked_by_hand and by_attendance(rule):
                    zh = f"凭签到发放与人工申报同样审核：按 {asked_by_hand}，{asked} 不起作用"
                    en = f"attendance is reviewed as by hand: {asked_by_hand}, not {asked}"
                    yield ("rules", key, "release", proof, name), zh, en


def _tightened(table: Table, above: Table, source: str) -> Table:
    """Tighten ``above``. Raises PolicyInvalid for unknown keys and for looser values."""
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
    """Refuse a programme in the unit of the one above: it could loosen the rules above."""
    if document.programme.unit == get(above, ("programme", "unit")):
        zh = "上级的办法用这种积分；只写更严的几行，不写 [programme]"
        en = "the rules above give in this unit: write only what is stricter, without [programme]"
        raise _unit_refused(source, zh, en)


async def check_at(tx: Session, source: str, org: Org | None, at: datetime) -> PolicyDocument:
    """Check a document for a place and a time of publication. Raises PolicyInvalid."""
    # In a thread: a large document takes half a second.
    document = await asyncio.to_thread(check, source, await above(tx, org, at))
    unit = document.programme.unit
    if not is_whole(parse(source)):
        return document
    if unit not in await units_queries.units(tx):
        en = f"the ledger has no unit {unit}; an operator opens it: qingxiang ledger open-unit"
        raise _unit_refused(source, "账本中没有这个单位", en)
    _require_free_unit(unit, await load(tx), org, source)
    return document


def _require_free_unit(unit: str, found: PolicyHistory, org: Org | None, source: str) -> None:
    """Refuse another organisation's unit: its points are accepted by that one's merchants."""
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
    """Return the policy above a document of this organisation, None if there is none."""
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
    after: int | None = None,
) -> int:
    """Publish the next version; return its number.

    ``org`` None: for all organisations without a programme of their own. ``after``: only if this
    is still the newest version published for the organisation or above it. Raises PolicyInvalid,
    and Busy if another version is published concurrently.
    """
    at = effective_from or now()
    if at < now() - PAST and await queries.newest(tx) is not None:
        en = "takes effect in the past: what was awarded was awarded by the rules of its day"
        raise PolicyInvalid([DocumentError(1, "", "生效时间已过", en)])
    await check_at(tx, source, org, at)
    org_id = org.id if org else None
    version = await queries.insert(
        tx,
        org_id=org_id,
        effective_from=at,
        source=source,
        published_by=by,
        after=None if after is None else (org.path if org else ROOT, after),
    )
    if version is None:
        raise Busy
    await write_audit(tx, by, version, org_id, at, source)
    return version


async def write_audit(
    tx: Session, by: UUID | None, version: int, org_id: UUID | None, begins: datetime, source: str
) -> None:
    """Write the entry of a publication, with the hash of the document."""
    facts: audit.Facts = {
        "version": version,
        "effective_from": begins.astimezone(UTC).isoformat(),
        "sha256": sha256(source.encode()).hexdigest(),
    }
    subject = ("policy", UUID(int=version))
    await audit.write_about(tx, by, "published", subject, org_id, facts=facts)


async def draft(tx: Session, source: str, org: Org | None) -> Draft:
    """Return what would be in force if a document were published now. Raises PolicyInvalid."""
    at = now()
    await check_at(tx, source, org, at)
    units = await units_queries.units(tx)
    return (await load(tx)).with_draft(source, org.path if org else ROOT, at, units)
