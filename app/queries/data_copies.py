"""SQL of copies of a person's data: every row that says something of one person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.data_copies import DataCopy

# Whoever else took part is not the person's to know.
_OTHERS = (
    "ARRAY['staff_id', 'settled_by', 'confirmed_by', 'proposed_by', 'handler_id', 'author_id']"
)


def _rows(
    table: str, *without: str, of: str = "t.person_id", more: str = "'{}'", join: str = ""
) -> str:
    left_out = "".join(f" - '{name}'" for name in without)
    return f"""
    SELECT CAST((to_jsonb(t) - {_OTHERS}{left_out}) || {more} AS text) AS row
    FROM {table} t {join} WHERE {of} = ANY(CAST(:people AS uuid[])) ORDER BY 1
    """  # noqa: S608 - constants of this file


_TITLE = "jsonb_build_object('activity', a.title, 'starts_at', a.starts_at, 'ends_at', a.ends_at)"
_ACTIVITY = "JOIN activities a ON a.id = t.activity_id"
# By part of the copy (``schemas/data_copies.PARTS``).
PARTS: Mapping[str, str] = {
    "profile": _rows("people", "openid_index", "openid_sealed", of="t.id"),
    "card": _rows("cards"),
    "ended_cards": _rows("ended_cards"),
    "tiers": _rows("tier_standings"),
    "roles": _rows("role_grants"),
    "logins": _rows("token_families"),
    "consents": _rows("consents", "guardian_sealed"),
    "name": _rows("name_confirmations"),
    "closures": _rows("closures"),
    "merges": _rows("merges", "created_by", "reason", "answer", of="t.kept_id"),
    "signups": _rows("signups", more=_TITLE, join=_ACTIVITY),
    "answers": _rows(
        "form_answers",
        more="jsonb_build_object('form', v.title, 'questions', v.questions)",
        join="JOIN form_versions v ON v.id = t.form_version_id",
    ),
    "pauses": _rows("signup_pauses"),
    "checkins": _rows("checkins", more=_TITLE, join=_ACTIVITY),
    "checkouts": _rows("checkouts"),
    "corrections": _rows(
        "corrections",
        "created_by",
        of="c.person_id",
        join="JOIN checkins c ON c.id = t.checkin_id",
    ),
    "flags": _rows("flags", "created_by", "decided_by"),
    "scans": _rows("scans", "digest", "uploaded_by", more=_TITLE, join=_ACTIVITY),
    "visits": _rows(
        "quest_visits",
        more="jsonb_build_object('quest', q.title, 'checkpoint', k.title)",
        join=(
            "JOIN quests q ON q.id = t.quest_id JOIN quest_checkpoints k ON k.id = t.checkpoint_id"
        ),
    ),
    "hours": _rows("attended_times"),
    # Of whom the person is the guardian, with what a child has; names are encrypted.
    "children": _rows(
        "children",
        "name_sealed",
        of="t.guardian_id",
        more=(
            "jsonb_build_object('birth_date', p.birth_date,"
            " 'pickups', (SELECT count(*) FROM pickups k WHERE k.child_id = t.person_id),"
            " 'signups', (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.id)"
            " FROM signups s WHERE s.person_id = t.person_id),"
            " 'checkins', (SELECT jsonb_agg(to_jsonb(c) - 'recorded_by' ORDER BY c.id)"
            " FROM checkins c WHERE c.person_id = t.person_id),"
            " 'handovers', (SELECT jsonb_agg(to_jsonb(h) - ARRAY['handed_over_by', 'fetched_by',"
            " 'fetcher_sealed'] ORDER BY h.id) FROM handovers h WHERE h.child_id = t.person_id),"
            " 'awards', (SELECT jsonb_agg(to_jsonb(w) - 'proposed_by' ORDER BY w.id)"
            " FROM awards w WHERE w.person_id = t.person_id))"
        ),
        join="JOIN people p ON p.id = t.person_id",
    ),
    "awards": _rows("awards"),
    "reviews": _rows(
        "award_reviews",
        "reviewer_id",
        of="w.person_id",
        join="JOIN awards w ON w.id = t.award_id",
    ),
    "deductions": _rows("deductions", "created_by"),
    "cases": _rows(
        "cases",
        of="t.created_by",
        more=(
            "jsonb_build_object('entries', (SELECT jsonb_agg(to_jsonb(e)"
            " - ARRAY['handler_id', 'author_id'] ORDER BY e.number)"
            " FROM case_entries e WHERE e.case_id = t.id))"
        ),
    ),
    "redemptions": _rows(
        "redemptions",
        more="jsonb_build_object('reward', r.name, 'merchant', m.name)",
        join="JOIN rewards r ON r.id = t.reward_id JOIN merchants m ON m.id = t.merchant_id",
    ),
    "waits": _rows(
        "reward_waits",
        more="jsonb_build_object('reward', r.name)",
        join="JOIN rewards r ON r.id = t.reward_id",
    ),
    "proxies": _rows("collection_proxies", "used_by"),
    "categories": _rows(
        "person_categories",
        "created_by",
        more="jsonb_build_object('org', o.name)",
        join="JOIN orgs o ON o.id = t.org_id",
    ),
    "courtesies": _rows(
        "courtesy_claims",
        "used_by",
        of="t.created_by",
        more="jsonb_build_object('courtesy', c.name)",
        join="JOIN courtesies c ON c.id = t.courtesy_id",
    ),
    "packages": _rows(
        "courtesy_grantees",
        more="jsonb_build_object('title', g.title, 'claim_until', g.claim_until)",
        join="JOIN courtesy_grants g ON g.id = t.grant_id",
    ),
    "charges": _rows(
        "charges",
        more="jsonb_build_object('merchant', m.name)",
        join="JOIN merchants m ON m.id = t.merchant_id",
    ),
    "refunds": _rows("charge_refunds", "created_by"),
    # Both sides where both are the person's: points that became available.
    "entries": """
    SELECT CAST(jsonb_build_object(
        'id', t.id, 'created_at', t.created_at, 'kind', t.kind, 'title', t.reason,
        'unit', u.code, 'purpose', a.purpose,
        'amount', CASE WHEN t.to_account_id = a.id THEN t.amount ELSE -t.amount END,
        'balance', CASE WHEN t.to_account_id = a.id THEN t.to_balance ELSE t.from_balance END
    ) AS text) AS row
    FROM ledger_accounts a
    JOIN ledger_transfers t ON t.from_account_id = a.id OR t.to_account_id = a.id
    JOIN ledger_units u ON u.id = t.unit_id
    WHERE a.owner_id = ANY(CAST(:people AS uuid[]))
    ORDER BY t.created_at, t.id, a.id
    """,
    "certificates": _rows("certificates"),
    "notices": _rows("notices", "outbox_id"),
    "subscriptions": _rows("subscriptions"),
    "attachments": _rows("attachments", of="t.created_by"),
    "acts": _rows("audit_entries", "request_id", of="t.actor_id"),
}


async def part(session: Session, name: str, people: Sequence[UUID]) -> list[str]:
    """Read the rows of a part, as JSON texts. ``people``: all accounts of one person."""
    return [row.row for row in await session.fetch(PARTS[name], {"people": list(people)})]


async def add(session: Session, person: UUID, at: datetime) -> DataCopy | None:
    """Insert a copy to be made; None if the person has one."""
    query = (
        insert(DataCopy)
        .values(person_id=person, created_at=at)
        .on_conflict_do_nothing(index_elements=["person_id"])
        .returning(DataCopy)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def of_person(session: Session, person: UUID) -> DataCopy | None:
    query = select(DataCopy).where(DataCopy.person_id == person)
    return (await session.exec(query)).first()


async def find(session: Session, data_copy_id: UUID) -> DataCopy | None:
    return await session.get(DataCopy, data_copy_id)


async def fill(session: Session, data_copy_id: UUID, content: bytes, at: datetime) -> None:
    filled = update(DataCopy).where(col(DataCopy.id) == data_copy_id)
    await session.execute(filled.values(content=content, ready_at=at))


async def forget(session: Session, before: datetime) -> int:
    """Delete the copies that were asked for before a moment; return how many."""
    old = delete(DataCopy).where(col(DataCopy.created_at) < before)
    return len((await session.execute(old.returning(col(DataCopy.id)))).all())
