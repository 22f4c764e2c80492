"""The rules as people and organizers read them: in force now, and which versions there were."""

from collections.abc import Iterable
from typing import get_args
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.core.paging import Page, PageParams, keyset
from app.models.policies import PolicyVersion
from app.queries import policies as queries
from app.schemas.policies.documents import (
    PolicyDocument,
    Proof,
    Rule,
    Tier,
)
from app.schemas.policies.showing import (
    BreachOut,
    EvidenceOut,
    PolicyOut,
    PolicyVersionOut,
    ProgrammeOut,
    RuleOut,
    TierOut,
)
from app.services import orgs, people
from app.services.policies import history
from app.services.policies.history import ROOT, PolicyMissing
from app.services.policies.rules import PointsPolicy

PROOFS: tuple[Proof, ...] = get_args(Proof)


class NoPolicy(Refusal):
    code, status, title = "policies.none", 404, "No policy in force"
    zh, en = "没有生效的积分管理办法", "No points rules are in force."


async def current(tx: Session, org_id: UUID | None) -> PolicyOut:
    """Return the rules in force at an organisation; None: those of all. Raises OrgNotFound."""
    path = (await orgs.get(tx, org_id)).path if org_id is not None else ROOT
    published, at = await history.load(tx), now()
    try:
        policy = published.policy(at, path)
    except PolicyMissing:
        raise NoPolicy from None
    document = policy.document
    return PolicyOut(
        org_id=org_id,
        versions=list(published.versions(at, path)),
        programme=ProgrammeOut(
            name=named(document.programme.name, document.programme.name_en),
            unit=document.programme.unit,
        ),
        caps=document.caps,
        lots=document.lots,
        clawback=document.clawback,
        holds=document.holds,
        card=document.card,
        charges=document.charges,
        fund=document.fund,
        rewards=document.rewards,
        attendance=document.attendance,
        redemption_days=document.redemption_days,
        rules=[_rule(policy, rule) for rule in document.rules.values() if not rule.off],
        deductions=[
            BreachOut(
                **one.model_dump(exclude={"evidence", "name"}),
                name=named(one.name, one.name_en),
                evidence=evidence_labels(document, one.evidence),
            )
            for one in document.deductions.values()
        ],
        tiers=[_tier(one) for one in document.tiers],
    )


def _tier(tier: Tier) -> TierOut:
    return TierOut(
        **tier.model_dump(exclude={"name", "benefits", "benefits_en"}),
        name=named(tier.name, tier.name_en),
        benefits=named(tier.benefits, tier.benefits_en),
    )


def _rule(policy: PointsPolicy, rule: Rule) -> RuleOut:
    shown = RuleOut.model_fields.keys() - {"evidence", "name", "note", "release"}
    return RuleOut(
        **{name: getattr(rule, name) for name in shown},
        name=named(rule.name, rule.name_en),
        note=named(rule.note, rule.note_en) if rule.note is not None else None,
        evidence=evidence_labels(policy.document, rule.evidence),
        release={proof: policy.release(rule, proof) for proof in PROOFS},
    )


def evidence_labels(document: PolicyDocument, asked: Iterable[str]) -> list[EvidenceOut]:
    """Return the fields that a rule asks for, ``rating`` or ``checkin>=10``, with labels."""
    parts = (one.partition(">=") for one in asked)
    return [
        EvidenceOut(
            name=name,
            label=named(document.evidence.get(name, name), document.evidence_en.get(name)),
            label_en=document.evidence_en.get(name),
            at_least=int(least) if least else None,
        )
        for name, _, least in parts
    ]


async def versions(
    tx: Session, caller: UUID, org_id: UUID, asked: PageParams
) -> Page[PolicyVersionOut]:
    """Return what was published for an organisation and above it, newest first.

    Raises OrgNotFound, Forbidden.
    """
    org = await orgs.get(tx, org_id)
    await people.require_role(tx, caller, people.READERS, org.path)
    standing = (await history.load(tx)).versions(now(), org.path)

    def to_out(row: tuple[PolicyVersion, str | None, str | None]) -> PolicyVersionOut:
        one, org_name, publisher = row
        return PolicyVersionOut(
            **one.model_dump(exclude={"source", "created_at"}),
            org_name=org_name,
            published_at=one.created_at,
            publisher=publisher,
            in_force=one.version in standing,
        )

    return await keyset(
        asked,
        (int,),
        lambda after, limit: queries.page(tx, org.path, after[0] if after else None, limit),
        to_out,
        lambda row: (row[0].version,),
    )
