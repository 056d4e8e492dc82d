"""Look for the keys of a fact before making any: most facts are about a record and by a person that have theirs."""

from __future__ import annotations

from alembic import op

revision = "sealing_1"
down_revision = "resume_1"
branch_labels = None
depends_on = None

MADE = """
    insert into sealing_key (id, subject, sealed)
        select n.id, n.subject, n.sealed from unnest(ids, wanted, fresh) n (id, subject, sealed)
        where not exists (select from sealing_key k where k.subject = n.subject)
        order by n.subject
        on conflict do nothing;
"""
KEYS = """
create or replace function app.sealing_keys(wanted text[], ids uuid[], fresh bytea[])
returns table (subject text, id uuid, sealed bytea) language plpgsql as $$
begin{making}
    return query select k.subject, k.id, k.sealed from sealing_key k where k.subject = any(wanted);
end $$
"""
MISSING = "(select count(*) from sealing_key k where k.subject = any(wanted)) < cardinality(wanted)"


def upgrade() -> None:
    """Insert where one is missing only."""
    op.execute(KEYS.format(making=f"\n    if {MISSING} then{MADE}    end if;"))


def downgrade() -> None:
    """Insert always."""
    op.execute(KEYS.format(making=MADE))
