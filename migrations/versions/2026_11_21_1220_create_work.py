"""Create the work: vulnerabilities, meetings, tasks, referrals, facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "work_1"
down_revision = "access_1"
branch_labels = None
depends_on = None

ONE_OWNER = """
alter table assignment add constraint ex_assignment_one_accountable exclude using gist (
    task_id with =, period with &&
) where (role = 'accountable')
"""
ONE_PART = """
alter table assignment add constraint ex_assignment_one_part exclude using gist (
    task_id with =, agency with =, role with =, period with &&
)
"""
CHECK_ACCOUNTABILITY = """
create function check_accountability() returns trigger language plpgsql as $$
declare
    subject uuid;
    held record;
    kept record;
begin
    if tg_table_name = 'task' then
        subject := new.id;
    elsif tg_op = 'DELETE' then
        subject := old.task_id;
    else
        subject := new.task_id;
    end if;
    select accountable, accepted_at into held from task where id = subject;
    if not found then
        return null;
    end if;
    select count(*) filter (where upper_inf(period)) as current,
        max(agency) filter (where upper_inf(period)) as agency,
        (select count(*) from unnest(range_agg(period)) p) as stretches,
        min(lower(period)) as since
    into kept from assignment where task_id = subject and role = 'accountable';
    if held.accountable is null and kept.current = 0 and kept.stretches is not distinct from 0 then
        return null;
    end if;
    if held.accountable is null or kept.current <> 1 or kept.agency <> held.accountable
        or kept.stretches <> 1 or kept.since <> held.accepted_at then
        raise exception 'task % has not exactly one accountable agency from its first acceptance on', subject
            using errcode = '23514', constraint = 'assignment_without_gaps';
    end if;
    return null;
end $$
"""
CHECKED_ON_TASK = """
create constraint trigger assignment_without_gaps after insert or update of accountable, accepted_at on task
deferrable initially deferred for each row execute function check_accountability()
"""
CHECKED_ON_ASSIGNMENT = """
create constraint trigger assignment_without_gaps after insert or update or delete on assignment
deferrable initially deferred for each row execute function check_accountability()
"""
KEEP_FACTS = """
create function keep_facts() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.log_index is null and to_jsonb(new) - 'log_index' = to_jsonb(old) - 'log_index' then
        return new;
    end if;
    raise exception 'facts are never changed or deleted' using errcode = '42501';
end $$
"""
KEPT_FACTS = """
create trigger keep_facts before update or delete on event for each row execute function keep_facts()
"""
KEPT_FROM_TRUNCATION = """
create trigger keep_facts_whole before truncate on event for each statement execute function keep_facts()
"""


def upgrade() -> None:
    """Create the work: vulnerabilities, meetings, tasks, referrals, facts."""
    op.create_table(
        "meeting",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("time_of_day", sa.Text(), nullable=True),
        sa.Column("venue", sa.Text(), nullable=True),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column(
            "region_path", sa.ARRAY(sa.Text()), sa.Computed("region_path(region_code)", persisted=True), nullable=False
        ),
        sa.Column("election", sa.Text(), nullable=True),
        sa.Column("participants", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("experts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("topics", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("source", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("classification", sa.Text(), nullable=False),
        sa.Column("logged_by", sa.Text(), nullable=False),
        sa.Column("readers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "classification in ('terbuka', 'terbatas', 'rahasia')", name=op.f("ck_meeting_classification_known")
        ),
        sa.ForeignKeyConstraint(["election"], ["election.code"], name="fk_meeting_election"),
        sa.ForeignKeyConstraint(["host"], ["agency.code"], name="fk_meeting_host"),
        sa.ForeignKeyConstraint(["logged_by"], ["agency.code"], name="fk_meeting_logged_by"),
        sa.ForeignKeyConstraint(["region_code"], ["region.code"], name="fk_meeting_region_code"),
        sa.PrimaryKeyConstraint("id", name="pk_meeting"),
        sa.UniqueConstraint("logged_by", "external_reference", name="uq_meeting_logged_by_external_reference"),
    )
    op.create_index("ix_meeting_region_path", "meeting", ["region_path"], unique=False, postgresql_using="gin")
    op.create_table(
        "vulnerability",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("subcategory", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=True),
        sa.Column("information_status", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column(
            "region_path", sa.ARRAY(sa.Text()), sa.Computed("region_path(region_code)", persisted=True), nullable=False
        ),
        sa.Column("election", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("mapped_by", sa.Text(), nullable=False),
        sa.Column("raised_by_role", sa.Text(), nullable=True),
        sa.Column("locally_distinctive", sa.Boolean(), nullable=False),
        sa.Column("facility_owner", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("reach_level", sa.Text(), nullable=True),
        sa.Column("asset", sa.Text(), nullable=True),
        sa.Column("candidate_path", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("linked_to", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("source", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("classification", sa.Text(), nullable=False),
        sa.Column("logged_by", sa.Text(), nullable=False),
        sa.Column("readers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "classification in ('terbuka', 'terbatas', 'rahasia')", name=op.f("ck_vulnerability_classification_known")
        ),
        sa.CheckConstraint(
            "information_status in ('rumour', 'claimed', 'under_verification', 'verified', 'refuted')",
            name=op.f("ck_vulnerability_information_status_known"),
        ),
        sa.ForeignKeyConstraint(["category"], ["category.code"], name="fk_vulnerability_category"),
        sa.ForeignKeyConstraint(["election"], ["election.code"], name="fk_vulnerability_election"),
        sa.ForeignKeyConstraint(["logged_by"], ["agency.code"], name="fk_vulnerability_logged_by"),
        sa.ForeignKeyConstraint(["mapped_by"], ["agency.code"], name="fk_vulnerability_mapped_by"),
        sa.ForeignKeyConstraint(["region_code"], ["region.code"], name="fk_vulnerability_region_code"),
        sa.ForeignKeyConstraint(["subcategory"], ["category.code"], name="fk_vulnerability_subcategory"),
        sa.PrimaryKeyConstraint("id", name="pk_vulnerability"),
        sa.UniqueConstraint("logged_by", "external_reference", name="uq_vulnerability_logged_by_external_reference"),
    )
    op.create_index(
        "ix_vulnerability_region_path", "vulnerability", ["region_path"], unique=False, postgresql_using="gin"
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_decision_agency"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_decision_meeting_id"),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        sa.UniqueConstraint("meeting_id", "number", name="uq_decision_meeting_id_number"),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("acting_user", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version_before", sa.Integer(), nullable=True),
        sa.Column("version_after", sa.Integer(), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created')",
            name=op.f("ck_event_kind_known"),
        ),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_event_agency"),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name="fk_event_client_id"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    op.create_index("ix_event_object", "event", ["object_type", "object_id", "id"], unique=False)
    op.create_index(
        "ix_event_task_id", "event", ["task_id", "id"], unique=False, postgresql_where="task_id is not null"
    )
    op.create_table(
        "vulnerability_evidence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vulnerability_id", sa.Uuid(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_vulnerability_evidence_agency"),
        sa.ForeignKeyConstraint(
            ["vulnerability_id"], ["vulnerability.id"], name="fk_vulnerability_evidence_vulnerability_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_vulnerability_evidence"),
    )
    op.create_index(
        "ix_vulnerability_evidence_vulnerability_id", "vulnerability_evidence", ["vulnerability_id"], unique=False
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("subcategory", sa.Text(), nullable=True),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("subject_kind", sa.Text(), nullable=True),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column(
            "region_path", sa.ARRAY(sa.Text()), sa.Computed("region_path(region_code)", persisted=True), nullable=False
        ),
        sa.Column("polling_station", sa.Text(), nullable=True),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("classification", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("meeting", sa.Uuid(), nullable=True),
        sa.Column("decision", sa.Uuid(), nullable=True),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("proposed_owner", sa.Text(), nullable=True),
        sa.Column("chosen_supporting", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("logged_by", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("accountable", sa.Text(), nullable=True),
        sa.Column("mandate", sa.Text(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("supporting", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("informed", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("recused_offices", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("open_referral", sa.Uuid(), nullable=True),
        sa.Column("readers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("summary_readers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "accountable is not null or status in ('draft', 'assigned', 'returned', 'cancelled')",
            name=op.f("ck_task_work_has_an_owner"),
        ),
        sa.CheckConstraint(
            "classification in ('terbuka', 'terbatas', 'rahasia')", name=op.f("ck_task_classification_known")
        ),
        sa.CheckConstraint("priority in ('low', 'medium', 'high', 'critical')", name=op.f("ck_task_priority_known")),
        sa.CheckConstraint(
            "status in ('draft', 'assigned', 'returned', 'accepted', 'in_progress', 'awaiting_info', 'resolved', 'closed', 'cancelled')",
            name=op.f("ck_task_status_known"),
        ),
        sa.CheckConstraint(
            "(accountable is null) = (accepted_at is null) and (accountable is null) = (mandate is null)",
            name=op.f("ck_task_accountable_from_acceptance"),
        ),
        sa.CheckConstraint("holder = coalesce(accountable, logged_by)", name=op.f("ck_task_held")),
        sa.ForeignKeyConstraint(["accountable"], ["agency.code"], name="fk_task_accountable"),
        sa.ForeignKeyConstraint(["category"], ["category.code"], name="fk_task_category"),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name="fk_task_decision"),
        sa.ForeignKeyConstraint(["holder"], ["agency.code"], name="fk_task_holder"),
        sa.ForeignKeyConstraint(["logged_by"], ["agency.code"], name="fk_task_logged_by"),
        sa.ForeignKeyConstraint(["mandate"], ["mandate.id"], name="fk_task_mandate"),
        sa.ForeignKeyConstraint(["meeting"], ["meeting.id"], name="fk_task_meeting"),
        sa.ForeignKeyConstraint(["proposed_owner"], ["agency.code"], name="fk_task_proposed_owner"),
        sa.ForeignKeyConstraint(["region_code"], ["region.code"], name="fk_task_region_code"),
        sa.ForeignKeyConstraint(["resolved_by"], ["client.id"], name="fk_task_resolved_by"),
        sa.ForeignKeyConstraint(["subcategory"], ["category.code"], name="fk_task_subcategory"),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.UniqueConstraint("logged_by", "external_reference", name="uq_task_logged_by_external_reference"),
        sa.UniqueConstraint("reference", name="uq_task_reference"),
    )
    op.create_index("ix_task_decision", "task", ["decision"], unique=False, postgresql_where="decision is not null")
    op.create_index("ix_task_effective_at", "task", ["effective_at", "id"], unique=False)
    op.create_index("ix_task_holder", "task", ["holder", "updated_at", "id"], unique=False)
    op.create_index("ix_task_meeting", "task", ["meeting"], unique=False, postgresql_where="meeting is not null")
    op.create_index("ix_task_readers", "task", ["readers"], unique=False, postgresql_using="gin")
    op.create_index("ix_task_region_path", "task", ["region_path"], unique=False, postgresql_using="gin")
    op.create_index("ix_task_summary_readers", "task", ["summary_readers"], unique=False, postgresql_using="gin")
    op.create_index("ix_task_updated_at", "task", ["updated_at", "id"], unique=False)
    op.create_table(
        "assignment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("mandate", sa.Text(), nullable=False),
        sa.Column("period", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role in ('accountable', 'supporting', 'informed')", name=op.f("ck_assignment_role_known")),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_assignment_agency"),
        sa.ForeignKeyConstraint(["mandate"], ["mandate.id"], name="fk_assignment_mandate"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_assignment_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_assignment"),
    )
    op.create_index("ix_assignment_task_id", "assignment", ["task_id", "role"], unique=False)
    op.create_table(
        "comment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("acting_user", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_comment_agency"),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name="fk_comment_client_id"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_comment_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_comment"),
    )
    op.create_index("ix_comment_task_id", "comment", ["task_id"], unique=False)
    op.create_table(
        "referral",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("from_agency", sa.Text(), nullable=False),
        sa.Column("to_agency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("mandate", sa.Text(), nullable=False),
        sa.Column("supporting", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("informed", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("letter_number", sa.Text(), nullable=True),
        sa.Column("letter_date", sa.Date(), nullable=True),
        sa.Column("letter_classification", sa.Text(), nullable=True),
        sa.Column("letter_urgency", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("retain_access", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("suggested_agency", sa.Text(), nullable=True),
        sa.Column("answer_letter_number", sa.Text(), nullable=True),
        sa.Column("answer_letter_date", sa.Date(), nullable=True),
        sa.Column("answer_letter_classification", sa.Text(), nullable=True),
        sa.Column("answer_letter_urgency", sa.Text(), nullable=True),
        sa.Column("recorded_by_sender", sa.Boolean(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status in ('sent', 'received', 'accepted', 'returned', 'withdrawn')", name=op.f("ck_referral_status_known")
        ),
        sa.ForeignKeyConstraint(["from_agency"], ["agency.code"], name="fk_referral_from_agency"),
        sa.ForeignKeyConstraint(["mandate"], ["mandate.id"], name="fk_referral_mandate"),
        sa.ForeignKeyConstraint(["suggested_agency"], ["agency.code"], name="fk_referral_suggested_agency"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_referral_task_id"),
        sa.ForeignKeyConstraint(["to_agency"], ["agency.code"], name="fk_referral_to_agency"),
        sa.PrimaryKeyConstraint("id", name="pk_referral"),
    )
    op.create_index("ix_referral_from_agency", "referral", ["from_agency", "id"], unique=False)
    op.create_index("ix_referral_task_id", "referral", ["task_id"], unique=False)
    op.create_index("ix_referral_to_agency", "referral", ["to_agency", "id"], unique=False)
    op.create_index(
        "uq_referral_open", "referral", ["task_id"], unique=True, postgresql_where="status in ('sent', 'received')"
    )
    op.create_table(
        "share",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("shared_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("level in ('full', 'summary')", name=op.f("ck_share_level_known")),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_share_agency"),
        sa.ForeignKeyConstraint(["shared_by"], ["agency.code"], name="fk_share_shared_by"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_share_task_id"),
        sa.PrimaryKeyConstraint("task_id", "agency", name="pk_share"),
    )
    op.create_table(
        "task_vulnerability",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("vulnerability_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_vulnerability_task_id"),
        sa.ForeignKeyConstraint(
            ["vulnerability_id"], ["vulnerability.id"], name="fk_task_vulnerability_vulnerability_id"
        ),
        sa.PrimaryKeyConstraint("task_id", "vulnerability_id", name="pk_task_vulnerability"),
    )
    op.create_index("ix_task_vulnerability_vulnerability_id", "task_vulnerability", ["vulnerability_id"], unique=False)

    op.execute(ONE_OWNER)
    op.execute(ONE_PART)
    op.execute(CHECK_ACCOUNTABILITY)
    op.execute(CHECKED_ON_TASK)
    op.execute(CHECKED_ON_ASSIGNMENT)
    op.execute(KEEP_FACTS)
    op.execute(KEPT_FACTS)
    op.execute(KEPT_FROM_TRUNCATION)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("task_vulnerability")
    op.drop_table("share")
    op.drop_table("referral")
    op.drop_table("comment")
    op.drop_table("assignment")
    op.drop_table("task")
    op.drop_table("vulnerability_evidence")
    op.drop_table("event")
    op.drop_table("decision")
    op.drop_table("vulnerability")
    op.drop_table("meeting")
    op.execute("drop function check_accountability()")
    op.execute("drop function keep_facts()")
