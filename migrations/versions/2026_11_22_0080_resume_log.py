"""Resume the log: heads that it has signed and does not continue, and the facts that declare what is lost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "resume_1"
down_revision = "webhooks_1"
branch_labels = None
depends_on = None

KINDS = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'log.head_lost', 'log.resumed', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
KINDS_BEFORE = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
# the constraint comes back in the same transaction, with the words that are new
WIDEN = """
-- squawk-ignore ban-drop-constraint
alter table event drop constraint ck_event_kind_known
"""
#: Whether the log stands still is told to who has no token yet: whoever asks whether this process is ready.
RAISE = """
create function app.log_halt() returns table (size bigint, root text, signed_at timestamptz, source text)
language sql stable security definer set search_path = pg_catalog, public, pg_temp begin atomic
    select l.size, encode(l.root, 'hex'), l.signed_at, l.source from lost_head l where l.entry is null
    order by l.size desc limit 1;
end

create trigger keep_facts before delete on lost_head for each row execute function keep_facts()

create trigger keep_facts_whole before truncate on lost_head for each statement execute function keep_facts()

alter table lost_head enable always trigger keep_facts

alter table lost_head enable always trigger keep_facts_whole

create procedure app.raise_resume_walls() language plpgsql as $$
begin
    if not app.stand() or exists (select from pg_policies where tablename = 'lost_head' and schemaname = 'public') then
        return;
    end if;
    grant create on schema app to simpul_worker;
    alter table lost_head enable row level security;
    alter table lost_head force row level security;
    grant select, insert, update on lost_head to simpul_worker;
    create policy works on lost_head to simpul_worker using (true) with check (true);
    create policy may_select on lost_head for select to simpul_api using (app.client() is not null);
    create policy may_insert on lost_head for insert to simpul_api
        with check (app.client() is not null and source = 'report' and entry is null);
    grant select, insert on lost_head to simpul_api;
    alter function app.log_halt() owner to simpul_worker;
    revoke create on schema app from simpul_worker;
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_resume

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_resume() || array(
    select 'row-level security on lost_head'
    where not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = to_regclass('lost_head'))
)

call app.raise_walls()
"""


def upgrade() -> None:
    """Resume the log."""
    op.create_table(
        "lost_head",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.Column("kept", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("source in ('memory', 'report')", name=op.f("ck_lost_head_source_known")),
        sa.CheckConstraint("(entry is null) = (kept is null)", name=op.f("ck_lost_head_declared_whole")),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_lost_head_agency"),
        sa.PrimaryKeyConstraint("size", "root", name="pk_lost_head"),
    )
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS)
    for statement in RAISE.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("drop procedure app.raise_resume_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_resume() rename to missing_walls")
    op.execute("drop function app.log_halt()")
    op.drop_table("lost_head")
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS_BEFORE)
