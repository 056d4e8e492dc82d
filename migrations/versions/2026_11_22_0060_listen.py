"""Let those who wait for news be woken: whom new entries of the log may concern, by the words of their sight."""

from __future__ import annotations

from alembic import op

revision = "listening_1"
down_revision = "witness_1"
branch_labels = None
depends_on = None

# More words than listen in truth cost a look, fewer would cost somebody his news: what this does not know, all hear of.
AUDIENCE = """
create function app.audience(known bigint, reach integer) returns table (at bigint, head text, words text[])
language sql stable security definer set search_path = pg_catalog, public, pg_temp begin atomic
    with reached as (
        select least(coalesce(known + reach, m.index), m.index) as at
        from (select coalesce(max(l.index), 0) as index from log_entry l) m
    ), news as (
        select e.* from reached r join log_entry l on l.index > known and l.index <= r.at
        join event e on e.id = l.event_id
    )
    select r.at, (select h.signed from log_head h order by h.size desc limit 1), array(
        select unnest(t.readers) from task t where t.id in (select n.task_id from news n)
        union select a.agency from assignment a
            where a.task_id in (select n.task_id from news n) and a.role = 'accountable'
        union select unnest(v.readers) from vulnerability v
            where v.id in (select n.object_id::uuid from news n where n.object_type = 'vulnerability')
        union select unnest(m.readers) from meeting m
            where m.id in (select n.object_id::uuid from news n where n.object_type = 'meeting')
        union select word from news n cross join unnest(array['operator', 'admin:' || n.agency,
            'admin:' || n.concerns, 'client:' || n.client_id, 'client:' || n.object_id]) word
            where n.task_id is null and n.object_type not in ('vulnerability', 'meeting') and word is not null
        union select 'all' from news n where n.task_id is null
            and n.object_type not in ('vulnerability', 'meeting', 'client', 'secret', 'key', 'token', 'webhook')
            and n.kind not in ('request.refused', 'authentication.failed')
    ) from reached r;
end
"""

RAISE = """
create procedure app.raise_listening_walls() language plpgsql as $$
begin
    if not app.stand() or (select pg_get_userbyid(p.proowner) = 'simpul_worker' from pg_proc p
        where p.oid = 'app.audience(bigint, integer)'::regprocedure) then
        return;
    end if;
    grant create on schema app to simpul_worker;
    alter function app.audience(bigint, integer) owner to simpul_worker;
    revoke execute on function app.audience(bigint, integer) from public;
    grant execute on function app.audience(bigint, integer) to simpul_api, simpul_worker;
    revoke create on schema app from simpul_worker;
end $$

call app.raise_walls()
"""


def upgrade() -> None:
    """Say whom news may concern."""
    _run(AUDIENCE)
    _run(RAISE)


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("drop procedure app.raise_listening_walls()")
    op.execute("drop function app.audience(bigint, integer)")
