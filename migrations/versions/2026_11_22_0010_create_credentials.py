"""Create what credentials need: keys of clients, the signing ring, what was revoked, epochs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "credentials_1"
down_revision = "work_1"
branch_labels = None
depends_on = None

KINDS = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended')"
KINDS_BEFORE = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created')"

# the constraint comes back in the same transaction, with the words that are new
WIDEN = """
-- squawk-ignore ban-drop-constraint
alter table event drop constraint ck_event_kind_known
"""


def upgrade() -> None:
    """Create what credentials need."""
    op.add_column("agency", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False))
    op.add_column("client", sa.Column("origins", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.add_column("client", sa.Column("token_minutes", sa.Integer(), nullable=True))
    op.add_column("client", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False))
    op.add_column("client_secret", sa.Column("addresses", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.create_table(
        "client_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("jwk", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("addresses", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name="fk_client_key_client_id"),
        sa.ForeignKeyConstraint(["created_by"], ["client.id"], name="fk_client_key_created_by"),
        sa.PrimaryKeyConstraint("id", name="pk_client_key"),
    )
    op.create_index("ix_client_key_client_id", "client_key", ["client_id"], unique=False)
    op.create_table(
        "used_assertion",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name="fk_used_assertion_client_id"),
        sa.PrimaryKeyConstraint("client_id", "jti", name="pk_used_assertion"),
    )
    op.create_index("ix_used_assertion_expires_at", "used_assertion", ["expires_at"], unique=False)
    op.create_table(
        "revoked_token",
        sa.Column("jti", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name="fk_revoked_token_client_id"),
        sa.PrimaryKeyConstraint("jti", name="pk_revoked_token"),
    )
    op.create_index("ix_revoked_token_expires_at", "revoked_token", ["expires_at"], unique=False)
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('next', 'active', 'passive', 'dead')", name=op.f("ck_signing_key_state_known")),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_key"),
    )
    op.create_index(
        "uq_signing_key_state", "signing_key", ["state"], unique=True, postgresql_where="state in ('next', 'active')"
    )
    op.create_table(
        "epoch",
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_epoch_one_row")),
        sa.PrimaryKeyConstraint("single", name="pk_epoch"),
    )
    op.execute("insert into epoch (single, number) values (true, 0)")
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS)


def downgrade() -> None:
    """Take it back."""
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS_BEFORE)
    for table in ("epoch", "signing_key", "revoked_token", "used_assertion", "client_key"):
        op.drop_table(table)
    op.drop_column("client_secret", "addresses")
    for column in ("epoch", "token_minutes", "origins"):
        op.drop_column("client", column)
    op.drop_column("agency", "epoch")
