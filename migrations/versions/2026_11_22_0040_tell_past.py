"""Tell how a task stood at an instant, from its facts."""

from __future__ import annotations

from alembic import op

revision = "past_1"
down_revision = "log_1"
branch_labels = None
depends_on = None

SEEN = "(t.classification <> 'rahasia' or app.cleared())"
UNRECUSED = "(not app.office() = any(t.recused_offices) or t.summary_readers && app.own_sight())"

# The last fact that set a member has the word, by when it happened and then by its place in the log. A member that
# people wrote is shown as the id of the fact that seals it. A fact that happened earlier may have been recorded later:
# the version is the highest there was.
STATE_OF = f"""
create function app.state_of(subject uuid, moment timestamptz) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    whole boolean := exists (select from task_detail d where d.id = subject);
begin
    if not whole and not exists (select from task t
        where t.id = subject and {SEEN} and t.summary_readers && app.sight() and {UNRECUSED}) then
        return null;
    end if;
    return (
        with facts as (
            select e.id, e.recorded_at, e.payload -> 'state' as state,
                case e.object_type when 'task' then e.version_after
                    else (e.payload -> 'state' ->> 'version')::integer end as version,
                row_number() over (order by e.effective_at, l.index nulls last, e.id) as place
            from event e left join log_entry l on l.event_id = e.id
            where e.task_id = subject and e.effective_at <= moment and e.payload ? 'state'
        ), members as (
            select f.place, m.key, m.value from facts f cross join jsonb_each(f.state - 'words' - 'version') m
            union all
            select f.place, word, to_jsonb(f.id) from facts f cross join jsonb_array_elements_text(f.state -> 'words') word
            union all
            select 0, 'version', to_jsonb(max(f.version)) from facts f having count(*) > 0
            union all
            select 0, 'updated_at', to_jsonb(max(f.recorded_at)) from facts f having count(*) > 0
        )
        select jsonb_object_agg(m.key, m.value order by m.place) from members m
        where whole or m.key in ('function', 'status', 'priority', 'accountable', 'due_at')
    );
end $$
"""

RAISE = """
create procedure app.raise_past_walls() language plpgsql as $$
begin
    if not app.stand() or (select pg_get_userbyid(p.proowner) = 'simpul_worker' from pg_proc p
        where p.oid = 'app.state_of(uuid, timestamptz)'::regprocedure) then
        return;
    end if;
    grant create on schema app to simpul_worker;
    alter function app.state_of(uuid, timestamptz) owner to simpul_worker;
    revoke execute on function app.state_of(uuid, timestamptz) from public;
    grant execute on function app.state_of(uuid, timestamptz) to simpul_api, simpul_worker;
    revoke create on schema app from simpul_worker;
end $$

call app.raise_walls()
"""


def upgrade() -> None:
    """Tell the past."""
    _run(STATE_OF)
    _run(RAISE)


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Be silent on it."""
    op.execute("drop procedure app.raise_past_walls()")
    op.execute("drop function app.state_of(uuid, timestamptz)")
