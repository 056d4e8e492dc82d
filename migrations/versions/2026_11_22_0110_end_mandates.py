"""Let mandates end: who succeeds to open tasks by law, and how two operators close a row of the matrix."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "succession_1"
down_revision = "clocks_1"
branch_labels = None
depends_on = None

KINDS = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.succeeded', 'task.mandate_ended', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'deadline.started', 'deadline.approaching', 'deadline.breached', 'deadline.met', 'deadline.paused', 'deadline.resumed', 'deadline.extended', 'deadline.revised', 'deadline.recomputed', 'deadline.voided', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'mandate.closure_proposed', 'mandate.closure_rejected', 'mandate.closed', 'calendar.corrected', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'log.head_lost', 'log.resumed', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
KINDS_BEFORE = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'deadline.started', 'deadline.approaching', 'deadline.breached', 'deadline.met', 'deadline.paused', 'deadline.resumed', 'deadline.extended', 'deadline.revised', 'deadline.recomputed', 'deadline.voided', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'calendar.corrected', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'log.head_lost', 'log.resumed', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"

# the constraint comes back in the same transaction, with the words that are new
WIDEN = """
-- squawk-ignore ban-drop-constraint
alter table event drop constraint ck_event_kind_known
"""

# what is seen of a task in full has its new columns too; the view is the worker's where the walls stand
AS_WORKER = """
do $$ begin
    if app.stand() then
        grant create on schema public to simpul_worker;
        set local role simpul_worker;
    end if;
end $$
"""
AS_OWNER = """
reset role

do $$ begin
    if app.stand() then
        revoke create on schema public from simpul_worker;
    end if;
end $$
"""
DETAIL = """
create or replace view task_detail with (security_barrier) as
select * from task t
where t.id = any((select app.at_work())::uuid[])
    or ((t.classification <> 'rahasia' or (select app.cleared())) and t.readers && (select app.sight())
        and (not (select app.office()) = any(t.recused_offices) or t.readers && (select app.own_sight())))
"""
SHOWN = """
do $$ begin
    if app.stand() then
        grant select on task_detail to simpul_api;
    end if;
end $$
"""

# Operators see references and counts, and nothing of what is rahasia: it shows in no count of anybody but its parties.
# The digest tells one state of these tasks from another.
UNDER_MANDATE = """
create function app.under_mandate(row_ text) returns table (subcategory text, variant text, subject_kind text,
    region_code text, event_on date, agency text, tasks bigint, referrals bigint, refs text[], digest text)
language sql stable security definer set search_path = pg_catalog, public, pg_temp begin atomic
    with dated as (
        select exists (select from mandate m join mandate o on o.category = m.category and o.function = m.function
            where m.id = row_ and o.resolve_at = 'event') as by_event
    ), open as (
        select t.id, t.version, t.variant, t.accountable as agency, t.id as task_id, true as task
        from task t where t.mandate = row_
            and t.status in ('accepted', 'in_progress', 'awaiting_info', 'resolved')
        union all
        select r.id, r.version, r.variant, r.to_agency, r.task_id, false
        from referral r where r.mandate = row_ and r.status in ('sent', 'received')
    ), seen as (
        select o.*, t.reference, t.subcategory, t.subject_kind, t.region_code, case when d.by_event
            then cast(coalesce(t.event_at, t.effective_at) at time zone 'Asia/Jakarta' as date) end as event_on
        from open o join task t on t.id = o.task_id cross join dated d
        where t.classification <> 'rahasia' and app.role() = 'operator'
    )
    select o.subcategory, o.variant, o.subject_kind, o.region_code, o.event_on, o.agency,
        count(*) filter (where o.task), count(*) filter (where not o.task),
        (array_agg(distinct o.reference order by o.reference))[1:200],
        md5(string_agg(o.id || '.' || o.version, ' ' order by o.id))
    from seen o
    group by o.subcategory, o.variant, o.subject_kind, o.region_code, o.event_on, o.agency
    order by o.region_code, o.agency, o.subcategory, o.variant, o.subject_kind, o.event_on;
end
"""

RAISE = """
create procedure app.raise_succession_walls() language plpgsql as $$
begin
    if not app.stand() or exists (
        select from pg_policies where tablename = 'mandate_closure' and schemaname = 'public') then
        return;
    end if;
    alter table mandate_closure enable row level security;
    alter table mandate_closure force row level security;
    grant select, insert, update, delete on mandate_closure to simpul_worker;
    create policy works on mandate_closure to simpul_worker using (true) with check (true);
    create policy may_select on mandate_closure for select to simpul_api using ((select app.role()) = 'operator');
    create policy may_insert on mandate_closure for insert to simpul_api
        with check ((select app.role()) = 'operator' and proposed_by = (select app.client()));
    create policy may_update on mandate_closure for update to simpul_api using ((select app.role()) = 'operator')
        with check (answered_by = (select app.client()));
    grant select, insert, update on mandate_closure to simpul_api;
    grant create on schema app to simpul_worker;
    alter function app.under_mandate(text) owner to simpul_worker;
    revoke execute on function app.under_mandate(text) from public;
    grant execute on function app.under_mandate(text) to simpul_api, simpul_worker;
    revoke create on schema app from simpul_worker;
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_succession

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_succession() || array(
    select 'row-level security on mandate_closure' from pg_class c
    where c.oid = 'mandate_closure'::regclass and not (c.relrowsecurity and c.relforcerowsecurity)
)

call app.raise_walls()
"""

OPEN = "status in ('accepted', 'in_progress', 'awaiting_info', 'resolved')"
# nothing was released before this: the tables hold what the first start loads
QUICK = "-- squawk-ignore require-concurrent-index-creation\n"


def upgrade() -> None:
    """Let mandates end."""
    op.add_column("task", sa.Column("mandate_ended", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("task", sa.Column("mandate_checked", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("referral", sa.Column("mandate_checked", sa.BigInteger(), server_default="0", nullable=False))
    for name, columns in (
        ("under_mandate", "mandate, mandate_checked"),
        ("accountable", "accountable, mandate_checked"),
    ):
        op.execute(f"{QUICK}create index ix_task_{name} on task ({columns}) where {OPEN}")
    op.execute(f"{QUICK}create index ix_task_mandate_ended on task (mandate_checked) where mandate_ended and {OPEN}")
    op.execute(f"{QUICK}create index ix_referral_mandate on referral (mandate) where status in ('sent', 'received')")
    op.create_table(
        "mandate_closure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mandate", sa.Text(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("successor", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("legal_basis", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status in ('proposed', 'confirmed', 'rejected')", name=op.f("ck_mandate_closure_status_known")
        ),
        sa.CheckConstraint(
            "status <> 'confirmed' or answered_by <> proposed_by", name=op.f("ck_mandate_closure_two_persons")
        ),
        sa.ForeignKeyConstraint(["mandate"], ["mandate.id"], name="fk_mandate_closure_mandate"),
        sa.ForeignKeyConstraint(["proposed_by"], ["client.id"], name="fk_mandate_closure_proposed_by"),
        sa.ForeignKeyConstraint(["answered_by"], ["client.id"], name="fk_mandate_closure_answered_by"),
        sa.PrimaryKeyConstraint("id", name="pk_mandate_closure"),
    )
    op.create_index(
        "uq_mandate_closure_proposed",
        "mandate_closure",
        ["mandate"],
        unique=True,
        postgresql_where="status = 'proposed'",
    )
    op.create_index("ix_mandate_closure_mandate", "mandate_closure", ["mandate", "id"], unique=False)
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS)
    for part in (AS_WORKER, DETAIL, AS_OWNER, UNDER_MANDATE, RAISE):
        _run(part)


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("drop procedure app.raise_succession_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_succession() rename to missing_walls")
    op.execute("drop function app.under_mandate(text)")
    op.drop_table("mandate_closure")
    for name in ("ix_task_under_mandate", "ix_task_accountable", "ix_task_mandate_ended", "ix_referral_mandate"):
        op.execute(f"drop index {name}")
    _run(AS_WORKER)
    op.execute("drop view task_detail")
    op.execute("reset role")
    for table, column in (("task", "mandate_ended"), ("task", "mandate_checked"), ("referral", "mandate_checked")):
        op.drop_column(table, column)
    for part in (AS_WORKER, DETAIL, SHOWN, AS_OWNER):
        _run(part)
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS_BEFORE)
