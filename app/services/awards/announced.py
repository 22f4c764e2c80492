"""The rule under which an award was given, as it was then."""

from app.core.db import Session
from app.models.awards import Award
from app.queries import orgs as org_queries
from app.schemas.policies.documents import Rule
from app.services.policies import history, rules
from app.services.policies.rules import PointsPolicy


async def policy_of(tx: Session, award: Award) -> tuple[PointsPolicy, Rule]:
    """Return policy and rule of an award, of the day on which it was given."""
    [path] = (await org_queries.paths_of(tx, [award.org_id])).values()
    policy = (await history.load(tx)).announced(award.awarded_at, path, award.rule_key)
    return policy, policy.document.rules[award.rule_key]


async def lacks_evidence(tx: Session, award: Award) -> bool:
    """Tell whether an award, by attendance, still has none of the evidence of its rule.

    A proposal by hand has all of it, and evidence that is added later is all of it too.
    """
    if award.evidence:
        return False
    _, rule = await policy_of(tx, award)
    return bool(rules.demanded(rule))
