"""Create the clocks of tasks, the versions of the calendar, and what starts, pauses and extends a clock."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "clocks_1"
down_revision = "webhooks_1"
branch_labels = None
depends_on = None

KINDS = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'deadline.started', 'deadline.approaching', 'deadline.breached', 'deadline.met', 'deadline.paused', 'deadline.resumed', 'deadline.extended', 'deadline.revised', 'deadline.recomputed', 'deadline.voided', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'calendar.corrected', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
KINDS_BEFORE = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
# the constraint comes back in the same transaction, with the words that are new
WIDEN = """
-- squawk-ignore ban-drop-constraint
alter table event drop constraint ck_event_kind_known
"""

# a clock is read by who reads its whole task: what that depends on is kept beside it, as with referrals
READERS = """
create function app.keep_deadline_readers() returns trigger language plpgsql
security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_table_name = 'task' then
        update deadline c set readers = new.readers, classification = new.classification,
            recused_offices = new.recused_offices where c.task_id = new.id;
    else
        select t.readers, t.classification, t.recused_offices
        into new.readers, new.classification, new.recused_offices from task t where t.id = new.task_id;
    end if;
    return new;
end $$

create trigger keep_deadline_readers before insert on deadline
for each row execute function app.keep_deadline_readers()

create trigger keep_deadline_readers after update on task for each row
when (old.readers is distinct from new.readers or old.classification is distinct from new.classification
    or old.recused_offices is distinct from new.recused_offices)
execute function app.keep_deadline_readers()
"""

SEEN = "(classification <> 'rahasia' or (select app.cleared()))"
UNRECUSED = "(not (select app.office()) = any(recused_offices) or readers && (select app.own_sight()))"
AT_WORK = "task_id = any((select app.at_work())::uuid[])"
#: command -> what the row must satisfy (for INSERT: the new row)
POLICIES = {
    "select": f"({AT_WORK} or {SEEN} and readers && (select app.sight()) and {UNRECUSED})",
    "insert": "app.works_on(task_id)",
    "update": "app.works_on(task_id)",
}
ENTERED = "app.client() is not null"
HEARS = (
    "case when task_id is not null then app.sees_past(task_id, recorded_at)"
    " when object_type = 'vulnerability' then exists (select from vulnerability v where v.id::text = object_id)"
    " when object_type = 'meeting' then exists (select from meeting m where m.id::text = object_id)"
    " when object_type in ('legal_instrument', 'mandate', {more}'election', 'stage', 'log_key', 'log')"
    f" or kind in ('agency.created', 'agency.updated') then {ENTERED}"
    " else app.role() = 'operator' or app.role() in ('agency_admin', 'auditor') and app.agency() in (agency, concerns)"
    " or app.client()::text in (client_id::text, object_id) end"
)
HEARS_NOW, HEARS_BEFORE = HEARS.format(more="'calendar', "), HEARS.format(more="")
LAW = ("calendar", "clock_start", "referral_clock_start", "deadline_relation")


def _walls() -> str:
    lines = [
        "alter table deadline enable row level security;",
        "alter table deadline force row level security;",
        "grant select, insert, update, delete on deadline to simpul_worker;",
        "create policy works on deadline to simpul_worker using (true) with check (true);",
        "grant select, insert, update on deadline to simpul_api;",
    ]
    for command, rule in POLICIES.items():
        clause = "with check" if command == "insert" else "using"
        lines.append(f"create policy may_{command} on deadline for {command} to simpul_api {clause} ({rule});")
    lines += [f"grant select on {table} to simpul_api, simpul_worker;" for table in LAW]
    lines += [
        "grant insert on calendar to simpul_api, simpul_worker;",
        f"alter policy may_select on event using ({HEARS_NOW});",
        "grant create on schema app to simpul_worker;",
        "alter function app.keep_deadline_readers() owner to simpul_worker;",
        "revoke create on schema app from simpul_worker;",
        "revoke execute on function app.keep_deadline_readers() from public;",
    ]
    return "\n    ".join(lines)


RAISE = f"""
create procedure app.raise_clock_walls() language plpgsql as $$
begin
    if not app.stand() or exists (select from pg_policies where tablename = 'deadline' and schemaname = 'public') then
        return;
    end if;
    {_walls()}
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_clocks

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_clocks() || array(
    select 'row-level security on deadline' from pg_class c
    where c.oid = to_regclass('deadline') and not (c.relrowsecurity and c.relforcerowsecurity)
)

call app.raise_walls()
"""


def upgrade() -> None:
    """Create clocks."""
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS)
    _create_law()
    _create_deadline()
    _run(READERS)
    _run(RAISE)


def _create_law() -> None:
    op.create_table(
        "clock_start",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("foreseen", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_clock_start"),
    )
    op.create_table(
        "referral_clock_start",
        sa.Column("clock_starts_at", sa.Text(), nullable=False),
        sa.Column("from_office", sa.Text(), nullable=False),
        sa.Column("to_office", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clock_starts_at"], ["clock_start.code"], name="fk_referral_clock_start_clock_starts_at"
        ),
        sa.PrimaryKeyConstraint("clock_starts_at", "from_office", "to_office", name="pk_referral_clock_start"),
    )
    op.create_table(
        "deadline_relation",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("other", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "relation in ('extended_by', 'paused_by')", name=op.f("ck_deadline_relation_relation_known")
        ),
        sa.ForeignKeyConstraint(["code"], ["deadline_rule.code"], name="fk_deadline_relation_code"),
        sa.ForeignKeyConstraint(["other"], ["deadline_rule.code"], name="fk_deadline_relation_other"),
        sa.PrimaryKeyConstraint("code", "relation", name="pk_deadline_relation"),
    )
    op.create_table(
        "calendar",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=False),
        sa.Column("covers_to", sa.Date(), nullable=False),
        sa.Column("holidays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("added", sa.ARRAY(sa.Date()), nullable=False),
        sa.Column("removed", sa.ARRAY(sa.Date()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("covers_to >= covers_from", name=op.f("ck_calendar_window")),
        sa.PrimaryKeyConstraint("version", name="pk_calendar"),
    )


def _create_deadline() -> None:
    still_open = "met_at is null and voided_at is null"
    op.create_table(
        "deadline",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("clock_starts_at", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("limit", sa.Integer(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("extension", sa.Integer(), nullable=True),
        sa.Column("extended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pausable", sa.Integer(), nullable=False),
        sa.Column("pauses", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("calendar_version", sa.Integer(), nullable=True),
        sa.Column("arithmetic", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("approaches_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approached", sa.Boolean(), nullable=False),
        sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("set_by", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("classification", sa.Text(), server_default="rahasia", nullable=False),
        sa.Column("recused_offices", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("readers", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint("kind in ('statutory', 'agreed')", name=op.f("ck_deadline_kind_known")),
        sa.CheckConstraint(
            "status in ('running', 'paused', 'met', 'breached', 'void')", name=op.f("ck_deadline_status_known")
        ),
        sa.CheckConstraint("unit in ('hour', 'calendar_day', 'working_day')", name=op.f("ck_deadline_unit_known")),
        sa.CheckConstraint("(kind = 'statutory') = (code is not null)", name=op.f("ck_deadline_statutory_has_a_rule")),
        sa.CheckConstraint("status <> 'met' or met_at is not null", name=op.f("ck_deadline_met_at_some_time")),
        sa.CheckConstraint("(status = 'void') = (voided_at is not null)", name=op.f("ck_deadline_voided_at_some_time")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_deadline_task_id"),
        sa.ForeignKeyConstraint(["code"], ["deadline_rule.code"], name="fk_deadline_code"),
        sa.ForeignKeyConstraint(["calendar_version"], ["calendar.version"], name="fk_deadline_calendar_version"),
        sa.ForeignKeyConstraint(["set_by"], ["agency.code"], name="fk_deadline_set_by"),
        sa.PrimaryKeyConstraint("id", name="pk_deadline"),
    )
    op.create_index("uq_deadline_open", "deadline", ["task_id", "code"], unique=True, postgresql_where=still_open)
    op.create_index(
        "uq_deadline_started_at",
        "deadline",
        ["task_id", "code", "started_at"],
        unique=True,
        postgresql_where="status <> 'void'",
    )
    op.create_index("ix_deadline_task_id", "deadline", ["task_id", "due_at"], unique=False)
    op.create_index("ix_deadline_due_at", "deadline", ["due_at", "id"], unique=False)
    op.create_index("ix_deadline_status", "deadline", ["status", "due_at", "id"], unique=False)
    op.create_index(
        "ix_deadline_approaches_at",
        "deadline",
        ["approaches_at"],
        unique=False,
        postgresql_where="status = 'running' and not approached",
    )
    op.create_index(
        "ix_deadline_calendar_version",
        "deadline",
        ["calendar_version"],
        unique=False,
        postgresql_where=f"unit = 'working_day' and {still_open}",
    )
    op.create_index("ix_deadline_readers", "deadline", ["readers"], unique=False, postgresql_using="gin")


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("drop procedure app.raise_clock_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_clocks() rename to missing_walls")
    op.execute(f"""
        do $$ begin
            if app.stand() then
                alter policy may_select on event using ({HEARS_BEFORE});
            end if;
        end $$
    """)
    op.execute("drop trigger keep_deadline_readers on task")
    op.drop_table("deadline")
    op.execute("drop function app.keep_deadline_readers()")
    for table in ("calendar", "deadline_relation", "referral_clock_start", "clock_start"):
        op.drop_table(table)
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS_BEFORE)
