"""SQL that erases people: what the rows of each noun say of them, and nothing of the ledger.

``test_erasures`` compares ERASED and KEPT with the models: each text, JSON and bytea column of a
table that refers to a person is erased, or stands here with the reason why not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.language import CLOSED_ACCOUNT

# Attachments of these belong to the organisation, whoever uploaded them.
_OF_ORGANISATIONS = ("activity", "reward", "merchant", "shop", "fund_receipt")

_PEOPLE = """
UPDATE people SET openid_index = uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    openid_sealed = '', display_name = :name, birth_date = NULL, birth_year = NULL,
    shows_name = false, community_id = NULL, interests = '[]', language = NULL,
    erased_at = coalesce(erased_at, CAST(:at AS timestamptz))
WHERE id = ANY(CAST(:people AS uuid[]))
"""
# In this order: the rows of one refer to those of the next.
_DELETED = (
    """
    DELETE FROM refresh_tokens t USING token_families f
    WHERE f.id = t.family_id AND f.person_id = ANY(CAST(:people AS uuid[]))
    """,
    "DELETE FROM token_families WHERE person_id = ANY(CAST(:people AS uuid[]))",
    "DELETE FROM card_codes WHERE person_id = ANY(CAST(:people AS uuid[]))",
    """
    UPDATE checkins SET latitude = NULL, longitude = NULL
    WHERE person_id = ANY(CAST(:people AS uuid[])) AND latitude IS NOT NULL
    """,
    """
    UPDATE signups SET friend_names = NULL
    WHERE person_id = ANY(CAST(:people AS uuid[])) AND friend_names IS NOT NULL
    """,
    *(
        f"DELETE FROM {table} WHERE person_id = ANY(CAST(:people AS uuid[]))"  # noqa: S608
        for table in (
            *("tier_standings", "ended_cards", "cards", "collection_proxies", "certificates"),
            *("simulated_people", "subscriptions", "data_copies", "idempotency_keys"),
        )
    ),
    "UPDATE consents SET guardian_sealed = NULL WHERE person_id = ANY(CAST(:people AS uuid[]))",
    "DELETE FROM name_confirmations WHERE person_id = ANY(CAST(:people AS uuid[]))",
    # With the people who may fetch the child, and their codes.
    "DELETE FROM children WHERE person_id = ANY(CAST(:people AS uuid[]))",
    "DELETE FROM pickups WHERE person_id = ANY(CAST(:people AS uuid[]))",
    "UPDATE handovers SET fetcher_sealed = NULL WHERE child_id = ANY(CAST(:people AS uuid[]))",
    # A message and its notice; what waits has no notice yet.
    """
    DELETE FROM outbox WHERE id IN (
        SELECT outbox_id FROM notices WHERE person_id = ANY(CAST(:people AS uuid[])))
    """,
    """
    DELETE FROM outbox WHERE handled_at IS NULL
      AND payload ->> 'person_id' = ANY(CAST(CAST(:people AS uuid[]) AS text[]))
    """,
    "DELETE FROM notices WHERE person_id = ANY(CAST(:people AS uuid[]))",
)
# Each person has a card: another one, with a number that nobody has seen.
_CARDS = """
INSERT INTO cards (person_id, status)
SELECT id, 'suspended' FROM people WHERE id = ANY(CAST(:people AS uuid[])) ORDER BY id
"""
# What is used up once stays, or it could be used again: it is a number of a document.
_AWARDS = """
UPDATE awards a SET evidence = coalesce((
    SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(a.evidence) e
    JOIN award_evidence_numbers n ON n.field = e.key
    WHERE (n.proposal_id, n.unit_id, n.rule_key) = (a.proposal_id, a.unit_id, a.rule_key)), '{}')
WHERE a.person_id = ANY(CAST(:people AS uuid[]))
"""
_REVIEWS = """
UPDATE award_reviews r SET reason = NULL FROM awards a
WHERE a.id = r.award_id AND a.person_id = ANY(CAST(:people AS uuid[])) AND r.reason IS NOT NULL
"""
# Unique by its evidence.
_DEDUCTIONS = """
UPDATE deductions SET evidence = jsonb_build_object('erased', id)
WHERE person_id = ANY(CAST(:people AS uuid[]))
"""
_COLLECTIONS = """
UPDATE redemptions SET undo_reason = ''
WHERE person_id = ANY(CAST(:people AS uuid[])) AND undo_reason IS NOT NULL
"""
# Append-only: a function of the schema's owner empties the texts of cases, of corrections, of
# visits to applicants and of the audit trail that are about erased people.
_DECISIONS = "SELECT erase_texts(array_agg(one)) FROM unnest(CAST(:people AS uuid[])) AS one"
_CATEGORIES = "DELETE FROM person_categories WHERE person_id = ANY(CAST(:people AS uuid[]))"
_ATTACHMENTS = """
DELETE FROM attachments WHERE id IN (
    SELECT id FROM attachments
    WHERE created_by = ANY(CAST(:people AS uuid[]))
      AND (subject_type <> ALL(CAST(:kept AS text[])) OR state = 'checking')
    UNION ALL
    SELECT id FROM attachments
    WHERE subject_type = 'person' AND subject_id = ANY(CAST(:people AS uuid[]))
    UNION ALL
    SELECT t.id FROM merchants m
    JOIN attachments t ON t.subject_type = 'merchant' AND t.subject_id = m.id
    WHERE m.applied_by = ANY(CAST(:people AS uuid[])) AND m.state IN ('applied', 'declined')
    UNION ALL
    SELECT t.id FROM awards a
    JOIN attachments t ON t.subject_type = 'award' AND t.subject_id = a.id
    WHERE a.person_id = ANY(CAST(:people AS uuid[])))
RETURNING id
"""
_FAMILIES = "SELECT id FROM token_families WHERE person_id = ANY(CAST(:people AS uuid[]))"
_ROLES = """
DELETE FROM role_grants g WHERE g.person_id = ANY(CAST(:people AS uuid[]))
RETURNING g.person_id, g.role, g.merchant_id,
    coalesce(g.org_id, (SELECT m.org_id FROM merchants m WHERE m.id = g.merchant_id)) AS org_id
"""
_SIGNUPS = """
SELECT s.id, s.person_id FROM signups s JOIN activities a ON a.id = s.activity_id
WHERE s.person_id = ANY(CAST(:people AS uuid[])) AND s.status <> 'cancelled'
  AND a.starts_at > CAST(:at AS timestamptz)
ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """A role that ended with its holder."""

    person_id: UUID
    role: str
    org_id: UUID
    merchant_id: UUID | None


async def erase(session: Session, people: Sequence[UUID], at: datetime) -> None:
    """Erase what the rows of people, logins, cards, keys, notices and messages say of them."""
    these = {"people": list(people)}
    await session.fetch(_PEOPLE, these | {"name": CLOSED_ACCOUNT.zh, "at": at})
    for statement in _DELETED:
        await session.fetch(statement, these)
    await session.fetch(_CARDS, these)


async def erase_texts(session: Session, people: Sequence[UUID]) -> None:
    """Erase what staff and people wrote about people who are erased: evidence and reasons."""
    for statement in (_AWARDS, _REVIEWS, _DEDUCTIONS, _COLLECTIONS, _DECISIONS):
        await session.fetch(statement, {"people": list(people)})


async def remove_categories(session: Session, people: Sequence[UUID]) -> None:
    """Delete categories of people, once the texts of the audit trail about them are erased."""
    await session.fetch(_CATEGORIES, {"people": list(people)})


async def remove_attachments(session: Session, people: Sequence[UUID]) -> list[UUID]:
    """Delete the attachments of people, of their awards and of their applications.

    Returns the ids of the bytes.
    """
    kept = {"kept": list(_OF_ORGANISATIONS)}
    return [row.id for row in await session.fetch(_ATTACHMENTS, {"people": list(people)} | kept)]


async def families(session: Session, people: Sequence[UUID]) -> list[UUID]:
    """Read the logins of people."""
    return [row.id for row in await session.fetch(_FAMILIES, {"people": list(people)})]


async def remove_roles(session: Session, people: Sequence[UUID]) -> list[Lost]:
    rows = await session.fetch(_ROLES, {"people": list(people)})
    return [Lost(row.person_id, row.role, row.org_id, row.merchant_id) for row in rows]


async def signups_ahead(
    session: Session, people: Sequence[UUID], at: datetime
) -> list[tuple[UUID, UUID]]:
    """Read sign-ups to activities that have not begun, and whose they are."""
    rows = await session.fetch(_SIGNUPS, {"people": list(people), "at": at})
    return [(row.id, row.person_id) for row in rows]


# What the statements above erase, by table. Rows of the tables with all their columns are deleted.
ERASED: Mapping[str, tuple[str, ...]] = {
    "attachments": ("content_type", "sha256", "trace_id"),
    "audit_entries": ("reason",),
    "award_reviews": ("reason",),
    "awards": ("evidence",),
    "card_codes": ("code", "purpose"),
    "case_entries": ("text",),
    "cases": ("answer", "reason"),
    "certificates": ("code", "name", "title"),
    "children": ("name_sealed",),
    "collection_proxies": ("code", "name"),
    "consents": ("guardian_sealed",),
    "corrections": ("reason",),
    "data_copies": ("content",),
    "deductions": ("evidence",),
    "ended_cards": ("reason",),
    "form_answers": ("answers",),  # by ``ERASES`` of the service
    "handovers": ("fetcher_sealed",),
    "idempotency_keys": ("body", "fingerprint", "key"),
    # Of applications, and the telephone of who applied where nobody is left on the staff; by
    # ``ERASES`` of the service.
    "merchants": ("description", "hours", "name", "phone"),
    "merchant_visits": ("note",),  # to merchants for which the person applied
    "merges": ("answer", "reason"),  # by ``ERASES`` of the service
    "notices": ("facts", "text"),
    "person_categories": ("reason",),
    "people": ("display_name", "interests", "language", "openid_index", "openid_sealed"),
    "pickups": ("named_sealed",),
    "redemptions": ("undo_reason",),
    "signups": ("friend_names",),
    "subscriptions": ("answer", "template_id"),
    "tier_standings": ("tier",),
}
# What keeps its text, by table, and why.
_OF_ORGANISATION = "says what the organisation does, not who somebody is"
KEPT: Mapping[str, Mapping[str, str]] = {
    "activities": dict.fromkeys(
        (
            *("cancel_reason", "description", "eligibility", "location_name", "org_path"),
            *("signup_terms", "tags", "title"),
        ),
        _OF_ORGANISATION,
    ),
    "activity_messages": {"text": _OF_ORGANISATION},
    "activity_templates": dict.fromkeys(
        ("description", "location_name", "name", "sessions", "tags", "title"), _OF_ORGANISATION
    ),
    "agreements": {"note": _OF_ORGANISATION},
    "appointments": {"code_hash": "of a random number, good for ten minutes"},
    "audit_entries": {
        "facts": "counts, codes and ids",
        "fields": "names of columns",
        "request_id": "a random number",
    },
    "awards": {
        "reason": "why it has so many points: a word of a list",
        "reference": "ids of the ledger",
        "title": "of the activity or the rule; stands in the transfer too",
    },
    "charges": dict.fromkeys(
        ("note", "refund_reason"), "what a merchant sold; stands in the transfer too"
    ),
    "charge_refunds": {"reason": "what a merchant gave back; stands in the transfer too"},
    "consents": {"version": "what was agreed to, and when: what we must be able to show"},
    "courtesies": dict.fromkeys(
        ("choice_group", "details", "name", "name_en", "period", "venue"), _OF_ORGANISATION
    ),
    "courtesy_claims": {"choice_group": _OF_ORGANISATION},
    "courtesy_grants": {"title": _OF_ORGANISATION},
    "deductions": {"title": "of the rule"},
    "form_versions": dict.fromkeys(("questions", "title"), _OF_ORGANISATION),
    "flags": {"reason": _OF_ORGANISATION},
    "forms": {"title": _OF_ORGANISATION},
    "devices": dict.fromkeys(
        ("name", "public_key", "reason", "roster_key"), "of a machine of the organisation"
    ),
    "fund_receipts": dict.fromkeys(("giver", "goods", "note", "reversal_reason"), _OF_ORGANISATION),
    "shift_notes": {"text": "says what the next shift of a post should know, not who somebody is"},
    "handovers": {"proof": "a word of a list: how the child left"},
    "ledger_redactions": dict.fromkeys(("after", "before", "key"), "hashes and ids"),
    "policies": {"source": _OF_ORGANISATION},
    "policy_simulations": {
        "failure": "code of a refusal",
        "result": "sums and names of organisations and rules",
        "source": _OF_ORGANISATION,
    },
    "quest_visits": {"flagged": "why it is doubted: a word of a list"},
    "quests": dict.fromkeys(("description", "title"), _OF_ORGANISATION),
    "redemptions": {"pickup_code": "random, spent"},
    "reward_lists": dict.fromkeys(("items", "source", "title"), _OF_ORGANISATION),
    "offline_handovers": dict.fromkeys(("digest", "reason"), "a word of a list, and a hash"),
    "redemption_days": dict.fromkeys(("place", "title"), _OF_ORGANISATION),
    "redemption_day_movements": {"reason": _OF_ORGANISATION},
    "redemption_substitutions": {"reason": "says what is wrong with the goods"},
    "scans": dict.fromkeys(("action", "digest", "reason"), "a word of a list, and a hash"),
    "settlements": {"paid_reference": _OF_ORGANISATION},
    "settlement_disputes": dict.fromkeys(("answer", "reason"), "about a line of a statement"),
    "shops": dict.fromkeys(("address", "hours", "name", "phone"), _OF_ORGANISATION),
    "stock_movements": {"reason": _OF_ORGANISATION},
    "voucher_codes": dict.fromkeys(("code_index", "code_sealed"), "of a voucher, encrypted"),
    "webhooks": dict.fromkeys(
        ("description", "previous_sealed", "secret_sealed", "types", "url"), "of a merchant's till"
    ),
    "verifications": dict.fromkeys(
        ("findings", "head", "rows_read"), "names of checks and tables, and a seal"
    ),
}
# Columns of any table with a word or key of a list of ours.
CODES = {
    *("category", "cause", "departure", "document", "fact", "form", "from_state", "signup_for"),
    *("kind", "method", "outcome", "role", "rule_key", "satisfaction", "state", "status", "step"),
    *("subject_type", "to_state", "verb"),
    *("category", "cause", "departure", "disabled_by", "document", "fact", "form", "from_state"),
    *("kind", "method", "outcome", "role", "rule_key", "signup_for"),
    *("satisfaction", "state", "status", "step", "subject_type", "to_state", "verb"),
}
