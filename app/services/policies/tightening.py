"""Tightening: an organisation below may be stricter than the policy above it, never looser.

Both documents are TOML tables. Of each value that both set, the stricter one counts: what
is looser below is told when the document is checked, and has no effect if the one above
is tightened later.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from app.schemas.policies import Proof
from app.services.policies.reading import Path, Table

Stricter = Callable[[Any, Any], Any]


def _both(above: list[str], below: list[str]) -> list[str]:
    """Ask for what either asks: of ``checkin>=10`` and ``checkin>=12`` the second."""
    asked = {one.partition(">=")[0]: one for one in above}
    for one in below:
        name = one.partition(">=")[0]
        asked[name] = max(asked.get(name, one), one, key=least)
    return list(asked.values())


def least(demand: str) -> int:
    """Return the number that evidence must reach: 10 of ``checkin>=10``, 0 of ``rating``."""
    return int(demand.partition(">=")[2] or 0)


def _either(above: bool, below: bool) -> bool:
    return above or below


_RELEASE: dict[Path, Stricter] = {
    ("wait_hours",): max,
    ("reviewers",): max,
    ("second_reviewer_from",): min,
    ("notice_days",): max,
}
# Which of two values is the stricter one. ``*`` is any key.
_STRICTER: dict[Path, Stricter] = {
    ("caps", "*"): min,
    ("fund", "limited"): _either,
    ("rules", "*", "points"): min,
    ("rules", "*", "up_to"): min,
    ("rules", "*", "grades", "*"): min,
    ("rules", "*", "cap", "*"): min,
    ("rules", "*", "evidence"): _both,
    ("rules", "*", "off"): _either,
    **{("release", "*", *field): stricter for field, stricter in _RELEASE.items()},
    **{("rules", "*", "release", "*", *field): stricter for field, stricter in _RELEASE.items()},
}
# What must exist above: a rule or another worth of it would be a new way to earn.
_KNOWN_ABOVE = (("rules", "*"), ("rules", "*", "grades", "*"), ("rules", "*", "up_to"))


@dataclass(frozen=True, slots=True)
class Looser:
    """A value below that would loosen. ``above`` is None where nothing stands above."""

    path: Path
    above: Any
    below: Any


def tighten(above: Table, below: Table) -> tuple[Table, list[Looser]]:
    """Return the policy that is in force below, and what of ``below`` would have loosened it."""
    above = _with_every_proof(above)
    merged = _copy(above)
    looser = []
    for path, value in _leaves(below):
        if missing := _unknown(above, path):
            looser.append(Looser(missing, None, value))
            continue
        standing = _standing(above, path)
        strict = value if standing is None else _stricter(path)(standing, value)
        if _is_looser(standing, value, strict):
            looser.append(Looser(path, standing, value))
        _put(merged, path, strict)
        if path[0] == "release":
            _tighten_rules(merged, below, path, value)
    for rule in merged.get("rules", {}).values():
        if "up_to" in rule:  # what is raised above does not lift what was lowered below
            rule["points"] = min(rule["points"], rule["up_to"])
    return merged, looser


def _tighten_rules(merged: Table, below: Table, path: Path, value: Any) -> None:
    """Let what is asked in general reach the rules above that say something of their own.

    Within a document a rule's word stands; one below that says less of it means all rules.
    """
    for key in merged.get("rules", {}):
        own = ("rules", key, *path)
        if get(below, own) is None and (standing := get(merged, own)) is not None:
            _put(merged, own, _stricter(own)(standing, value))


def _is_looser(above: Any, below: Any, strict: Any) -> bool:
    if isinstance(below, list):  # what is asked for in addition need not repeat the rest
        return not set(below) <= set(strict) or bool(strict == above and set(below) != set(above))
    return bool(strict != below)


def _with_every_proof(above: Table) -> Table:
    """Spell out what ``Policy.release`` does: a proof that nobody listed waits as a person's."""
    listed = above.get("release", {})
    unlisted = {name: listed["manual"] for name in get_args(Proof) if "manual" in listed}
    return {**above, "release": {**unlisted, **listed}}


def _standing(above: Table, path: Path) -> Any:
    """Return the value above: a rule that says nothing of its release has the general one."""
    value = get(above, path)
    if value is None and path[0] == "rules" and path[2] == "release":
        return get(above, path[2:])
    return value


def _unknown(above: Table, path: Path) -> Path | None:
    for pattern in _KNOWN_ABOVE:
        head = path[: len(pattern)]
        if _matches(head, pattern) and get(above, head) is None:
            return head
    return None


def _stricter(path: Path) -> Stricter:
    return next(of for pattern, of in _STRICTER.items() if _matches(path, pattern))


def _matches(path: Path, pattern: Path) -> bool:
    return len(path) == len(pattern) and all(
        p in ("*", part) for part, p in zip(path, pattern, strict=True)
    )


def _leaves(table: Table, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def get(table: Table, path: Path) -> Any:
    """Return the value at a path, None if there is none."""
    value: Any = table
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _put(table: dict[Any, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value


def _copy(table: Table) -> Table:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in table.items()}
