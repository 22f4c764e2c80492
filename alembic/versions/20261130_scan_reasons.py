"""Two more reasons for which a scan does not count.

Revision ID: 20261130_scan_reasons
Revises: 20261130_reasons_erased
"""

from alembic import op

revision = "20261130_scan_reasons"
down_revision = "20261130_redemption_days"
branch_labels = None
depends_on = None

_BEFORE = (
    "'malformed', 'unknown_device', 'bad_signature', 'revoked', 'clock_skewed', 'ahead', "
    "'too_old', 'sequence_jumps', 'other_activity', 'already_in', 'came_earlier', 'already_out', "
    "'sequence_reused', 'closed_before', 'corrected_before', 'no_session', 'code_invalid', "
    "'code_elsewhere', 'code_expired', 'digits_wrong', 'card_unknown', 'own_card', 'not_open', "
    "'outside_window', 'not_signed_up', 'checkout_not_asked', "
)
_NEW = "'handover_needed', 'not_eligible', "
_LAST = "'not_checked_in'"


def _require(reasons: str) -> None:
    op.drop_constraint(op.f("ck_scans_reason"), "scans", type_="check")
    op.create_check_constraint(op.f("ck_scans_reason"), "scans", f"reason IN ({reasons})")


def upgrade() -> None:
    _require(_BEFORE + _NEW + _LAST)


def downgrade() -> None:
    op.execute(
        "UPDATE scans SET reason = 'not_signed_up'"
        " WHERE reason IN ('handover_needed', 'not_eligible')"
    )
    _require(_BEFORE + _LAST)
