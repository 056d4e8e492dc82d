"""The tasks that name a caller among their readers: who sees few of a nation's has its lists driven by them."""

from __future__ import annotations

from alembic import op

revision = "driven_1"
down_revision = "justified_1"
branch_labels = None
depends_on = None

# To sort n tasks that one sees costs about as much as to look for 50 of them in the order of all N where n = sqrt(8 N).
# Planned for each caller's own sight, which the statistics of `readers` know; who sees more reads no more than that.
SEEN = """
create function app.seen() returns uuid[] language plpgsql stable security definer
set search_path = pg_catalog, public, pg_temp as $$
declare
    most integer := (select greatest(500, sqrt(8 * greatest(reltuples, 0))) from pg_class where oid = 'public.task'::regclass);
    found uuid[];
begin
    execute 'select array(select id from task where readers && $1 or summary_readers && $1 limit $2 + 1)'
        into found using app.sight(), most;
    return case when coalesce(array_length(found, 1), 0) <= most then found end;
end $$
"""
RAISE = """
create procedure app.raise_list_walls() language plpgsql as $$
begin
    if not app.stand() then
        return;
    end if;
    grant create on schema app to simpul_worker;
    alter function app.seen() owner to simpul_worker;
    revoke create on schema app from simpul_worker;
    revoke execute on function app.seen() from public;
    grant execute on function app.seen() to simpul_api, simpul_worker;
end $$
"""


def upgrade() -> None:
    """Let lists ask for it."""
    op.execute(SEEN)
    op.execute(RAISE)
    op.execute("call app.raise_walls()")


def downgrade() -> None:
    """Take it back."""
    op.execute("drop procedure app.raise_list_walls()")
    op.execute("drop function app.seen()")
