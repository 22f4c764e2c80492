"""Tamperings of organisations, people, roles, policies, the audit trail."""

from tests.security.tamperings.tampering import (
    SEAL_OF_FACTS,
    Tampering,
    Tamperings,
    Untold,
    change,
    delete,
)

PLACES: Tamperings = {
    "appointments": (
        Tampering(
            "INSERT INTO appointments (org_id, created_by, role, code_hash, expires_at)"
            " VALUES ('{org}', '{organizer}', 'administrator', '\\x00', now() + interval '1 day')",
            "receipts, deductions, cases",
            "appointment",
        ),
    ),
    "audit_entries": (
        Tampering(
            "DELETE FROM audit_entries WHERE verb = 'appointed' AND subject_id = '{organizer}'",
            "roles: the audit trail",
            "role grant",
        ),
        Tampering(
            delete("audit_entries", "donated", "verb = 'approved' AND subject_id"),
            "reviews: the audit trail",
            "review of award {donated}",
        ),
        Tampering(
            delete("audit_entries", "reversed", "verb = 'reversed' AND subject_id"),
            "awards: the reversed ones",
            "award {reversed}",
        ),
        Tampering(
            change("audit_entries", "actor_id = '{bob}'", "receipt", "subject_id"),
            "receipts, deductions, cases",
            "fund_receipt {receipt}",
        ),
        Tampering(
            "INSERT INTO audit_entries (verb, subject_type, subject_id, fields, facts)"
            " VALUES ('forgotten', 'audit_entry', '{organizer}', '[]',"
            " jsonb_build_object('until', '2099-01-01T00:00:00+00:00'))",
            "audit trail: what was forgotten",
            "audit entry",
        ),
        Tampering(
            "INSERT INTO audit_entries (id, verb, subject_type, subject_id, fields, facts) VALUES"
            " (uuidv7(interval '-9 years'), 'changed', 'test', '{organizer}', '[]', '{{}}'),"
            " (uuidv7(), 'forgotten', 'audit_entry', '{organizer}', '[]', jsonb_build_object("
            "'until', to_char(now() - interval '37 months', 'YYYY-MM') || '-01T00:00:00+00:00'))",
            "audit trail: nothing is left",
            "audit entry",
        ),
        Tampering(
            change("audit_entries", "at = at - interval '1 hour'", "receipt", "subject_id"),
            f"{SEAL_OF_FACTS}: each audit entry",
            "audit entry",
        ),
        Tampering(
            change("audit_entries", "reason = 'x'", "reversed", "verb = 'reversed' AND subject_id"),
            f"{SEAL_OF_FACTS}: each audit entry",
            "audit entry",
        ),
    ),
    "cards": (
        Tampering(delete("cards", "alice", "person_id"), "people: each has", "person {alice}"),
        Untold(
            "whether a card is suspended",
            change("cards", "status = 'suspended'", "bob", "person_id"),
            "an operator may have suspended it before an operation did, without an entry",
        ),
    ),
    "orgs": (
        Tampering(
            change("orgs", "path = '/9/' || code || '/'", "street"),
            "organisations: the path",
            "organisation {street}",
        ),
        Tampering(delete("orgs", "org"), "references", "activities {activity}"),
        Tampering(
            change("orgs", "closed_at = now()", "org"),
            "organisations: closed",
            "organisation {org}",
        ),
    ),
    "merges": (
        Tampering(
            "UPDATE merges SET absorbed_id = kept_id, kept_id = absorbed_id WHERE id = '{merge}';"
            "UPDATE people SET merged_into_id = NULL WHERE id = '{absorbed}';"
            "UPDATE people SET merged_into_id = '{absorbed}' WHERE id = '{survivor}'",
            "merges: transfers go",
            "transfer",
        ),
        Tampering(
            change("merges", "settled_by = '{bob}'", "merge"),
            "merges: the audit trail",
            "merge {merge}",
        ),
    ),
    "people": (
        Tampering(
            change("people", "merged_into_id = '{bob}'", "absorbed"),
            "merges: people lead",
            "person {absorbed}",
        ),
        Tampering(delete("people", "carol"), "references", "cards {carol}"),
        Tampering(
            change("people", "suspended_at = now(), suspended_org_id = '{org}'", "bob"),
            "suspensions",
            "person {bob}",
        ),
        Untold(
            "whose openid it is",
            change("people", "openid_index = sha256(openid_index)", "alice"),
            "only WeChat knows whose an openid is, and only the service can read it",
        ),
    ),
    "policies": (
        Tampering(
            "UPDATE policies SET source = source || ' ' WHERE version = 1",
            "policies: each is",
            "policy 1",
        ),
        Tampering(
            "UPDATE policies SET effective_from = now() WHERE version = 1",
            "policies: each is",
            "policy 1",
        ),
        Tampering(
            "INSERT INTO policies (version, effective_from, source)"
            " SELECT max(version) + 1, now(), min(source) FROM policies",
            "policies: each is",
            "policy 4",
        ),
    ),
    "role_grants": (
        Tampering(
            "INSERT INTO role_grants (person_id, role, org_id)"
            " VALUES ('{bob}', 'administrator', '{org}')",
            "roles: the audit trail",
            "role grant",
        ),
        Tampering(
            "UPDATE role_grants SET role = 'administrator' WHERE person_id = '{organizer}'",
            "roles: the audit trail",
            "role grant",
        ),
        Tampering(
            "UPDATE role_grants SET ends_at = now() + interval '1 day'"
            " WHERE person_id = '{organizer}'",
            "roles: the audit trail",
            "role grant",
        ),
        Tampering(
            "UPDATE role_grants SET starts_at = starts_at - interval '1 day'"
            " WHERE person_id = '{organizer}'",
            "roles: the audit trail",
            "role grant",
        ),
        Untold(
            "a role that is gone",
            "DELETE FROM role_grants WHERE person_id = '{auditor}'",
            "an operation ends one, with an entry; it takes rights and gives none",
        ),
    ),
}
