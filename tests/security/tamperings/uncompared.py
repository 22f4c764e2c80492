"""Columns that nothing is compared with, by the words of docs/security.md."""

UNCOMPARED = {
    "author, title, state, places; times": (
        "UPDATE activities SET created_by = '{bob}', title = 'x', status = 'cancelled',"
        " capacity = capacity + 1, starts_at = starts_at - interval '1 hour'"
        " WHERE id = '{activity}'"
    ),
    "a no-show that was made a cancellation": (
        "UPDATE signups SET status = 'cancelled', cancelled_at = now() WHERE id = '{place}';"
        "UPDATE activities SET signups_confirmed = signups_confirmed - 1 WHERE id = '{activity}'"
    ),
    "deadlines": "UPDATE cases SET due_at = now() WHERE id = '{objection}'",
    "who wrote a step, and when": (
        "UPDATE case_entries SET author_id = '{bob}', created_at = now()"
        " WHERE case_id = '{objection}'"
    ),
    "name, limits, tier": (
        "UPDATE rewards SET name = 'x', limit_per_member = 9, min_tier = 'gold' WHERE id = '{soap}'"
    ),
    "the number of a card": "UPDATE cards SET serial = DEFAULT WHERE person_id = '{bob}'",
    "name, date of birth": (
        "UPDATE people SET display_name = 'x', birth_date = '2000-01-01' WHERE id = '{bob}'"
    ),
    "level of an organisation, state and profile of a merchant": (
        "UPDATE orgs SET name = 'x', level = 'district' WHERE id = '{org}';"
        "UPDATE merchants SET name = 'x', state = 'suspended', description = 'x'"
        " WHERE id = '{shop}'"
    ),
    "`charge_refunds`, `stock_movements` | why": (
        "UPDATE charge_refunds SET reason = 'x' WHERE charge_id = '{partly}';"
        "UPDATE stock_movements SET reason = 'x' WHERE id = '{movement}'"
    ),
    "status and owner of a reply": (
        "UPDATE idempotency_keys SET status = 299, person_id = '{auditor}'"
        " WHERE person_id = '{alice}'"
    ),
}
