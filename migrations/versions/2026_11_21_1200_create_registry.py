"""Create the registry: regions, agencies, the law."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "registry_1"
down_revision = None
branch_labels = None
depends_on = None

REGION_PATH = """
create function region_path(code text) returns text[] language sql immutable strict parallel safe
return (
    select array_agg(array_to_string((string_to_array(code, '.'))[1:n], '.') order by n)
    from generate_series(1, cardinality(string_to_array(code, '.'))) n
)
"""
ONE_HOLDER = """
alter table agency_region add constraint ex_agency_region_one_holder exclude using gist (
    office with =, tier with =, region_code with =, daterange(valid_from, valid_to) with &&
)
"""
ONE_ACCOUNTABLE = """
alter table mandate add constraint ex_mandate_one_accountable exclude using gist (
    category with =, subcategory with =, function with =, variant with =, region_code with =,
    daterange(valid_from, valid_to) with &&
)
"""
KEEP_AGENCY_REGIONS = """
create function keep_agency_regions() returns trigger language plpgsql as $$
begin
    delete from agency_region where agency = new.code;
    insert into agency_region (agency, region_code, office, tier, valid_from, valid_to)
    select new.code, r, new.office, new.tier, new.valid_from, new.valid_to
    from unnest(case when new.regions = '{}' then array[''] else new.regions end) r;
    return null;
end $$
"""
KEPT_AGENCY_REGIONS = """
create trigger keep_agency_regions after insert or update on agency
for each row execute function keep_agency_regions()
"""


def upgrade() -> None:
    """Create the registry: regions, agencies, the law."""
    op.execute("create extension if not exists btree_gist")
    op.execute(REGION_PATH)
    op.create_table(
        "agency_type",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("label_en", sa.Text(), nullable=False),
        sa.Column("levels", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("may_be_accountable", sa.Boolean(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_agency_type"),
    )
    op.create_table(
        "category",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("parent_code", sa.Text(), nullable=True),
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("label_en", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=False),
        sa.Column("default_classification", sa.Text(), nullable=False),
        sa.Column("locally_distinctive", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "default_classification in ('terbuka', 'terbatas', 'rahasia')",
            name=op.f("ck_category_default_classification_known"),
        ),
        sa.ForeignKeyConstraint(["parent_code"], ["category.code"], name="fk_category_parent_code"),
        sa.PrimaryKeyConstraint("code", name="pk_category"),
    )
    op.create_table(
        "closing_requirement",
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("required_fact", sa.Text(), nullable=False),
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("label_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("category", "function", "required_fact", name="pk_closing_requirement"),
    )
    op.create_table(
        "enumeration",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_enumeration"),
    )
    op.create_table(
        "escalation",
        sa.Column("reach_level", sa.Text(), nullable=False),
        sa.Column("informed_office", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reach_level", "informed_office", name="pk_escalation"),
    )
    op.create_table(
        "holiday",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_holiday"),
    )
    op.create_table(
        "legal_instrument",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("title_id", sa.Text(), nullable=False),
        sa.Column("in_force_from", sa.Date(), nullable=True),
        sa.Column("in_force_to", sa.Date(), nullable=True),
        sa.Column("amends", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_legal_instrument"),
    )
    op.create_table(
        "recusal",
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("excluded_office", sa.Text(), nullable=False),
        sa.Column("applies_to_function", sa.Text(), nullable=False),
        sa.Column("excluded_role", sa.Text(), nullable=False),
        sa.Column("successor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("subject_kind", "excluded_office", "applies_to_function", name="pk_recusal"),
    )
    op.create_table(
        "region",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("parent_code", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_region"),
    )
    op.create_index("ix_region_name", "region", [sa.literal_column("lower(name) text_pattern_ops")], unique=False)
    op.create_index("ix_region_parent_code", "region", ["parent_code", "code"], unique=False)
    op.create_table(
        "agency",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("name_id", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=True),
        sa.Column("regions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("coordinator", sa.Boolean(), nullable=False),
        sa.Column("command_parent", sa.Text(), nullable=True),
        sa.Column("functional_parent", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["command_parent"], ["agency.code"], name="fk_agency_command_parent"),
        sa.ForeignKeyConstraint(["functional_parent"], ["agency.code"], name="fk_agency_functional_parent"),
        sa.ForeignKeyConstraint(["region_code"], ["region.code"], name="fk_agency_region_code"),
        sa.ForeignKeyConstraint(["type"], ["agency_type.code"], name="fk_agency_type"),
        sa.PrimaryKeyConstraint("code", name="pk_agency"),
    )
    op.create_table(
        "deadline_rule",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("clock_starts_at", sa.Text(), nullable=False),
        sa.Column("limit", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("extension", sa.Integer(), nullable=True),
        sa.Column("responsible_role", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=True),
        sa.Column("article", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["instrument_id"], ["legal_instrument.id"], name="fk_deadline_rule_instrument_id"),
        sa.PrimaryKeyConstraint("code", name="pk_deadline_rule"),
    )
    op.create_table(
        "election",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name_id", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=True),
        sa.Column("voting_date", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["region_code"], ["region.code"], name="fk_election_region_code"),
        sa.PrimaryKeyConstraint("code", name="pk_election"),
    )
    op.create_table(
        "enumeration_value",
        sa.Column("enumeration", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("label_en", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["enumeration"], ["enumeration.name"], name="fk_enumeration_value_enumeration"),
        sa.PrimaryKeyConstraint("enumeration", "code", name="pk_enumeration_value"),
    )
    op.create_table(
        "mandate",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("subcategory", sa.Text(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("accountable", sa.Text(), nullable=False),
        sa.Column("supporting", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("informed", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("legal_basis", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("resolve_at", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("resolve_at in ('creation', 'referral', 'event')", name=op.f("ck_mandate_resolve_at_known")),
        sa.CheckConstraint("valid_to is null or valid_to > valid_from", name=op.f("ck_mandate_period")),
        sa.ForeignKeyConstraint(["category"], ["category.code"], name="fk_mandate_category"),
        sa.PrimaryKeyConstraint("id", name="pk_mandate"),
    )
    op.create_index("ix_mandate_category_function", "mandate", ["category", "function"], unique=False)
    op.create_table(
        "agency_region",
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_agency_region_agency"),
        sa.PrimaryKeyConstraint("agency", "region_code", name="pk_agency_region"),
    )
    op.create_index("ix_agency_region_office", "agency_region", ["office", "tier", "region_code"], unique=False)
    op.create_table(
        "member",
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_member_agency"),
        sa.ForeignKeyConstraint(["body"], ["agency.code"], name="fk_member_body"),
        sa.PrimaryKeyConstraint("body", "agency", name="pk_member"),
    )
    op.create_index("ix_member_agency", "member", ["agency"], unique=False)
    op.create_table(
        "stage",
        sa.Column("election_code", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_id", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["election_code"], ["election.code"], name="fk_stage_election_code"),
        sa.PrimaryKeyConstraint("election_code", "code", name="pk_stage"),
    )

    op.execute(ONE_HOLDER)
    op.execute(ONE_ACCOUNTABLE)
    op.execute(KEEP_AGENCY_REGIONS)
    op.execute(KEPT_AGENCY_REGIONS)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("stage")
    op.drop_table("member")
    op.drop_table("agency_region")
    op.drop_table("mandate")
    op.drop_table("enumeration_value")
    op.drop_table("election")
    op.drop_table("deadline_rule")
    op.drop_table("agency")
    op.drop_table("region")
    op.drop_table("recusal")
    op.drop_table("legal_instrument")
    op.drop_table("holiday")
    op.drop_table("escalation")
    op.drop_table("enumeration")
    op.drop_table("closing_requirement")
    op.drop_table("category")
    op.drop_table("agency_type")
    op.execute("drop function keep_agency_regions()")
    op.execute("drop function region_path(text)")
