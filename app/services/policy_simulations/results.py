"""The result of a simulation as it is kept: the JSON of ``SimulationResultOut``.

Names are kept in both languages. People are not among it: they have rows of their own, which are
deleted with the person.
"""

from typing import Any

from app.core.language import Bilingual, named
from app.models.awards import AwardReason
from app.schemas.awards.reading import REASONS
from app.schemas.policies.documents import PolicyDocument
from app.services.awards.simulation import Compared, Earner, Simulation, Sums

FUNDS_TOLD = 20


def row_of(earner: Earner) -> dict[str, Any]:
    """Return the row of a person."""
    return {
        "person_id": earner.id,
        "awards": earner.draft.awards,
        "points_now": earner.now.points,
        "points_draft": earner.draft.points,
        "minutes": earner.draft.minutes,
        "cap_hits": earner.cap_hits,
    }


def result_of(found: Simulation, draft: PolicyDocument, current: PolicyDocument) -> dict[str, Any]:
    """Return the sums. Rules are named as in the draft, or else as in the current document."""
    now, then = found.reasons
    return {
        "total": _compared(found.total),
        "rules": [
            {"key": key, "name": _name(key, draft, current), **_compared(one)}
            for key, one in sorted(found.rules.items())
        ],
        "reasons": [
            {"reason": one, "msg": list(REASONS[one]), "now": now[one], "draft": then[one]}
            for one in AwardReason
            if one is not AwardReason.full and now[one] + then[one]
        ],
        "begins": [
            {"proof": proof, "state": state, "awards": sums.awards, "points": sums.points}
            for (proof, state), sums in sorted(found.begins.items())
        ],
        "ineligible": [
            {"why": why, "awards": sums.awards, "points": sums.points}
            for why, sums in sorted(found.ineligible.items())
        ],
        "funds": _funds(found),
        **{name: getattr(found, name) for name in ("more", "less", "same", "taken_back")},
    }


def _funds(found: Simulation) -> list[dict[str, Any]]:
    """Return the funds that lack most, then those that would give most."""
    impacts = sorted(
        found.impacts.items(), key=lambda one: (-one[1].short, -one[1].draft.points, one[1].code)
    )
    return [
        {
            "org_id": str(org_id),
            "code": one.code,
            "org_name": one.name,
            "points_now": one.now.points,
            "points_draft": one.draft.points,
            "holds": one.holds,
            "short": one.short,
        }
        for org_id, one in impacts[:FUNDS_TOLD]
    ]


def _compared(one: Compared) -> dict[str, Any]:
    return {"now": _sums(one.now), "draft": _sums(one.draft)}


def _sums(sums: Sums) -> dict[str, int]:
    return {name: getattr(sums, name) for name in ("awards", "points", "minutes", "cut")}


def _name(key: str, *documents: PolicyDocument) -> Bilingual | None:
    rules = (document.rules.get(key) for document in documents)
    return next((named(rule.name, rule.name_en) for rule in rules if rule is not None), None)
