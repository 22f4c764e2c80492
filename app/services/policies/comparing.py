"""What a document would change in the rules in force, and whether a change is stricter."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.db import Session
from app.models.orgs import Org
from app.schemas.policy_drafts import ChangeEffect
from app.services.policies.history import ROOT, is_whole, load
from app.services.policies.publishing import above, check_at
from app.services.policies.reading import Path, Table, dotted, parse
from app.services.policies.tightening import get, stricter_of, tighten, value_at, with_every_proof

# Where a document says nothing: the defaults of ``schemas/policies``. None stands for no limit.
_UNSAID: Mapping[str, Any] = {
    "wait_hours": 0,
    "reviewers": 0,
    "notice_days": 0,
    "limited": False,
    "off": False,
    "evidence": [],
}
_A_RULES_OWN = 3  # parts of ``rules.KEY.points``


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs between two policies; None where one has no value."""

    path: str
    before: Any
    after: Any
    effect: ChangeEffect


@dataclass(frozen=True, slots=True)
class Comparison:
    """``before``, ``after``: the tables of both policies."""

    changes: list[Change]
    before: Table
    after: Table


async def compare(tx: Session, source: str, org: Org | None, at: datetime) -> Comparison:
    """Return what a document would change where it is published. Raises PolicyInvalid."""
    standing = await above(tx, org, at)
    await check_at(tx, source, org, at)
    after = parse(source)
    if not is_whole(after) and standing is not None:
        after, _ = tighten(standing, after)
    found = await load(tx)
    versions = found.versions(at, org.path if org else ROOT)
    before = found.table(versions) if versions else {}
    old, new = dict(_leaves(before)), dict(_leaves(after))
    changes = [
        Change(dotted(path), old.get(path), new.get(path), _effect(path, before, after))
        for path in sorted(old.keys() | new.keys(), key=dotted)
        if old.get(path) != new.get(path)
    ]
    return Comparison(changes, before, after)


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the values of a document with their paths; tiers are named by key, not by index."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    elif path == ("tiers",):
        for tier in value:
            yield from _leaves(tier, (*path, tier["key"]))
    else:
        yield path, value


def _effect(path: Path, before: Table, after: Table) -> ChangeEffect:
    """Return what a change does to those who earn points."""
    if path[0] == "rules" and len(path) >= _A_RULES_OWN:
        was, will_be = (get(table, path[:2]) is not None for table in (before, after))
        if was != will_be:
            return ChangeEffect.added if will_be else ChangeEffect.removed
    stricter = stricter_of(path)
    if stricter is None:
        return ChangeEffect.changed
    old, new = (_value(table, path) for table in (before, after))
    if _is_way_to_earn(path) and None in (old, new):
        return ChangeEffect.loosened if old is None else ChangeEffect.tightened
    if old is None or new is None:  # no limit
        return ChangeEffect.changed if old == new else _by_limit(old)
    return _by_strictness(old, new, stricter(old, new))


def of_group(effects: Iterable[ChangeEffect]) -> ChangeEffect:
    """Return the effect of several changes of one rule."""
    told = set(effects)
    if len(told) > 1:
        told.discard(ChangeEffect.changed)
    return told.pop() if len(told) == 1 else ChangeEffect.mixed


def _value(table: Table, path: Path) -> Any:
    """Return what holds at a path: that of the rule, else the general one, else the default."""
    value = value_at(with_every_proof(table), path)
    return _UNSAID.get(str(path[-1])) if value is None else value


def _is_way_to_earn(path: Path) -> bool:
    """Tell whether a rule has this value only if it gives more than ``points``."""
    return path[0] == "rules" and (path[2] == "grades" or path[-1] == "up_to")


def _by_limit(old: Any) -> ChangeEffect:
    return ChangeEffect.tightened if old is None else ChangeEffect.loosened


def _by_strictness(old: Any, new: Any, strict: Any) -> ChangeEffect:
    if isinstance(old, list):
        old, new, strict = set(old), set(new), set(strict)
    if old == new:
        return ChangeEffect.changed  # the same holds, said elsewhere
    if strict == new:
        return ChangeEffect.tightened
    return ChangeEffect.loosened if strict == old else ChangeEffect.mixed
