"""Whether managedFields prove that applying would change nothing."""

import copy

from roadbed.engines.composition.ownership import is_settled

WANTED = {
    "apiVersion": "v1",
    "kind": "Thing",
    "metadata": {"name": "a", "namespace": "b", "labels": {"x": "1"}, "ownerReferences": [{"uid": "u"}]},
    "spec": {"size": 3, "tags": ["a", "b"], "empty": {}},
}
FIELDS = {
    "f:metadata": {"f:labels": {"f:x": {}}, "f:ownerReferences": {'k:{"uid":"u"}': {}}},
    "f:spec": {".": {}, "f:size": {}, "f:tags": {}, "f:empty": {}},
}


def live(fields=FIELDS, manager="m", operation="Apply", **changes):
    obj = copy.deepcopy(WANTED)
    obj["metadata"]["managedFields"] = [{"manager": manager, "operation": operation, "fieldsV1": fields}]
    obj["spec"].update(changes)
    return obj


def test_the_same_fields_with_the_same_values_are_settled():
    assert is_settled(live(), WANTED, "m")
    assert is_settled(live(other="someone's"), WANTED, "m")


def test_another_value_is_not_settled():
    assert not is_settled(live(size=4), WANTED, "m")


def test_a_field_that_is_owned_and_no_longer_wanted_is_not_settled():
    wanted = copy.deepcopy(WANTED)
    del wanted["spec"]["size"]
    assert not is_settled(live(), wanted, "m")


def test_a_field_that_is_wanted_and_not_owned_is_not_settled():
    fields = copy.deepcopy(FIELDS)
    del fields["f:spec"]["f:size"]
    assert not is_settled(live(fields), WANTED, "m")


def test_another_manager_or_operation_proves_nothing():
    assert not is_settled(live(manager="n"), WANTED, "m")
    assert not is_settled(live(operation="Update"), WANTED, "m")
    assert not is_settled(live(), WANTED, "m", subresource="status")
