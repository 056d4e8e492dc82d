"""Raise the first walls first, whatever the others are called: where the roles come late, all rise on them."""

from __future__ import annotations

from alembic import op

revision = "raising_1"
down_revision = "guesses_1"
branch_labels = None
depends_on = None

RAISE = """
create or replace procedure app.raise_walls() language plpgsql as $$
declare
    step text;
begin
    for step in select proname from pg_proc where pronamespace = 'app'::regnamespace and proname ~ '^raise_.+_walls$'
        order by {order}
    loop
        execute format('call app.%I()', step);
    end loop;
    call app.forbid_drops();
end $$
"""


def upgrade() -> None:
    """Order them so, and raise what an earlier order left."""
    op.execute(RAISE.format(order="proname <> 'raise_first_walls', proname"))
    op.execute("call app.raise_walls()")


def downgrade() -> None:
    """Order them by their names alone."""
    op.execute(RAISE.format(order="proname"))
