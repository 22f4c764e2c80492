"""Tightening: an organisation below may be stricter than the policy above it, never looser.

Both documents are TOML tables. Where both set a value, the stricter one applies. Looser values
are reported when the document is checked; if the policy above is tightened later, they have
no effect.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from app.schemas.policies.documents import Proof
from app.schemas.policies.funds import Fund
from app.services.policies.reading import Path, Table

Stricter = Callable[[Any, Any], Any]


def _both(above: list[str], below: list[str]) -> list[str]:
    """Merge the evidence of both; for a number the larger minimum (``checkin>=12``)."""
    asked = {one.partition(">=")[0]: one for one in above}
    for one in below:
        name = one.partition(">=")[0]
        asked[name] = max(asked.get(name, one), one, key=least)
    return list(asked.values())


def least(demand: str) -> int:
    """Return the minimum in a demand: 10 of ``checkin>=10``, 0 of ``rating``."""
    return int(demand.partition(">=")[2] or 0)


def _either(above: bool, below: bool) -> bool:
    return above or below


RELEASE: dict[Path, Stricter] = {
    ("wait_hours",): max,
    ("reviewers",): max,
    ("second_reviewer_from",): min,
    ("notice_days",): max,
}
# The function that returns the stricter of two values. ``*`` is any key.
_STRICTER: dict[Path, Stricter] = {
    ("caps", "*"): min,
    ("charges", "*"): min,
    ("fund", "limited"): _either,
    ("fund", "point_value_cents"): max,  # a higher value makes the liability higher
    ("fund", "freeze_percent"): min,
    ("rules", "*", "points"): min,
    ("rules", "*", "up_to"): min,
    ("rules", "*", "grades", "*"): min,
    ("rules", "*", "cap", "*"): min,
    ("rules", "*", "evidence"): _both,
    ("rules", "*", "off"): _either,
    **{("release", "*", *field): stricter for field, stricter in RELEASE.items()},
    **{("rules", "*", "release", "*", *field): stricter for field, stricter in RELEASE.items()},
}
# What holds above where its document says nothing, and is not the loosest value.
_UNSAID: dict[Path, Any] = {("fund", "freeze_percent"): Fund().freeze_percent}
# Must exist above: a new rule, grade or range would be a new way to earn points.
_KNOWN_ABOVE = (("rules", "*"), ("rules", "*", "grades", "*"), ("rules", "*", "up_to"))


@dataclass(frozen=True, slots=True)
class Looser:
    """A value below that is looser. ``above`` is None if the policy above has no such key."""

    path: Path
    above: Any
    below: Any


def tighten(above: Table, below: Table) -> tuple[Table, list[Looser]]:
    """Return the policy in force below, and the values of ``below`` that would have loosened it."""
    above = with_every_proof(above)
    merged = _copy(above)
    looser = []
    for path, value in _leaves(below):
        if missing := _unknown(above, path):
            looser.append(Looser(missing, None, value))
            continue
        standing = value_at(above, path)
        strict = value if standing is None else _stricter(path)(standing, value)
        if _is_looser(standing, value, strict):
            looser.append(Looser(path, standing, value))
        _put(merged, path, strict)
        if path[0] == "release":
            _tighten_rules(merged, below, path, value)
    for rule in merged.get("rules", {}).values():
        if "up_to" in rule:  # raising points above must not exceed the lower up_to below
            rule["points"] = min(rule["points"], rule["up_to"])
    return merged, looser


def _tighten_rules(merged: Table, below: Table, path: Path, value: Any) -> None:
    """Apply a general release condition to rules above that have conditions of their own.

    Within one document a rule's own condition has precedence over the general one. A general
    condition of a document below applies to all rules.
    """
    for key in merged.get("rules", {}):
        own = ("rules", key, *path)
        if get(below, own) is None and (standing := get(merged, own)) is not None:
            _put(merged, own, _stricter(own)(standing, value))


def _is_looser(above: Any, below: Any, strict: Any) -> bool:
    if isinstance(below, list):  # additional evidence need not repeat the evidence above
        return not set(below) <= set(strict) or bool(strict == above and set(below) != set(above))
    return bool(strict != below)


def with_every_proof(above: Table) -> Table:
    """Add the unlisted proofs with the conditions of ``manual``, as in ``PointsPolicy.release``."""
    listed = above.get("release", {})
    unlisted = {name: listed["manual"] for name in get_args(Proof) if "manual" in listed}
    return {**above, "release": {**unlisted, **listed}}


def value_at(above: Table, path: Path) -> Any:
    """Return the value above; a rule without release conditions has the general ones."""
    value = get(above, path)
    if value is None:
        value = _UNSAID.get(path)
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
    stricter = stricter_of(path)
    assert stricter is not None, "the shape of the document has no other paths"
    return stricter


def stricter_of(path: Path) -> Stricter | None:
    """Return what tells the stricter of two values; None where neither is stricter."""
    return next((of for pattern, of in _STRICTER.items() if _matches(path, pattern)), None)


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
