"""The history of policies: all published documents, and what is in force where and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.clock import now
from app.core.db import Session
from app.queries import policies as queries
from app.queries.ledger import units as units_queries
from app.queries.policies import Newest, Published
from app.schemas.base import STORED
from app.schemas.policies.documents import PolicyDocument
from app.services.policies.reading import Table, parse
from app.services.policies.rules import PointsPolicy
from app.services.policies.tightening import tighten

ROOT = "/"
Versions = tuple[int, ...]


class PolicyMissing(Exception):
    """No policy is in force, so awards are not possible until an operator publishes one."""


@dataclass(frozen=True, slots=True)
class Entry:
    published: Published
    table: Table


class PolicyHistory:
    """All published documents. Immutable: after a publication a new object is loaded."""

    def __init__(self, published: Sequence[Published], units: dict[str, int]) -> None:
        self._units = units
        self._entries = {one.version: Entry(one, parse(one.source)) for one in published}
        self._policies: dict[Versions, PointsPolicy] = {}
        # English names of rules, deductions and tiers by their Chinese ones; the newest count.
        self.english_names: dict[str, str] = {}
        for _, entry in sorted(self._entries.items()):
            self.english_names |= _english_names(entry.table)

    def policy(self, at: datetime, org_path: str = ROOT) -> PointsPolicy:
        """Return the policy in force at an organisation. Raises PolicyMissing."""
        versions = self.versions(at, org_path)
        if not versions:
            raise PolicyMissing
        return self._policy(versions)

    def announced(self, at: datetime, org_path: str, rule_key: str) -> PointsPolicy:
        """Return the policy in force, or the latest earlier one that has the rule.

        An activity is paid by the rule under which it was announced. Raises PolicyMissing if no
        policy had the rule.
        """
        earlier = {entry.published.effective_from for entry in self._entries.values()}
        for moment in (at, *sorted((one for one in earlier if one <= at), reverse=True)):
            policy = self.policy(moment, org_path)
            if rule_key in policy.document.rules:
                return policy
        raise PolicyMissing

    def _policy(self, versions: Versions) -> PointsPolicy:
        if versions not in self._policies:
            document = PolicyDocument.model_validate(self.table(versions), context=STORED)
            unit_id = self._units[document.programme.unit]
            self._policies[versions] = PointsPolicy(versions[-1], unit_id, document)
        return self._policies[versions]

    def programmes(self, at: datetime) -> list[PointsPolicy]:
        """Return the programmes in force anywhere, one for each unit."""
        codes = {entry.published.org_code for entry in self._entries.values()}
        standing = [entry for code in codes if (entry := self._standing(code, at)) is not None]
        versions = sorted(e.published.version for e in standing if is_whole(e.table))
        policies = [self._policy((version,)) for version in versions]
        return list({policy.unit_id: policy for policy in policies}.values())

    def has_programme(self, org_code: str, at: datetime) -> bool:
        """Tell whether an organisation's own document then in force is a whole programme."""
        standing = self._standing(org_code, at)
        return standing is not None and is_whole(standing.table)

    def givers(self, unit: str) -> set[str | None]:
        """Return the codes of all organisations that ever had a programme in a unit.

        None stands for the programme without an organisation.
        """
        return {
            entry.published.org_code
            for entry in self._entries.values()
            if is_whole(entry.table) and entry.table["programme"]["unit"] == unit
        }

    def versions(self, at: datetime, org_path: str) -> Versions:
        """Return the versions in force at a place: a programme, then the documents that tighten it.

        ``org_path`` is ``/32/321182/``: each organisation on the path may have published one.
        """
        versions: Versions = ()
        for code in (None, *org_path.strip("/").split("/")):
            entry = self._standing(code, at)
            if entry is not None and is_whole(entry.table):
                versions = (entry.published.version,)
            elif entry is not None and versions:
                versions += (entry.published.version,)
        return versions

    def table(self, versions: Versions) -> Table:
        """Return the rules of a programme, the first version, tightened by each further version."""
        table = self._entries[versions[0]].table
        for version in versions[1:]:
            table, _ = tighten(table, self._entries[version].table)
        return table

    def with_draft(
        self, source: str, org_path: str, at: datetime, units: dict[str, int]
    ) -> "Draft":
        """Return what would be in force if an organisation published ``source`` at ``at``.

        ``units``: all there are now; the draft may name one opened after the last publication.
        """
        org_code = org_path.strip("/").rpartition("/")[2] or None
        published = [entry.published for entry in self._entries.values()]
        version = max(self._entries, default=0) + 1
        history = PolicyHistory([*published, Published(version, org_code, at, source)], units)
        return Draft(history, version, org_path, at)

    def _standing(self, org_code: str | None, at: datetime) -> Entry | None:
        """Return the document of an organisation that took effect last."""
        begun = (
            entry
            for entry in self._entries.values()
            if entry.published.org_code == org_code and entry.published.effective_from <= at
        )
        return max(
            begun, key=lambda e: (e.published.effective_from, e.published.version), default=None
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """An unpublished document, in a history that contains it.

    ``org_path`` is its own organisation. Programmes of organisations below may override it.
    """

    history: PolicyHistory
    version: int
    org_path: str
    at: datetime

    @property
    def policy(self) -> PointsPolicy:
        """The policy that would be in force at its own organisation."""
        return self.history.policy(self.at, self.org_path)

    def policy_at(self, org_path: str) -> PointsPolicy | None:
        """Return the policy that would be in force, None if it does not depend on the draft."""
        if self.version not in self.history.versions(self.at, org_path):
            return None
        return self.history.policy(self.at, org_path)


def _english_names(table: Table) -> dict[str, str]:
    tables = [*table.get("rules", {}).values(), *table.get("deductions", {}).values()]
    tables += table.get("tiers", [])
    return {one["name"]: one["name_en"] for one in tables if "name" in one and "name_en" in one}


def is_whole(table: Table) -> bool:
    """Whether the document is a programme's, not one that tightens a policy above."""
    return "programme" in table


# The last histories loaded, by their newest version. A process needs one, tests need more.
_loaded: dict[Newest, PolicyHistory] = {}
_BOOKS_KEPT = 4


async def load(tx: Session, newest: Newest | None = None) -> PolicyHistory:
    """Return the history with all versions published so far; cached until there is a new one.

    ``newest``: of a caller that has just read it with another statement.
    """
    newest = newest or await queries.newest(tx)
    if newest is None:
        return PolicyHistory([], {})
    if newest not in _loaded:
        while len(_loaded) >= _BOOKS_KEPT:
            del _loaded[next(iter(_loaded))]
        _loaded[newest] = PolicyHistory(await queries.published(tx), await units_queries.units(tx))
    return _loaded[newest]


async def in_force(tx: Session, org_path: str = ROOT, at: datetime | None = None) -> PointsPolicy:
    """Return the policy in force at an organisation. Raises PolicyMissing."""
    return (await load(tx)).policy(at or now(), org_path)
