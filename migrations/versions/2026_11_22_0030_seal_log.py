"""Seal the log: leaves, commitments, places in one sequence, the tree over them, its heads; nothing of it is ever changed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from app import evidence

revision = "log_1"
down_revision = "walls_1"
branch_labels = None
depends_on = None

KINDS = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
KINDS_BEFORE = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended')"

# the constraint comes back in the same transaction, with the words that are new
WIDEN = """
-- squawk-ignore ban-drop-constraint
alter table event drop constraint ck_event_kind_known
"""

KEEP_FACTS = """
create or replace function keep_facts() returns trigger language plpgsql as $$
begin
    raise exception 'facts are never changed or deleted' using errcode = '42501';
end $$
"""
KEEP_FACTS_BEFORE = """
create or replace function keep_facts() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.log_index is null and to_jsonb(new) - 'log_index' = to_jsonb(old) - 'log_index' then
        return new;
    end if;
    raise exception 'facts are never changed or deleted' using errcode = '42501';
end $$
"""
#: What nobody changes, deletes, truncates or drops, be it in a session that plays the replica.
KEPT = ("event", "log_entry", "log_node", "log_head", "cosignature")

QUEUE = """
create function queue_event() returns trigger language plpgsql as $$
begin
    insert into unsequenced (event_id) values (new.id);
    return null;
end $$

create trigger queue_event after insert on event for each row execute function queue_event()
"""

# what an operator watches: how many facts wait (10,000 at most are counted), for how long, and how far heads have come
STATE = """
create function app.log_state() returns table (waiting bigint, waiting_seconds double precision, size bigint, signed bigint)
language sql stable security definer set search_path = pg_catalog, public, pg_temp begin atomic
    select count(*), coalesce(extract(epoch from clock_timestamp() - min(entered_at)), 0),
        (select coalesce(max(index), 0) from log_entry), (select coalesce(max(h.size), 0) from log_head h)
    from (select entered_at from unsequenced limit 10000) q;
end
"""

SEALING_KEYS = """
create function app.sealing_keys(wanted text[], ids uuid[], fresh bytea[])
returns table (subject text, id uuid, sealed bytea) language plpgsql as $$
begin
    insert into sealing_key (id, subject, sealed)
        select n.id, n.subject, n.sealed from unnest(ids, wanted, fresh) n (id, subject, sealed)
        where not exists (select from sealing_key k where k.subject = n.subject)
        order by n.subject
        on conflict do nothing;
    return query select k.subject, k.id, k.sealed from sealing_key k where k.subject = any(wanted);
end $$
"""

KEEP_EVIDENCE = """
create function app.keep_evidence() returns event_trigger language plpgsql as $$
begin
    if exists (select from pg_event_trigger_dropped_objects() d
        where d.object_type in ('table', 'table column', 'trigger')
                and d.object_identity ~ '(^|on )public\\.(event|log_entry|log_node|log_head|cosignature)(\\.|$)'
            or d.object_identity ~ '^public\\.(keep_facts|queue_event)\\(') then
        raise exception 'evidence is not dropped' using errcode = '42501';
    end if;
end $$

create procedure app.forbid_drops() language plpgsql as $$
begin
    if not exists (select from pg_event_trigger where evtname = 'keep_evidence') then
        create event trigger keep_evidence on sql_drop execute function app.keep_evidence();
        alter event trigger keep_evidence enable always;
    end if;
exception when insufficient_privilege then
    raise warning 'only a superuser forbids drops: call app.forbid_drops()';
end $$
"""

ENTERED = "app.client() is not null"
#: table -> command -> what the row must satisfy (for INSERT: the new row); commands not named are not granted
POLICIES: dict[str, dict[str, str]] = {
    "log_entry": {"select": "exists (select from event e where e.id = event_id)"},
    "log_node": {"select": ENTERED},
    "log_head": {"select": ENTERED},
    "cosignature": {"select": ENTERED, "insert": "agency = app.agency()"},
    "sealing_key": {
        "select": ENTERED,
        "insert": ENTERED,
        "update": "(select app.role()) in ('agency_admin', 'operator')",
    },
    "unsequenced": {},
}
HEARS = (
    "case when task_id is not null then app.sees_past(task_id, recorded_at)"
    " when object_type = 'vulnerability' then exists (select from vulnerability v where v.id::text = object_id)"
    " when object_type = 'meeting' then exists (select from meeting m where m.id::text = object_id)"
    " when object_type in ('legal_instrument', 'mandate', 'election', 'stage', 'log_key', 'log')"
    f" or kind in ('agency.created', 'agency.updated') then {ENTERED}"
    " else app.role() = 'operator' or app.role() in ('agency_admin', 'auditor') and app.agency() in (agency, concerns)"
    " or app.client()::text in (client_id::text, object_id) end"
)
HEARD = (
    "case when task_id is not null then app.sees_past(task_id, recorded_at)"
    " when object_type = 'vulnerability' then exists (select from vulnerability v where v.id::text = object_id)"
    " when object_type = 'meeting' then exists (select from meeting m where m.id::text = object_id)"
    " else app.role() = 'operator' or agency = app.agency() or client_id = app.client() end"
)


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
            extra = " with check (true)" if command == "update" else ""
            lines.append(
                f"create policy may_{command} on {table} for {command} to simpul_api {clause} ({rule}){extra};"
            )
            lines.append(f"grant {command} on {table} to simpul_api;")
    return "\n        ".join(
        [
            *lines,
            "grant select on log_key to simpul_api;",
            "grant select, insert, update on log_key to simpul_worker;",
            f"alter policy may_select on event using ({HEARS});",
            "alter function queue_event() security definer set search_path = pg_catalog, public, pg_temp;",
            "alter function queue_event() owner to simpul_worker;",
            "revoke execute on function queue_event() from public;",
            "alter function app.log_state() owner to simpul_worker;",
        ]
    )


RAISE = f"""
create or replace function app.missing_walls() returns text[] language sql stable
return array(
    select 'role ' || r from unnest(array['simpul_api', 'simpul_worker']) r where to_regrole(r) is null
    union all select format('membership of %s in %s', who, r)
    from (values (session_user::text, 'simpul_api'), (pg_get_userbyid((
        select nspowner from pg_namespace where nspname = 'app')), 'simpul_worker')) needed (who, r)
    where pg_has_role(who::name, to_regrole(r), 'member') is false
    union all select 'row-level security on ' || t
    from unnest(array[{{owned}}, {", ".join(repr(one) for one in POLICIES)}]) t
    where not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = to_regclass(t))
    union all select 'event trigger keep_evidence'
    where not exists (select from pg_event_trigger where evtname = 'keep_evidence' and evtenabled = 'A')
    union all select 'trigger ' || g || ' on ' || t
    from unnest(array[{", ".join(repr(one) for one in KEPT)}]) t, unnest(array['keep_facts', 'keep_facts_whole']) g
    where not exists (select from pg_trigger where tgrelid = to_regclass(t) and tgname = g and tgenabled = 'A')
    union all select 'trigger queue_event on event' where not exists (
        select from pg_trigger where tgrelid = to_regclass('event') and tgname = 'queue_event' and tgenabled = 'A')
)

-- squawk-ignore renaming-object
alter procedure app.raise_walls() rename to raise_first_walls

create procedure app.raise_log_walls() language plpgsql as $$
begin
    if not app.stand() or exists (select from pg_policies where tablename = 'log_entry' and schemaname = 'public') then
        return;
    end if;
    grant create on schema public, app to simpul_worker;
    {_walls()}
    revoke create on schema public, app from simpul_worker;
end $$

create procedure app.raise_walls() language plpgsql as $$
declare
    step text;
begin
    -- those of each migration, raise_..._walls, in the order of their names: the first ones come first
    for step in select proname from pg_proc where pronamespace = 'app'::regnamespace and proname ~ '^raise_.+_walls$'
        order by proname
    loop
        execute format('call app.%I()', step);
    end loop;
    call app.forbid_drops();
end $$

call app.raise_walls()
"""
OWNED = [
    "task",
    "referral",
    "assignment",
    "share",
    "comment",
    "task_vulnerability",
    "vulnerability",
    "vulnerability_evidence",
    "meeting",
    "decision",
    "event",
    "client",
    "client_secret",
    "client_key",
    "used_assertion",
    "revoked_token",
    "idempotency_record",
]

# nothing was released before this: the tables hold what the first start loads
SMALL_YET = "-- squawk-ignore ban-drop-column\n"
REQUIRED = "-- squawk-ignore adding-not-nullable-field\n"


def upgrade() -> None:
    """Seal the log."""
    op.create_table(
        "sealing_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(sealed is null) = (destroyed_at is not null)", name=op.f("ck_sealing_key_sealed_until_destroyed")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sealing_key"),
        sa.UniqueConstraint("subject", name="uq_sealing_key_subject"),
    )
    op.create_table(
        "log_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(sealed is null) = (retired_at is not null)", name=op.f("ck_log_key_sealed_until_retired")),
        sa.PrimaryKeyConstraint("kid", name="pk_log_key"),
    )
    op.create_index(
        "uq_log_key_signing", "log_key", [sa.text("(true)")], unique=True, postgresql_where="retired_at is null"
    )
    _widen_event()
    op.create_table(
        "unsequenced",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "transaction", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        sa.Column(
            "entered_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("event_id", name="pk_unsequenced"),
    )
    op.create_table(
        "log_entry",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_log_entry_event_id"),
        sa.PrimaryKeyConstraint("index", name="pk_log_entry"),
        sa.UniqueConstraint("event_id", name="uq_log_entry_event_id"),
    )
    op.create_table(
        "log_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "place", name="pk_log_node"),
    )
    op.create_table(
        "log_head",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("size", name="pk_log_head"),
    )
    op.create_table(
        "cosignature",
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("jwk", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_cosignature_agency"),
        sa.ForeignKeyConstraint(["size"], ["log_head.size"], name="fk_cosignature_size"),
        sa.PrimaryKeyConstraint("agency", "size", name="pk_cosignature"),
    )
    for table in KEPT:
        if table != "event":
            op.execute(
                f"create trigger keep_facts before update or delete on {table}"
                " for each row execute function keep_facts()"
            )
            op.execute(
                f"create trigger keep_facts_whole before truncate on {table}"
                " for each statement execute function keep_facts()"
            )
        for trigger in ("keep_facts", "keep_facts_whole"):
            op.execute(f"alter table {table} enable always trigger {trigger}")
    op.execute("insert into unsequenced (event_id) select id from event order by id")
    _run(QUEUE)
    op.execute("alter table event enable always trigger queue_event")
    for part in (SEALING_KEYS, STATE, KEEP_EVIDENCE, RAISE.format(owned=", ".join(repr(one) for one in OWNED))):
        _run(part)


def _widen_event() -> None:
    """The columns of the evidence; facts entered before have their free text in the clear and stay as they are."""
    op.execute("alter table event disable trigger keep_facts")
    op.add_column("event", sa.Column("concerns", sa.Text(), nullable=True))
    op.add_column("event", sa.Column("person", sa.Text(), nullable=True))
    op.add_column("event", sa.Column("person_key", sa.Uuid(), nullable=True))
    op.add_column("event", sa.Column("person_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("event", sa.Column("words", postgresql.JSONB(), server_default="{}", nullable=False))
    op.add_column("event", sa.Column("words_key", sa.Uuid(), nullable=True))
    op.add_column("event", sa.Column("words_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("event", sa.Column("salt", sa.Text(), server_default="", nullable=False))
    op.add_column("event", sa.Column("leaf", sa.LargeBinary(), server_default=sa.text("''::bytea"), nullable=False))
    op.execute(
        "update event set payload = payload || jsonb_build_object('acting_user', acting_user)"
        " where acting_user is not null"
    )
    if not context.is_offline_mode():
        _give_leaves()
    for column in ("words", "salt", "leaf"):
        op.execute(f"-- squawk-ignore ban-drop-default\nalter table event alter column {column} drop default")
    op.execute(f"{SMALL_YET}alter table event drop column acting_user")
    op.execute(f"{SMALL_YET}alter table event drop column log_index")
    op.execute(f"{SMALL_YET}alter table comment drop column acting_user")
    for name, column, table in (
        ("fk_event_concerns", "concerns", "agency"),
        ("fk_event_person_key", "person_key", "sealing_key"),
        ("fk_event_words_key", "words_key", "sealing_key"),
    ):
        key = "code" if table == "agency" else "id"
        op.execute(
            f"-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid\n"
            f"alter table event add constraint {name} foreign key ({column}) references {table} ({key})"
        )
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS)
    op.execute(KEEP_FACTS)


def _give_leaves() -> None:
    connection = op.get_bind()
    for one in connection.execute(sa.text("select * from event")).mappings().all():
        event: dict[str, Any] = {**one, "salt": evidence.new_salt()}
        connection.execute(
            sa.text("update event set salt = :salt, leaf = :leaf where id = :id"),
            {"id": one["id"], "salt": event["salt"], "leaf": evidence.leaf(evidence.document(event))},
        )


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back: what is sealed stays unread, and who acted is forgotten."""
    op.execute("drop event trigger if exists keep_evidence")
    op.execute("drop procedure app.raise_walls()")
    op.execute("alter procedure app.raise_first_walls() rename to raise_walls")
    for one in ("procedure app.raise_log_walls()", "procedure app.forbid_drops()", "function app.keep_evidence()"):
        op.execute(f"drop {one}")
    op.execute("drop function app.sealing_keys(text[], uuid[], bytea[])")
    op.execute("drop function app.log_state()")
    op.execute("drop trigger queue_event on event")
    op.execute("drop function queue_event()")
    op.execute(f"do $$ begin if app.stand() then alter policy may_select on event using ({HEARD}); end if; end $$")
    for table in ("cosignature", "log_head", "log_node", "log_entry", "unsequenced"):
        op.drop_table(table)
    for trigger in ("keep_facts", "keep_facts_whole"):
        op.execute(f"alter table event enable trigger {trigger}")
    op.execute("alter table event disable trigger keep_facts")
    for column in (
        "leaf",
        "salt",
        "words_sealed",
        "words_key",
        "words",
        "person_sealed",
        "person_key",
        "person",
        "concerns",
    ):
        op.drop_column("event", column)
    for table in ("event", "comment"):
        op.add_column(table, sa.Column("acting_user", sa.Text(), nullable=True))
    op.add_column("event", sa.Column("log_index", sa.BigInteger(), nullable=True))
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS_BEFORE)
    op.execute(KEEP_FACTS_BEFORE)
    op.execute("alter table event enable trigger keep_facts")
    op.drop_table("log_key")
    op.drop_table("sealing_key")
