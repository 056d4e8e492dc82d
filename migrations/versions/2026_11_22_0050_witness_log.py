"""Witness the log: what finds entries by leaf and cosignatures by size, and the keys with which an agency cosigns."""

from __future__ import annotations

from alembic import op

revision = "witness_1"
down_revision = "past_1"
branch_labels = None
depends_on = None

# each table holds what one start has recorded: nothing was released before this
QUICK = "-- squawk-ignore require-concurrent-index-creation\n"
#: Any client of an agency hands in what another one of it has signed; their other credentials it does not see.
RAISE = """
create function app.witness_keys() returns table (jwk jsonb)
language sql stable security definer set search_path = pg_catalog, public, pg_temp begin atomic
    select k.jwk from client_key k join client c on c.id = k.client_id
    where c.agency = app.agency() and c.status = 'active' and k.revoked_at is null and k.expires_at > now()
    order by k.id;
end

create procedure app.raise_witness_walls() language plpgsql as $$
begin
    if app.stand() and (select pg_get_userbyid(proowner) from pg_proc
        where oid = 'app.witness_keys()'::regprocedure) <> 'simpul_worker' then
        grant create on schema app to simpul_worker;
        alter function app.witness_keys() owner to simpul_worker;
        revoke create on schema app from simpul_worker;
    end if;
end $$

call app.raise_walls()
"""


def upgrade() -> None:
    """Witness the log."""
    op.execute(f"{QUICK}create index ix_log_node_leaf on log_node (hash) where level = 0")
    op.execute(f"{QUICK}create index ix_cosignature_size on cosignature (size, agency)")
    op.execute(f"{QUICK}create index ix_cosignature_kid on cosignature (agency, kid)")
    for statement in RAISE.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("drop procedure app.raise_witness_walls()")
    op.execute("drop function app.witness_keys()")
    op.execute("drop index ix_cosignature_kid")
    op.execute("drop index ix_cosignature_size")
    op.execute("drop index ix_log_node_leaf")
