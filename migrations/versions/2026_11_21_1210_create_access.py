"""Create clients, secrets and kept answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "access_1"
down_revision = "registry_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create clients, secrets and kept answers."""
    op.create_table(
        "client",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("clearance", sa.Text(), nullable=False),
        sa.Column("networks", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(agency is null) = (role = 'operator')", name=op.f("ck_client_operator_has_no_agency")),
        sa.CheckConstraint("clearance in ('terbatas', 'rahasia')", name=op.f("ck_client_clearance_known")),
        sa.CheckConstraint(
            "role in ('viewer', 'officer', 'supervisor', 'auditor', 'expert', 'agency_admin', 'operator')",
            name=op.f("ck_client_role_known"),
        ),
        sa.CheckConstraint("status in ('active', 'suspended', 'revoked')", name=op.f("ck_client_status_known")),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_client_agency"),
        sa.ForeignKeyConstraint(["created_by"], ["client.id"], name="fk_client_created_by"),
        sa.PrimaryKeyConstraint("id", name="pk_client"),
    )
    op.create_index("ix_client_agency", "client", ["agency"], unique=False)
    op.create_table(
        "client_secret",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name="fk_client_secret_client_id"),
        sa.ForeignKeyConstraint(["created_by"], ["client.id"], name="fk_client_secret_created_by"),
        sa.PrimaryKeyConstraint("id", name="pk_client_secret"),
    )
    op.create_index("ix_client_secret_client_id", "client_secret", ["client_id"], unique=False)
    op.create_table(
        "idempotency_record",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name="fk_idempotency_record_client_id"),
        sa.PrimaryKeyConstraint("client_id", "key_hash", name="pk_idempotency_record"),
    )
    op.create_index("ix_idempotency_record_expires_at", "idempotency_record", ["expires_at"], unique=False)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("idempotency_record")
    op.drop_table("client_secret")
    op.drop_table("client")
