"""The points policy (积分管理办法): reading what is in force, checking and publishing a new one."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.core.clock import BEGINNING, now
from app.core.db import Session
from app.models.policies import Policy, PolicyRule, PolicyTier
from app.queries import policies as queries

# 积分管理办法 of the demonstration county: overall caps in points, life of a lot in months.
CAP_DAY, EMERGENCY_CAP_DAY, CAP_MONTH, CAP_YEAR = 24, 48, 150, 800
LOT_MONTHS = 24
# The rule whose presence in a day doubles the day's cap.
EMERGENCY_RULE = "taskforce_emergency"
# Extra points for hours that ``volunteer_hour`` has counted already.
ON_TOP = {"professional_service", "duty_shift"}
# What presence alone can measure. Items, quarters and the like need somebody's word.
BY_ATTENDANCE = {"session", "shift", "hour"}
RULE_COLUMNS = (
    *("key", "name_zh", "category", "per", "points", "cap_day", "cap_month", "cap_year"),
    *("evidence", "notes"),
)
PERS = BY_ATTENDANCE | {"once", "community_year", "item", "quarter", "person"}


class PolicyMissing(Exception):
    """No policy is in force: nothing can be awarded. An operator publishes one."""


class PolicyInvalid(Exception):
    """The lines that are wrong in a policy file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Rules:
    """A version of the policy with its rules by key and its tiers, lowest first."""

    policy: Policy
    rules: dict[str, PolicyRule]
    tiers: list[PolicyTier]

    def tier_rank(self, key: str) -> int:
        return next((tier.rank for tier in self.tiers if tier.key == key), 0)

    def tier_for(self, points: int, minutes: int) -> PolicyTier:
        """Return the highest tier whose demands on the last twelve months are met."""
        reached = [
            tier
            for tier in self.tiers
            if points >= tier.min_points_12m and minutes >= tier.min_hours_12m * 60
        ]
        return reached[-1] if reached else self.tiers[0]


# A version never changes once published, so its rows are read once a process.
_versions: dict[tuple[int, datetime], Rules] = {}


async def in_force(tx: Session, at: datetime | None = None) -> Rules:
    """Return the policy in force; raise PolicyMissing if there is none."""
    key = await queries.in_force(tx, at or now())
    if key is None:
        raise PolicyMissing
    if key not in _versions:
        version, _ = key
        _versions[key] = Rules(
            policy=await queries.find(tx, version),
            rules={rule.key: rule for rule in await queries.rules(tx, version)},
            tiers=await queries.tiers(tx, version),
        )
    return _versions[key]


def by_attendance(rule: PolicyRule) -> bool:
    """Tell whether an activity may award by this rule when somebody checks in."""
    return rule.per in BY_ATTENDANCE


def counts_hours(rule: PolicyRule) -> bool:
    """Tell whether an act by this rule adds hours of service; extras on top do not again."""
    return rule.category == "volunteer" and rule.per == "hour" and rule.key not in ON_TOP


def half_hours(starts_at: datetime, ends_at: datetime) -> int:
    """Count the whole half hours of a time, as the rules do."""
    return int((ends_at - starts_at).total_seconds()) // 1800


def points_for_attendance(rule: PolicyRule, halves: int) -> int:
    """Return what presence is worth before caps: by half hours, or once a session or shift."""
    return rule.points * halves // 2 if rule.per == "hour" else rule.points


def read_rules(file: Path) -> list[PolicyRule]:
    """Read a rules file (CSV); raise PolicyInvalid with every wrong line."""
    problems: list[str] = []
    rules: dict[str, PolicyRule] = {}
    for line, row in _rows(file, RULE_COLUMNS, problems):
        wrong = list(_wrong_cells(row))
        if row["key"] in rules:
            wrong.append(f"key {row['key']!r} appears twice")
        problems += [f"line {line}: {what}" for what in wrong]
        if not wrong:
            rules[row["key"]] = PolicyRule(
                version=0,
                key=row["key"],
                name_zh=row["name_zh"],
                category=row["category"],
                per=row["per"],
                points=int(row["points"]),
                cap_day=_cap(row["cap_day"]),
                cap_month=_cap(row["cap_month"]),
                cap_year=_cap(row["cap_year"]),
                evidence=row["evidence"].split("+") if row["evidence"] else [],
                notes=row["notes"],
            )
    if not problems and not rules:
        problems.append("line 1: the file has no rule")
    if problems:
        raise PolicyInvalid(problems)
    return list(rules.values())


def read_tiers(file: Path) -> list[PolicyTier]:
    """Read a tiers file (CSV), lowest rank first."""
    columns = ("key", "name_zh", "rank", "min_points_12m", "min_hours_12m", "benefits_zh")
    problems: list[str] = []
    tiers = [
        PolicyTier(
            version=0,
            key=row["key"],
            name_zh=row["name_zh"],
            rank=int(row["rank"]),
            min_points_12m=int(row["min_points_12m"]),
            min_hours_12m=int(row["min_hours_12m"]),
            benefits_zh=row["benefits_zh"],
        )
        for _, row in _rows(file, columns, problems)
    ]
    if problems:
        raise PolicyInvalid(problems)
    return sorted(tiers, key=lambda tier: tier.rank)


async def publish(
    tx: Session,
    rules: list[PolicyRule],
    tiers: list[PolicyTier],
    *,
    effective_from: datetime = BEGINNING,
) -> int:
    """Write the next version; return its number."""
    version = await queries.latest_version(tx) + 1
    for row in (*rules, *tiers):
        row.version = version
    policy = Policy(
        version=version,
        effective_from=effective_from,
        cap_day=CAP_DAY,
        emergency_cap_day=EMERGENCY_CAP_DAY,
        cap_month=CAP_MONTH,
        cap_year=CAP_YEAR,
        lot_months=LOT_MONTHS,
    )
    await queries.publish(tx, policy, rules, tiers)
    return version


def _rows(
    file: Path, columns: tuple[str, ...], problems: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    with file.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.DictReader(source)
        if tuple(reader.fieldnames or ()) != columns:
            problems.append(f"line 1: expected the columns {','.join(columns)}")
            return
        for line, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                problems.append(f"line {line}: expected {len(columns)} cells")
            else:
                yield line, row


def _wrong_cells(row: dict[str, str]) -> Iterator[str]:
    if not row["key"].isidentifier() or len(row["key"]) > 40:
        yield f"key {row['key']!r} is not a short identifier"
    if not row["name_zh"]:
        yield "name_zh is empty"
    if row["per"] not in PERS:
        yield f"per {row['per']!r} is not one of {', '.join(sorted(PERS))}"
    if not row["points"].isdecimal() or not 1 <= int(row["points"]) <= 1000:
        yield f"points {row['points']!r} is not a whole number from 1 to 1000"
    caps = [row[name] for name in ("cap_day", "cap_month", "cap_year")]
    for name, cap in zip(("cap_day", "cap_month", "cap_year"), caps, strict=True):
        if cap and not (cap.isdecimal() and 1 <= int(cap) <= 100_000):
            yield f"{name} {cap!r} is neither empty nor a whole number"
            return
    numbers = [int(cap) for cap in caps if cap]
    if numbers != sorted(numbers):
        yield "a longer period has a lower cap than a shorter one"


def _cap(cell: str) -> int | None:
    return int(cell) if cell else None
