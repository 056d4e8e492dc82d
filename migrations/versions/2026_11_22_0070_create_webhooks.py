"""Create webhooks, their keys and the log of their deliveries, within both walls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "webhooks_1"
down_revision = "listening_1"
branch_labels = None
depends_on = None

KEEPS = "((select app.role()) = 'operator' or (select app.role()) = 'agency_admin' and agency = (select app.agency()))"
OF_WEBHOOK = "exists (select from webhook w where w.id = webhook_id)"
#: table -> command -> what the row must satisfy (for INSERT: the new row); commands not named are not granted
POLICIES: dict[str, dict[str, str]] = {
    "webhook": dict.fromkeys(("select", "insert", "update", "delete"), KEEPS),
    "webhook_secret": dict.fromkeys(("select", "insert", "update"), OF_WEBHOOK),
    "delivery": dict.fromkeys(("select", "insert", "update"), OF_WEBHOOK),
}
#: the API role seals keys and never reads them
SHOWN_COLUMNS = "id, webhook_id, public_key, created_by, recorded_at, ends_at"


def _walls() -> str:
    lines = []
    for table, commands in POLICIES.items():
        lines += [
            f"alter table {table} enable row level security;",
            f"alter table {table} force row level security;",
            f"grant select, insert, update, delete on {table} to simpul_worker;",
            f"create policy works on {table} to simpul_worker using (true) with check (true);",
        ]
        for command, rule in commands.items():
            clause = "with check" if command == "insert" else "using"
            lines.append(f"create policy may_{command} on {table} for {command} to simpul_api {clause} ({rule});")
        granted = ", ".join(command for command in commands if (table, command) != ("webhook_secret", "select"))
        lines.append(f"grant {granted} on {table} to simpul_api;")
    lines.append(f"grant select ({SHOWN_COLUMNS}) on webhook_secret to simpul_api;")
    return "\n    ".join(lines)


RAISE = f"""
create procedure app.raise_webhook_walls() language plpgsql as $$
begin
    if not app.stand() or exists (select from pg_policies where tablename = 'webhook' and schemaname = 'public') then
        return;
    end if;
    {_walls()}
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_webhooks

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_webhooks() || array(
    select 'row-level security on ' || t from unnest(array[{", ".join(repr(one) for one in POLICIES)}]) t
    where not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = to_regclass(t))
)

call app.raise_walls()
"""


def upgrade() -> None:
    """Create webhooks."""
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("clearance", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("clearance in ('terbatas', 'rahasia')", name=op.f("ck_webhook_clearance_known")),
        sa.CheckConstraint("signature in ('v1a', 'v1')", name=op.f("ck_webhook_signature_known")),
        sa.CheckConstraint("status in ('active', 'paused', 'parked')", name=op.f("ck_webhook_status_known")),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_webhook_agency"),
        sa.ForeignKeyConstraint(["created_by"], ["client.id"], name="fk_webhook_created_by"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
    )
    op.create_index("ix_webhook_agency", "webhook", ["agency"], unique=False)
    op.create_table(
        "webhook_secret",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name="fk_webhook_secret_webhook_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["created_by"], ["client.id"], name="fk_webhook_secret_created_by"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_secret"),
    )
    op.create_index("ix_webhook_secret_webhook_id", "webhook_secret", ["webhook_id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status in ('asked', 'delivered', 'failing', 'failed')", name=op.f("ck_delivery_status_known")
        ),
        sa.CheckConstraint(
            "failure in ('target_not_allowed', 'dns', 'address_not_allowed', 'refused', 'tls', 'timeout', 'broken', 'protocol', 'redirect', 'gone', 'status', 'not_heard', 'secret')",
            name=op.f("ck_delivery_failure_known"),
        ),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="fk_delivery_webhook_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    op.create_index("uq_delivery_event", "delivery", ["webhook_id", "event_id"], unique=True)
    op.create_index("ix_delivery_webhook_id", "delivery", ["webhook_id", "recorded_at", "id"], unique=False)
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["webhook_id"],
        unique=False,
        postgresql_where="status in ('asked', 'failing')",
    )
    op.create_index("ix_delivery_last_attempt_at", "delivery", ["last_attempt_at"], unique=False)
    for statement in RAISE.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("drop procedure app.raise_webhook_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_webhooks() rename to missing_walls")
    for table in ("delivery", "webhook_secret", "webhook"):
        op.drop_table(table)
