"""Management policies: which sets are legal, what they allow, and who decides about deletion."""

from itertools import combinations

import pytest

from roadbed.engines.providers.policies import LEGAL, Policy

ACTIONS = ("Observe", "Create", "Update", "Delete", "LateInitialize")


def test_there_are_fifteen_legal_sets():
    assert len(LEGAL) == 15


def test_every_other_set_is_refused_by_name():
    subsets = [frozenset(some) for size in range(6) for some in combinations(ACTIONS, size)]
    faults = {subset: Policy(subset).fault() for subset in subsets}
    assert {subset for subset, fault in faults.items() if not fault} == LEGAL - {frozenset({"*"})}
    assert "[Create Update]" in faults[frozenset({"Create", "Update"})]
    assert "Check docs for supported policies" in faults[frozenset({"Delete"})]


def test_absent_policies_allow_everything():
    policy = Policy.of({}, legacy=False)
    assert all(policy.allows(action) for action in ACTIONS)
    assert policy.deletes
    assert not policy.is_paused


def test_an_empty_list_pauses():
    assert Policy.of({"managementPolicies": []}, legacy=False).is_paused


@pytest.mark.parametrize(
    ("actions", "deletion_policy", "deletes"),
    [
        (["*"], "Delete", True),
        (["*"], "Orphan", False),
        (["Observe", "Delete"], "Orphan", True),
        (["Observe", "Create", "Update"], "Delete", False),
    ],
)
def test_the_setting_that_is_not_at_its_default_decides_about_deletion(actions, deletion_policy, deletes):
    spec = {"managementPolicies": actions, "deletionPolicy": deletion_policy}
    assert Policy.of(spec, legacy=True).deletes is deletes


def test_namespaced_kinds_know_no_deletion_policy():
    assert Policy.of({"deletionPolicy": "Orphan"}, legacy=False).deletes
