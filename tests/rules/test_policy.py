"""Who may do what: the table itself, cell by cell where a rule speaks of every cell."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import PermissionDenied
from app.rules import policy
from app.rules.policy import ENTRANCES, GRANTS, Permission
from app.rules.vocabulary import Role, Standing

standings = st.frozensets(st.sampled_from(Standing))
granted = st.sampled_from(sorted(GRANTS))
roles = st.sampled_from(Role)
LADDER = (Role.VIEWER, Role.OFFICER, Role.SUPERVISOR)
CONTENT = ("task.", "referral.", "meeting.", "vulnerability.")


def test_every_permission_is_a_grant_or_an_entrance_to_grants() -> None:
    assert set(Permission) == GRANTS.keys() | ENTRANCES.keys()
    assert GRANTS.keys().isdisjoint(ENTRANCES)
    assert all(behind and behind <= GRANTS.keys() for behind in ENTRANCES.values())


def test_every_grant_reaches_somebody() -> None:
    assert [one for one, row in GRANTS.items() if not row or not all(row.values())] == []


@given(permission=granted, held=standings)
def test_a_higher_role_may_whatever_a_lower_one_may(permission: Permission, held: frozenset[Standing]) -> None:
    allowed = [policy.may(role, permission, held) for role in LADDER]
    assert allowed == sorted(allowed)


@given(permission=granted, role=roles, fewer=standings, more=standings)
def test_a_further_standing_never_takes_a_permission_away(
    permission: Permission, role: Role, fewer: frozenset[Standing], more: frozenset[Standing]
) -> None:
    if policy.may(role, permission, fewer):
        assert policy.may(role, permission, fewer | more)


@given(permission=granted, role=roles, held=standings)
def test_what_no_row_grants_is_denied(permission: Permission, role: Role, held: frozenset[Standing]) -> None:
    rows = [GRANTS[permission][name] for name in policy.included(role) if name in GRANTS[permission]]
    reasons = {Standing.OUTSIDER} | held
    assert policy.may(role, permission, held) == any(not reasons.isdisjoint(row) for row in rows)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.EXPERT, Role.AGENCY_ADMIN, Role.OPERATOR])
def test_a_role_beside_the_ladder_stands_alone(role: Role) -> None:
    assert policy.included(role) == (role,)
    assert all(role not in policy.included(step) for step in LADDER)


def test_an_operator_and_an_agency_admin_see_no_content_at_all() -> None:
    for role, permission in product((Role.OPERATOR, Role.AGENCY_ADMIN), Permission):
        if permission.value.startswith(CONTENT):
            assert not policy.may_enter(role, permission), (role, permission)


def test_an_auditor_and_a_viewer_change_nothing() -> None:
    seen = {one for role in (Role.AUDITOR, Role.VIEWER) for one in policy.effective(role)}
    renewed = {"secret.rotate", "key.register"}  # a client may renew its own credentials, whatever its role
    assert renewed <= seen
    assert {one.partition(".")[2] for one in seen - renewed} == {"read", "list", "read_summary", "read_access"}


def test_a_client_below_the_admins_reaches_no_credentials_but_its_own() -> None:
    for role, permission in product(set(Role) - {Role.OPERATOR, Role.AGENCY_ADMIN}, GRANTS):
        if permission.value.startswith(("secret.", "key.", "tokens.", "client.", "agency.")):
            assert not policy.may(role, permission, frozenset(Standing) - {Standing.SELF}), (role, permission)


def test_an_outsider_moves_no_task_in_any_role() -> None:
    for role, permission in product(Role, GRANTS):
        if permission.value.startswith(("task.", "referral.")) and policy.may(role, permission, frozenset()):
            assert permission in {Permission.TASK_LIST, Permission.TASK_LOG, Permission.REFERRAL_READ}


@pytest.mark.parametrize("entrance", sorted(ENTRANCES))
@pytest.mark.parametrize("role", Role)
def test_an_entrance_opens_to_a_role_exactly_when_something_behind_it_does(role: Role, entrance: Permission) -> None:
    assert policy.may_enter(role, entrance) == any(policy.may_enter(role, one) for one in ENTRANCES[entrance])


@given(permission=granted, role=roles)
def test_a_route_lets_in_whom_some_standing_could_help(permission: Permission, role: Role) -> None:
    assert policy.may_enter(role, permission) == policy.may(role, permission, frozenset(Standing))
    assert (permission.value in policy.effective(role)) == policy.may_enter(role, permission)


@given(permission=granted, role=roles, held=standings)
def test_a_refusal_names_the_permission(permission: Permission, role: Role, held: frozenset[Standing]) -> None:
    if policy.may(role, permission, held):
        policy.require(role, permission, held)
        return
    with pytest.raises(PermissionDenied) as refused:
        policy.require(role, permission, held)
    assert refused.value.facts == {"permission": permission.value}


@given(held=standings)
def test_to_judge_an_outcome_takes_a_supervisor(held: frozenset[Standing]) -> None:
    for permission in (Permission.TASK_CONFIRM, Permission.TASK_REJECT_OUTCOME, Permission.TASK_REOPEN):
        assert not policy.may(Role.OFFICER, permission, held)
        assert policy.may(Role.SUPERVISOR, permission, held | {Standing.COORDINATOR})
