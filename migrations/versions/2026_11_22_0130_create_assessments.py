"""Create assessments of vulnerabilities, and the published indices that are shown beside them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "assessments_1"
down_revision = "search_1"
branch_labels = None
depends_on = None

KINDS = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.succeeded', 'task.mandate_ended', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'deadline.started', 'deadline.approaching', 'deadline.breached', 'deadline.met', 'deadline.paused', 'deadline.resumed', 'deadline.extended', 'deadline.revised', 'deadline.recomputed', 'deadline.voided', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'vulnerability.assessed', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'mandate.closure_proposed', 'mandate.closure_rejected', 'mandate.closed', 'calendar.corrected', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'log.head_lost', 'log.resumed', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
KINDS_BEFORE = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.succeeded', 'task.mandate_ended', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'deadline.started', 'deadline.approaching', 'deadline.breached', 'deadline.met', 'deadline.paused', 'deadline.resumed', 'deadline.extended', 'deadline.revised', 'deadline.recomputed', 'deadline.voided', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'mandate.closure_proposed', 'mandate.closure_rejected', 'mandate.closed', 'calendar.corrected', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'log.head_lost', 'log.resumed', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"

# the constraint comes back in the same transaction, with the words that are new
WIDEN = """
-- squawk-ignore ban-drop-constraint
alter table event drop constraint ck_event_kind_known
"""

RAISE = """
create procedure app.raise_assessment_walls() language plpgsql as $$
begin
    if not app.stand() or exists (select from pg_policies where tablename = 'assessment' and schemaname = 'public') then
        return;
    end if;
    alter table assessment enable row level security;
    alter table assessment force row level security;
    grant select, insert, update, delete on assessment, published_index to simpul_worker;
    create policy works on assessment to simpul_worker using (true) with check (true);
    create policy may_select on assessment for select to simpul_api
        using (exists (select from vulnerability v where v.id = vulnerability_id));
    create policy may_insert on assessment for insert to simpul_api
        with check (app.works_on(vulnerability_id) and app.acts_as(agency));
    grant select, insert on assessment to simpul_api;
    grant select on published_index to simpul_api;
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_assessments

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_assessments() || array(
    select 'row-level security on assessment'
    where not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = to_regclass('assessment'))
)

call app.raise_walls()
"""


def upgrade() -> None:
    """Create assessments."""
    op.create_table(
        "assessment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vulnerability_id", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("likelihood", sa.Integer(), nullable=False),
        sa.Column("impact", sa.Integer(), nullable=False),
        sa.Column("risk_level", sa.Text(), nullable=False),
        sa.Column("residual_likelihood", sa.Integer(), nullable=True),
        sa.Column("residual_impact", sa.Integer(), nullable=True),
        sa.Column("residual_risk", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("likelihood between 1 and 5", name=op.f("ck_assessment_likelihood_in_scale")),
        sa.CheckConstraint("impact between 1 and 5", name=op.f("ck_assessment_impact_in_scale")),
        sa.CheckConstraint(
            "residual_likelihood between 1 and 5", name=op.f("ck_assessment_residual_likelihood_in_scale")
        ),
        sa.CheckConstraint("residual_impact between 1 and 5", name=op.f("ck_assessment_residual_impact_in_scale")),
        sa.CheckConstraint(
            "risk_level in ('low', 'medium', 'high', 'critical')", name=op.f("ck_assessment_risk_level_known")
        ),
        sa.CheckConstraint(
            "residual_risk in ('low', 'medium', 'high', 'critical')", name=op.f("ck_assessment_residual_risk_known")
        ),
        sa.CheckConstraint(
            "num_nulls(residual_likelihood, residual_impact, residual_risk) in (0, 3)",
            name=op.f("ck_assessment_residual_whole"),
        ),
        sa.ForeignKeyConstraint(["vulnerability_id"], ["vulnerability.id"], name="fk_assessment_vulnerability_id"),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_assessment_agency"),
        sa.PrimaryKeyConstraint("id", name="pk_assessment"),
    )
    op.create_index(
        "ix_assessment_vulnerability_id", "assessment", ["vulnerability_id", "effective_at", "id"], unique=False
    )
    op.create_table(
        "published_index",
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("low_below", sa.Float(), nullable=True),
        sa.Column("high_from", sa.Float(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edition", "level", "region_code", "dimension", name="pk_published_index"),
    )
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS)
    for statement in RAISE.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("drop procedure app.raise_assessment_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_assessments() rename to missing_walls")
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS_BEFORE)
    op.drop_table("published_index")
    op.drop_table("assessment")
