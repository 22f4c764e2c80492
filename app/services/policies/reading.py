"""Reading a policy document: parses TOML, checks it, reports all errors with their lines."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import ValidationError

from app.core.validation_messages import explained
from app.models.ledger import UNIT_OF_HOURS
from app.schemas.policies.documents import PolicyDocument, PolicyTightening, Rule, Shape
from app.services.policies.rules import demanded

MAX_LINES, MAX_CHARACTERS = 2_000, 60_000
# Of one statement. Lines are numbered by parsing a statement once for each of its lines.
MAX_STATEMENT_LINES = 100
# Per rule. Documents below may add evidence; awards accept one hundred fields.
MAX_EVIDENCE = 20
PERIODS = ("day", "month", "year")
_AT_LINE = re.compile(r"at line (\d+)")
# A key of more than twenty parts: tomllib needs memory for the square of their number.
_DEEP_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){20}""")
Path = tuple[str | int, ...]
Table = dict[str, Any]
Contradiction = tuple[Path, str, str]  # path, message in Chinese, message in English
S = TypeVar("S", bound=Shape)


@dataclass(frozen=True, slots=True)
class DocumentError:
    """An error in a document. ``line`` counts from 1; ``path``: ``rules.theme_study.points``."""

    line: int
    path: str
    zh: str
    en: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"line {self.line}: {where}{self.zh} / {self.en}"


class PolicyInvalid(Exception):
    """All errors of a document, in the order of lines."""

    def __init__(self, problems: list[DocumentError]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = sorted(problems, key=lambda problem: problem.line)


def plain(source: str) -> str:
    """Return a document with LF line ends, without the mark with which some editors begin it."""
    return source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def parse(source: str) -> Table:
    """Parse TOML. Raises PolicyInvalid with the line of the first error."""
    lines = source.count("\n") + 1
    if lines > MAX_LINES or len(source) > MAX_CHARACTERS:
        en = f"at most {MAX_LINES} lines and {MAX_CHARACTERS} characters"
        raise PolicyInvalid([DocumentError(lines, "", "文件太大", en)])
    try:
        if _DEEP_KEY.search(source):
            raise RecursionError
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else lines
        raise PolicyInvalid([DocumentError(line, "", "不是有效的 TOML", str(error))]) from None
    except RecursionError:
        raise PolicyInvalid([DocumentError(1, "", "嵌套太深", "nested too deeply")]) from None
    except ValueError:  # an integer of thousands of digits
        raise PolicyInvalid(
            [DocumentError(1, "", "有一个数太大", "a number is too large")]
        ) from None


def shaped(shape: type[S], table: Table, source: str, context: Table | None = None) -> S:
    """Validate a parsed document. Raises PolicyInvalid with all errors."""
    try:
        return shape.model_validate(table, context=context)
    except ValidationError as error:
        lines = line_numbers(source)
        raise PolicyInvalid([_problem(shape, dict(one), lines) for one in error.errors()]) from None


def without(table: Table, paths: Iterable[Sequence[str]]) -> Table:
    """Return a copy without the values at ``paths``; an item of a list removes the list."""
    rest = deepcopy(table)
    for path in paths:
        inside: Any = rest
        for key, below in zip(path, [*path[1:], None], strict=True):
            if below is None or not isinstance(inside.get(key), dict):
                inside.pop(key, None)
                break
            inside = inside[key]
    return rest


def require_consistent(
    document: PolicyDocument, source: str, above: PolicyDocument | None = None
) -> None:
    """Check values against each other. Raises PolicyInvalid with all contradictions.

    Contradictions that exist in ``above`` alone are not errors of this document.
    """
    lines = line_numbers(source)
    known = {path for path, _, _ in _contradictions(above)} if above else set()
    problems = [
        DocumentError(line_of(path, lines), dotted(path), zh, en)
        for path, zh, en in _contradictions(document)
        if path not in known
    ]
    if problems:
        raise PolicyInvalid(problems)


def _contradictions(document: PolicyDocument) -> Iterator[Contradiction]:
    yield from _of_unit(document)
    yield from _of_caps(document)
    yield from _of_release(document)
    yield from _of_rules(document)
    yield from _of_tiers(document)


def _of_unit(document: PolicyDocument) -> Iterator[Contradiction]:
    if document.programme.unit == UNIT_OF_HOURS:
        en = "hours of service are no points: they are counted beside them"
        yield ("programme", "unit"), "志愿时长不是积分", en


def _of_caps(document: PolicyDocument) -> Iterator[Contradiction]:
    overall = document.caps
    caps: dict[Path, tuple[int | None, ...]] = {}
    caps["caps",] = (overall.day, overall.month, overall.year)
    for key, rule in document.rules.items():
        caps["rules", key, "cap"] = (rule.cap.day, rule.cap.month, rule.cap.year)
    for path, periods in caps.items():
        given = [(cap, name) for cap, name in zip(periods, PERIODS, strict=True) if cap is not None]
        for (shorter, name), (longer, longer_name) in pairwise(given):
            if longer < shorter:
                zh, en = f"低于 {name} 的 {shorter}", f"lower than {name}, which is {shorter}"
                yield (*path, longer_name), zh, en
    if overall.emergency_day < overall.day:
        yield ("caps", "emergency_day"), "低于 day", "lower than day"


def _of_release(document: PolicyDocument) -> Iterator[Contradiction]:
    if missing := ", ".join(sorted({"rotating_code", "manual"} - document.release.keys())):
        yield ("release",), f"缺少 {missing}", f"says nothing of {missing}"


def _of_rules(document: PolicyDocument) -> Iterator[Contradiction]:
    for kind, tables in (("rules", document.rules), ("deductions", document.deductions)):
        for name, table in tables.items():
            if table.key != name:
                yield (kind, name, "key"), "与表名不同", "is not the name of the table"
    for key, rule in document.rules.items():
        path = ("rules", key)
        if rule.up_to is not None and (rule.grades or rule.up_to < rule.points):
            en = "is at least points, and not beside grades"
            yield (*path, "up_to"), "不低于 points，且不与 grades 并用", en
        if len(rule.evidence) > MAX_EVIDENCE:
            yield (*path, "evidence"), f"多于 {MAX_EVIDENCE} 项", f"more than {MAX_EVIDENCE}"
        for name in sorted(rule.unique.keys() - set(demanded(rule))):
            en = "evidence does not ask an organizer for it"
            yield (*path, "unique", name), "evidence 没有要求填写这一项", en
        if rule.hours and rule.per != "hour":
            yield (*path, "hours"), "只有按小时的规则计时长", "only a rule per hour counts hours"


def _of_tiers(document: PolicyDocument) -> Iterator[Contradiction]:
    seen: set[str] = set()
    floor = (0, 0)
    for place, tier in enumerate(document.tiers):
        demands = (tier.points_12m, tier.hours_12m)
        if tier.key in seen:
            yield ("tiers", place, "key"), "重复", "two tiers have this key"
        if (place == 0 and demands != (0, 0)) or min(
            demands[0] - floor[0], demands[1] - floor[1]
        ) < 0:
            en = "tiers begin at 0 points and 0 hours, and none asks for less than the one before"
            yield ("tiers", place), "第一级为 0 分 0 小时，其后不低于前一级", en
        seen.add(tier.key)
        floor = demands


def _problem(shape: type[Shape], error: Table, lines: dict[Path, int]) -> DocumentError:
    path: Path = error["loc"]
    zh, en = explained(error)
    if shape is PolicyTightening and error["type"] == "extra_forbidden" and _is_of_a_whole(path):
        zh, en = "只有整份办法可以规定这一项", "only a programme's whole document says this"
    return DocumentError(line_of(path, lines), dotted(path), zh, en)


def _is_of_a_whole(path: Path) -> bool:
    """Whether a programme's document has this key, at its top level or in a rule."""
    if path[0] == "rules":
        return len(path) == 3 and path[2] in Rule.model_fields
    return len(path) == 1 and path[0] in PolicyDocument.model_fields


def dotted(path: Path) -> str:
    return ".".join(str(part) for part in path if part != "[key]")


def line_of(path: Path, lines: dict[Path, int]) -> int:
    """Return the line of a path, or of the nearest table above it."""
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)


def line_numbers(source: str) -> dict[Path, int]:
    """Return the line of each key and each table. ``source`` must be valid for ``parse``.

    Raises PolicyInvalid for a statement of more than ``MAX_STATEMENT_LINES`` lines.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(source):
        keys, leaf = _spine(tomllib.loads(statement))
        if not statement.lstrip().startswith("["):
            for depth in range(1, len(keys)):
                lines.setdefault(table + keys[:depth], line)
            _note(lines, table + keys, leaf, line)
            continue
        if isinstance(leaf, list):  # [[tiers]]: the next item of the array
            counts[keys] = counts.get(keys, -1) + 1
            keys = (*keys, counts[keys])
        table = keys
        for depth in range(1, len(table) + 1):  # [rules.x] also begins ``rules``
            lines.setdefault(table[:depth], line)
    return lines


def _note(lines: dict[Path, int], path: Path, leaf: Any, line: int) -> None:
    """Record the line of a key, and of the keys of an inline table under it."""
    lines.setdefault(path, line)
    if isinstance(leaf, dict):
        for key, value in leaf.items():
            _note(lines, (*path, key), value, line)


def _spine(parsed: Table) -> tuple[Path, Any]:
    """Follow single keys down: ``[rules.x]`` parses to {'rules': {'x': {}}}."""
    keys: list[str | int] = []
    value: Any = parsed
    while isinstance(value, dict) and len(value) == 1:
        [(key, value)] = value.items()
        keys.append(key)
    return tuple(keys), value


def _statements(source: str) -> Iterator[tuple[int, str]]:
    """Yield the statements of a document, each with its first line.

    ``tomllib`` reports no line numbers. A statement is the smallest number of whole lines that
    parses, so ``tomllib`` itself finds the statements and no second TOML parser is needed.
    """
    begun, lines = 1, list[str]()
    for number, line in enumerate(plain(source).split("\n"), start=1):
        begun = begun if lines else number
        lines.append(line)
        if len(lines) > MAX_STATEMENT_LINES:
            zh = f"一项设置超过 {MAX_STATEMENT_LINES} 行"
            en = f"one setting of more than {MAX_STATEMENT_LINES} lines"
            raise PolicyInvalid([DocumentError(begun, "", zh, en)])
        statement = "\n".join(lines)
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if parsed:
            yield begun, statement
        lines.clear()
