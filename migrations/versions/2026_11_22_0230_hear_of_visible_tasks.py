"""Ask of a fact about a task first whether its task is seen at all: of nearly all facts of a nation it is not.

`app.sees_past` asks three questions in functions, one after the other; none of them is answered yes for a task that is
not seen. Whoever follows the log paid them for every fact of the nation. Steps are raised in the order of their names:
this one must sort after `clock` and `log`, which say the same policy.
"""

from __future__ import annotations

from alembic import op

revision = "hearing_1"
down_revision = "starting_1"
branch_labels = None
depends_on = None

PAST = "app.sees_past(task_id, recorded_at)"
SEEN = f"exists (select from task t where t.id = event.task_id) and {PAST}"
HEARS = (
    "case when task_id is not null then {task}"
    " when object_type = 'vulnerability' then exists (select from vulnerability v where v.id::text = object_id)"
    " when object_type = 'meeting' then exists (select from meeting m where m.id::text = object_id)"
    " when object_type in ('legal_instrument', 'mandate', 'calendar', 'election', 'stage', 'log_key', 'log')"
    " or kind in ('agency.created', 'agency.updated') then app.client() is not null"
    " else app.role() = 'operator' or app.role() in ('agency_admin', 'auditor') and app.agency() in (agency, concerns)"
    " or app.client()::text in (client_id::text, object_id) end"
)
RAISE = f"""
create procedure app.raise_news_walls() language plpgsql as $$
begin
    if not app.stand() or (select qual like '%FROM task t%' from pg_policies
            where (schemaname, tablename, policyname) = ('public', 'event', 'may_select')) then
        return;
    end if;
    alter policy may_select on event using ({HEARS.format(task=SEEN)});
end $$
"""


def upgrade() -> None:
    """Say the shorter question first."""
    op.execute(RAISE)
    op.execute("call app.raise_walls()")


def downgrade() -> None:
    """Ask all of them of every fact."""
    op.execute("drop procedure app.raise_news_walls()")
    op.execute(
        "do $$ begin if app.stand() then"
        f" alter policy may_select on event using ({HEARS.format(task=PAST)}); end if; end $$"
    )
