"""Server-side apply and ownership tracking: who owns what after which write."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apimachinery import fieldset
from roadbed.apimachinery.apply import LAST_APPLIED, FieldManager, manager_name
from roadbed.apimachinery.errors import BadRequestError, ConflictError
from roadbed.apimachinery.nodes import compile_node
from roadbed.apimachinery.ownership import fields_of
from roadbed.apimachinery.structure import Structure

Object = dict[str, Any]

TEXT = {"type": "string"}


def listed(items: Object, kind: str = "", *keys: str) -> Object:
    found: Object = {"type": "array", "items": items}
    if kind:
        found["x-kubernetes-list-type"] = kind
    if keys:
        found["x-kubernetes-list-map-keys"] = list(keys)
    return found


PORT = {
    "type": "object",
    "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}},
}
CONTAINER = {
    "type": "object",
    "properties": {"name": TEXT, "image": TEXT, "ports": listed(PORT, "map", "port", "protocol")},
}
SPEC = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "paused": {"type": "boolean"},
        "containers": listed(CONTAINER, "map", "name"),
        "zones": listed(TEXT, "set"),
        "args": listed(TEXT),
        "options": {"type": "object", "additionalProperties": TEXT},
        "selector": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"a": TEXT, "b": TEXT},
        },
        "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "weight": {"x-kubernetes-int-or-string": True},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"spec": SPEC, "status": {"type": "object", "properties": {"phase": TEXT}}},
}
MANAGER = FieldManager(Structure.of(compile_node(SCHEMA)), "example.org/v1")


def thing(spec: Object | None = None, **meta: Any) -> Object:
    found: Object = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "web", **meta}}
    if spec is not None:
        found["spec"] = spec
    return found


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}Z"


def apply(
    live: Object | None, spec: Object, by: str = "one", *, force: bool = False, second: int = 1
) -> Object:
    return MANAGER.apply(live, thing(spec), manager=by, force=force, now=at(second))


def entry(obj: Object, by: str, operation: str = "Apply") -> Object:
    found = [
        each
        for each in obj["metadata"].get("managedFields", ())
        if each["manager"] == by and each["operation"] == operation
    ]
    assert len(found) == 1, obj["metadata"].get("managedFields")
    return dict(found[0])


def owned(obj: Object, by: str, operation: str = "Apply") -> set[str]:
    return {fieldset.text_of(path) for path in fieldset.paths(entry(obj, by, operation)["fieldsV1"])}


def owners(obj: Object) -> list[str]:
    return [each["manager"] for each in obj["metadata"].get("managedFields", ())]


def created(spec: Object, by: str = "creator") -> Object:
    return MANAGER.update(None, thing(spec, uid="u"), manager=by, now=at(0))


# --- what an applier owns


def test_the_first_apply_creates_the_object_and_owns_its_leaves() -> None:
    obj = apply(None, {"replicas": 2, "options": {"a": "x"}, "args": ["x"], "selector": {"a": "x"}})
    assert owned(obj, "one") == {".spec.replicas", ".spec.options.a", ".spec.args", ".spec.selector"}
    assert entry(obj, "one") == {
        "manager": "one",
        "operation": "Apply",
        "apiVersion": "example.org/v1",
        "time": at(1),
        "fieldsType": "FieldsV1",
        "fieldsV1": entry(obj, "one")["fieldsV1"],
    }


def test_list_items_are_owned_by_their_keys_defaults_included() -> None:
    obj = apply(None, {"containers": [{"name": "web", "ports": [{"port": 80}]}], "zones": ["a"]})
    assert owned(obj, "one") == {
        '.spec.containers[name="web"]',
        '.spec.containers[name="web"].name',
        '.spec.containers[name="web"].ports[port=80,protocol="TCP"]',
        '.spec.containers[name="web"].ports[port=80,protocol="TCP"].port',
        '.spec.zones[="a"]',
    }


def test_fields_are_written_in_the_order_of_kubernetes() -> None:
    """A suite of Kubernetes compares the text of field sets."""
    value = {"spec": {"z": 1, "a": {"y": 1, "b": 2}}, "metadata": {"labels": {"b": "1", "a": "2"}}}
    fields = fields_of(Structure.of(None), value)
    assert list(fields) == ["f:metadata", "f:spec"]
    assert list(fields["f:spec"]["f:a"]) == [".", "f:b", "f:y"]
    more = fieldset.union(fields, fields_of(Structure.of(None), {"spec": {"c": 1}, "data": {"k": "v"}}))
    assert (list(more), list(more["f:spec"])) == (
        ["f:data", "f:metadata", "f:spec"],
        [".", "f:a", "f:c", "f:z"],
    )


def test_unknown_values_are_owned_leaf_by_leaf_and_their_lists_as_a_whole() -> None:
    obj = apply(None, {"anything": {"a": {"b": 1}, "c": [1, 2], "d": {}}})
    assert owned(obj, "one") == {
        ".spec.anything.a",
        ".spec.anything.a.b",
        ".spec.anything.c",
        ".spec.anything.d",
    }


def test_nobody_owns_what_the_server_writes() -> None:
    obj = apply(None, {})
    assert owned(obj, "one") == {".spec"}
    meta = {"uid": "u", "resourceVersion": "3", "generation": 1, "creationTimestamp": at(0)}
    obj = MANAGER.update(None, thing(**meta), manager="one", now=at(0))
    assert "managedFields" not in obj["metadata"]


def test_reset_fields_are_not_owned() -> None:
    manager = FieldManager(MANAGER.structure, "example.org/v1", reset=[("status",)])
    obj = manager.apply(
        None, {**thing({"replicas": 1}), "status": {"phase": "x"}}, manager="one", force=False, now=at(1)
    )
    assert owned(obj, "one") == {".spec.replicas"}
    status = FieldManager(MANAGER.structure, "example.org/v1", "status", [("spec",), ("metadata",)])
    obj = status.update(obj, {**obj, "status": {"phase": "y"}}, manager="two", now=at(2))
    assert owned(obj, "two", "Update") == {".status.phase"}
    assert entry(obj, "two", "Update")["subresource"] == "status"


# --- repeating, changing, removing


def test_applying_the_same_again_changes_nothing_not_even_the_time() -> None:
    obj = apply(None, {"replicas": 2, "containers": [{"name": "a"}], "options": {}})
    assert apply(obj, {"replicas": 2, "containers": [{"name": "a"}], "options": {}}, second=9) == obj


def test_a_field_no_longer_applied_is_removed() -> None:
    obj = apply(None, {"replicas": 2, "options": {"a": "x", "b": "y"}, "paused": True})
    obj = apply(obj, {"options": {"b": "y"}}, second=2)
    assert obj["spec"] == {"options": {"b": "y"}}
    assert owned(obj, "one") == {".spec.options.b"}


def test_a_field_that_another_owns_too_stays_when_one_drops_it() -> None:
    obj = apply(None, {"replicas": 2, "paused": True})
    obj = apply(obj, {"replicas": 2}, "two")
    obj = apply(obj, {"paused": True}, second=2)
    assert obj["spec"] == {"replicas": 2, "paused": True}
    assert owned(obj, "two") == {".spec.replicas"}


def test_a_list_item_goes_with_its_only_owner() -> None:
    obj = apply(None, {"containers": [{"name": "a"}, {"name": "b"}], "zones": ["x", "y"]})
    obj = apply(obj, {"containers": [{"name": "b"}], "zones": ["y"]})
    assert obj["spec"] == {"containers": [{"name": "b"}], "zones": ["y"]}


def test_a_list_item_stays_while_another_owns_a_field_of_it() -> None:
    obj = apply(None, {"containers": [{"name": "a", "image": "v1"}]})
    obj = apply(obj, {"containers": [{"name": "a", "ports": [{"port": 1}]}]}, "two")
    obj = apply(obj, {"containers": []})
    assert obj["spec"]["containers"] == [{"name": "a", "ports": [{"port": 1}]}]


def test_fields_that_nobody_owns_survive_an_apply() -> None:
    obj = apply(None, {"replicas": 1})
    obj["spec"]["weight"] = "defaulted"
    obj = apply(obj, {"paused": True}, second=2)
    assert obj["spec"] == {"paused": True, "weight": "defaulted"}


def test_the_entry_goes_with_the_last_field() -> None:
    obj = apply(None, {"replicas": 1})
    obj = MANAGER.apply(obj, thing(), manager="one", force=False, now=at(2))
    assert owners(obj) == []
    assert "spec" not in obj


def test_an_empty_map_that_was_applied_stays_when_its_fields_go() -> None:
    obj = apply(None, {"options": {"a": "x"}})
    obj = apply(obj, {"options": {}}, "two")
    obj = apply(obj, {"replicas": 1})
    assert obj["spec"] == {"options": {}, "replicas": 1}
    assert owned(obj, "two") == {".spec.options"}


# --- conflicts


def test_changing_a_field_of_another_is_a_conflict_that_names_it() -> None:
    obj = created({"replicas": 1}, "kubectl-client-side-apply")
    with pytest.raises(ConflictError) as caught:
        apply(obj, {"replicas": 2})
    error = caught.value
    assert error.message == (
        "Apply failed with 1 conflict: "
        'conflict with "kubectl-client-side-apply" using example.org/v1: .spec.replicas'
    )
    assert [cause.to_json() for cause in error.causes] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-client-side-apply" using example.org/v1',
            "field": ".spec.replicas",
        }
    ]


def test_several_conflicts_are_listed_by_manager() -> None:
    obj = apply(None, {"replicas": 1, "args": ["x"]}, "a")
    obj = apply(obj, {"paused": True}, "b")
    with pytest.raises(ConflictError) as caught:
        apply(obj, {"replicas": 2, "args": [], "paused": False})
    assert caught.value.message == (
        'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.args\n- .spec.replicas\n'
        'conflicts with "b":\n- .spec.paused'
    )


def test_a_conflict_with_a_subresource_says_so() -> None:
    status = FieldManager(MANAGER.structure, "example.org/v1", "status")
    obj = status.update(created({}), {**created({}), "status": {"phase": "a"}}, manager="two", now=at(1))
    with pytest.raises(ConflictError, match=r'"two" with subresource "status" using example.org/v1'):
        MANAGER.apply(obj, {**thing(), "status": {"phase": "b"}}, manager="one", force=False, now=at(2))


def test_force_takes_the_field_from_its_owner() -> None:
    obj = apply(None, {"replicas": 1, "paused": True}, "a")
    obj = apply(obj, {"replicas": 2}, "b", force=True)
    assert obj["spec"] == {"replicas": 2, "paused": True}
    assert (owned(obj, "a"), owned(obj, "b")) == ({".spec.paused"}, {".spec.replicas"})


def test_the_same_value_is_shared_without_conflict() -> None:
    obj = apply(apply(None, {"replicas": 1}, "a"), {"replicas": 1}, "b")
    assert owned(obj, "a") == owned(obj, "b") == {".spec.replicas"}


def test_an_atomic_value_conflicts_as_a_whole() -> None:
    obj = apply(None, {"selector": {"a": "x"}, "args": ["x"]}, "a")
    with pytest.raises(ConflictError) as caught:
        apply(obj, {"selector": {"b": "x"}, "args": ["x", "y"]}, "b")
    assert {cause.field for cause in caught.value.causes} == {".spec.selector", ".spec.args"}


def test_one_and_true_are_not_the_same_value() -> None:
    obj = apply(None, {"anything": {"a": 1}}, "a")
    with pytest.raises(ConflictError):
        apply(obj, {"anything": {"a": True}}, "b")
    assert owned(apply(obj, {"anything": {"a": 1.0}}, "b"), "b") == {".spec.anything.a"}


# --- order of merged lists


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ("abc", "c", "abc"),
        ("abc", "ca", "bca"),
        ("abc", "xb", "axbc"),
        ("ab", "ba", "ba"),
        ("abcd", "dxb", "acdxb"),
        ("", "ba", "ba"),
    ],
)
def test_applied_items_come_in_their_order_and_live_ones_between_their_neighbours(
    live: str, applied: str, merged: str
) -> None:
    obj = apply(created({"zones": list(live)}), {"zones": list(applied)})
    assert "".join(obj["spec"]["zones"]) == merged


# --- plain writes


def test_a_create_is_owned_with_its_containers() -> None:
    obj = created({"replicas": 1, "options": {"a": "x"}, "containers": [{"name": "a"}]})
    assert owned(obj, "creator", "Update") == {
        ".spec",
        ".spec.replicas",
        ".spec.options",
        ".spec.options.a",
        ".spec.containers",
        '.spec.containers[name="a"]',
        '.spec.containers[name="a"].name',
    }


def test_an_update_that_changes_nothing_leaves_the_entries() -> None:
    obj = created({"replicas": 1})
    assert MANAGER.update(obj, copy.deepcopy(obj), manager="other", now=at(9)) == obj


def test_an_update_takes_what_it_changes() -> None:
    obj = apply(None, {"replicas": 1, "paused": True}, "a")
    new = copy.deepcopy(obj)
    new["spec"]["replicas"] = 2
    obj = MANAGER.update(obj, new, manager="b", now=at(2))
    assert (owned(obj, "a"), owned(obj, "b", "Update")) == ({".spec.paused"}, {".spec.replicas"})
    assert entry(obj, "a")["time"] == at(1)


def test_an_update_that_only_removes_owns_nothing_new() -> None:
    obj = created({"replicas": 1, "paused": True})
    new = copy.deepcopy(obj)
    del new["spec"]["paused"]
    obj = MANAGER.update(obj, new, manager="other", now=at(2))
    assert owners(obj) == ["creator"]
    assert ".spec.paused" not in owned(obj, "creator", "Update")
    assert entry(obj, "creator", "Update")["time"] == at(0)


def test_updates_by_one_manager_add_up_in_one_entry() -> None:
    obj = created({"replicas": 1})
    new = copy.deepcopy(obj)
    new["spec"]["paused"] = True
    obj = MANAGER.update(obj, new, manager="creator", now=at(2))
    assert owned(obj, "creator", "Update") == {".spec", ".spec.replicas", ".spec.paused"}
    assert entry(obj, "creator", "Update")["time"] == at(2)


def test_at_most_ten_updaters_are_kept_the_oldest_merge_into_ancient_changes() -> None:
    obj = created({"options": {}})
    for number in range(14):
        new = copy.deepcopy(obj)
        new["spec"]["options"][f"o{number}"] = "x"
        obj = MANAGER.update(obj, new, manager=f"m{number:02d}", now=at(number + 1))
    assert len(owners(obj)) == 10
    ancient = owned(obj, "ancient-changes", "Update")
    assert {".spec.options.o0", ".spec.options.o1"} <= ancient
    assert ".spec.options.o13" not in ancient


def test_a_client_may_reset_managed_fields() -> None:
    obj = created({"replicas": 1})
    for reset in ([], [{}]):
        new = {**obj, "metadata": {**obj["metadata"], "managedFields": reset}}
        assert "managedFields" not in MANAGER.update(obj, new, manager="b", now=at(1))["metadata"]


@pytest.mark.parametrize(
    "broken",
    [
        {"operation": "Delete"},
        {"apiVersion": ""},
        {"fieldsType": ""},
        {"fieldsType": "FieldsV2"},
        {"fieldsV1": {"spec": {}}},
        {"fieldsV1": 7},
    ],
)
def test_managed_fields_that_make_no_sense_are_replaced_by_the_live_ones(broken: Object) -> None:
    obj = created({"replicas": 1})
    entries = [{**obj["metadata"]["managedFields"][0], **broken}]
    new = {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}
    assert MANAGER.update(obj, new, manager="b", now=at(1)) == obj


def test_a_client_that_sends_no_managed_fields_destroys_none() -> None:
    obj = created({"replicas": 1})
    new = {**obj, "metadata": {"name": "web", "uid": "u"}}
    assert MANAGER.update(obj, new, manager="b", now=at(1)) == obj


def test_entries_of_versions_that_are_gone_are_dropped() -> None:
    obj = created({"replicas": 1})
    obj["metadata"]["managedFields"][0]["apiVersion"] = "example.org/v1alpha1"
    manager = FieldManager(
        MANAGER.structure, "example.org/v1", versions={"example.org/v2": MANAGER.structure}
    )
    obj = manager.apply(obj, thing({"replicas": 2}), manager="one", force=False, now=at(1))
    assert owners(obj) == ["one"]


def test_fields_below_what_became_atomic_are_owned_as_a_whole() -> None:
    obj = apply(None, {"options": {"a": "x", "b": "y"}})
    schema = copy.deepcopy(SCHEMA)
    schema["properties"]["spec"]["properties"]["options"]["x-kubernetes-map-type"] = "atomic"  # type: ignore[index]
    manager = FieldManager(Structure.of(compile_node(schema)), "example.org/v1")
    with pytest.raises(ConflictError) as caught:
        manager.apply(obj, thing({"options": {"a": "z"}}), manager="two", force=False, now=at(1))
    assert [cause.field for cause in caught.value.causes] == [".spec.options"]


def test_an_object_without_managed_fields_gets_them_by_its_first_apply() -> None:
    obj = thing({"replicas": 1, "paused": True}, uid="u")
    assert MANAGER.update(obj, {**obj, "spec": {"replicas": 2}}, manager="b", now=at(1))["metadata"] == {
        "name": "web",
        "uid": "u",
    }
    obj = apply(obj, {"replicas": 3}, force=True)
    assert owned(obj, "before-first-apply", "Update") == {".spec", ".spec.paused"}


def test_what_a_kind_is_before_anything_is_set_was_nobodys_before_the_first_apply() -> None:
    """A Role without rules, applied twice, got an owner of its empty list and a new revision."""
    manager = FieldManager(MANAGER.structure, MANAGER.api_version, zero=lambda: thing({"rules": None}))
    live = thing({"rules": None}, uid="u")
    assert manager.apply(live, thing(), manager="m", force=False, now=at(1)) == live


@pytest.mark.parametrize(
    ("number", "element"),
    [
        (3.0, "v:3"),
        (2.5, "v:2.5"),
        (1e-7, "v:1e-07"),
        (1e16, "v:10000000000000000"),
        (2.0**63, "v:9223372036854776000"),
        (1e20, "v:100000000000000000000"),
        (1e300, "v:1e+300"),
    ],
)
def test_numbers_in_sets_are_spelled_as_gos_encoder_does(number: float, element: str) -> None:
    """As kube-apiserver 1.35 wrote them into managedFields; one beyond 64 bits was an internal error."""
    numbers = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "number"}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"n": numbers}}}}
    manager = FieldManager(Structure.of(compile_node(schema)), MANAGER.api_version)
    obj = manager.apply(None, thing({"n": [number]}), manager="m", force=False, now=at(1))
    assert list(obj["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:n"]) == [element]
    assert manager.apply(obj, thing({"n": [number]}), manager="m", force=False, now=at(2)) == obj


# --- kubectl's move from client-side apply


def client_side(spec: Object, last: Object) -> Object:
    import orjson

    text = orjson.dumps(thing(last)).decode()
    obj = thing(spec, uid="u", annotations={LAST_APPLIED: text})
    return MANAGER.update(None, obj, manager="kubectl-client-side-apply", now=at(0))


def test_kubectl_takes_over_what_it_applied_from_the_client() -> None:
    obj = client_side({"replicas": 1}, {"replicas": 1})
    obj = apply(obj, {"replicas": 2}, "kubectl")
    assert obj["spec"] == {"replicas": 2}
    assert '"replicas":2' in obj["metadata"]["annotations"][LAST_APPLIED]


def test_kubectl_does_not_take_over_what_changed_since() -> None:
    obj = client_side({"replicas": 5}, {"replicas": 1})
    with pytest.raises(ConflictError):
        apply(obj, {"replicas": 2}, "kubectl")


def test_other_managers_do_not_take_over_by_annotation() -> None:
    obj = client_side({"replicas": 1}, {"replicas": 1})
    with pytest.raises(ConflictError):
        apply(obj, {"replicas": 2}, "argocd-controller")


# --- bad input


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"nope": 1}, ".spec.nope: field not declared in schema"),
        ({"replicas": "x"}, '.spec.replicas: expected numeric (int or float), got "x"'),
        ({"replicas": True}, ".spec.replicas: expected numeric (int or float), got true"),
        ({"args": "x"}, '.spec.args: expected list, got "x"'),
        ({"options": ["x"]}, '.spec.options: expected map, got ["x"]'),
        ({"zones": ["a", "a"]}, '.spec.zones: duplicate entries for key [="a"]'),
        ({"zones": [None]}, ".spec.zones: element 0: associative list without keys has an element"),
        ({"containers": [{}]}, ".spec.containers: element 0: associative list with keys has an element"),
        ({"containers": ["x"]}, ".spec.containers: element 0: associative list with keys may not have"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_with_its_path(spec: Object, told: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        apply(None, spec)
    start = "failed to create typed patch object (/web; example.org/v1, Kind=Thing): "
    assert caught.value.message.startswith(start + told)


def test_managed_fields_and_other_versions_cannot_be_applied() -> None:
    with pytest.raises(BadRequestError, match=r"metadata\.managedFields must be nil"):
        MANAGER.apply(None, thing(managedFields=[]), manager="one", force=False, now=at(1))
    with pytest.raises(BadRequestError, match="Incorrect version specified in apply patch"):
        MANAGER.apply(None, {**thing(), "apiVersion": "v1"}, manager="one", force=False, now=at(1))


@pytest.mark.parametrize(
    ("option", "agent", "name"),
    [
        ("me", "kubectl/v1.32", "me"),
        ("", "kubectl-create/v1.32 (linux)", "kubectl-create"),
        ("", "x\x00y/1", "xy"),
        ("", "a" * 200, "a" * 128),
        ("", "", ""),
    ],
)
def test_the_manager_is_named_by_the_option_or_the_user_agent(option: str, agent: str, name: str) -> None:
    assert manager_name(option, agent) == name


def test_a_write_without_any_name_is_by_unknown() -> None:
    obj = MANAGER.update(None, thing({"replicas": 1}), manager="", now=at(0))
    assert owners(obj) == ["unknown"]


def test_structs_of_built_in_kinds_count_as_present() -> None:
    schema = copy.deepcopy(SCHEMA)
    schema["properties"]["spec"]["default"] = {}  # type: ignore[index]
    builtin = FieldManager(Structure.of(compile_node(schema), builtin=True), "example.org/v1")
    obj = builtin.update(None, thing({"replicas": 1}), manager="creator", now=at(0))
    assert owned(obj, "creator", "Update") == {".spec.replicas"}


def test_structs_below_something_new_are_owned_with_it() -> None:
    schema = copy.deepcopy(SCHEMA)
    spec: Any = schema["properties"]["spec"]
    spec["default"] = {}
    resources = {"type": "object", "default": {}, "properties": {"cpu": TEXT}}
    spec["properties"]["containers"]["items"]["properties"]["resources"] = resources
    builtin = FieldManager(Structure.of(compile_node(schema), builtin=True), "example.org/v1")
    wanted = thing({"containers": [{"name": "a", "resources": {}}]})
    assert owned(builtin.update(None, wanted, manager="creator", now=at(0)), "creator", "Update") == {
        ".spec.containers",
        '.spec.containers[name="a"]',
        '.spec.containers[name="a"].name',
        '.spec.containers[name="a"].resources',
    }


# --- properties

# Kubernetes owns nothing of an empty set or keyed list, so these appear filled only.
NAMES = st.sampled_from("abc")
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"image": NAMES}),
    min_size=1,
    max_size=3,
    unique_by=lambda c: c["name"],
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 2),
        "zones": st.lists(NAMES, min_size=1, max_size=3, unique=True),
        "args": st.lists(NAMES, max_size=2),
        "options": st.dictionaries(NAMES, NAMES, max_size=3),
        "selector": st.dictionaries(st.sampled_from("ab"), NAMES, max_size=2),
        "containers": CONTAINERS,
        "anything": st.dictionaries(NAMES, st.one_of(st.booleans(), st.integers(0, 1), NAMES), max_size=3),
    },
)


@given(SPECS, SPECS, SPECS)
@settings(max_examples=60, deadline=None)
def test_applying_twice_is_applying_once(first: Object, other: Object, again: Object) -> None:
    obj = apply(apply(None, first, "a"), other, "b", force=True)
    once = apply(obj, again, "a", force=True)
    assert apply(once, again, "a", second=30) == once


@given(SPECS, SPECS)
@settings(max_examples=60, deadline=None)
def test_whoever_forces_owns_all_that_it_applied_and_has_its_values(first: Object, second: Object) -> None:
    obj = apply(apply(None, first, "a"), second, "b", force=True)
    applied = fields_of(MANAGER.structure, thing(second))
    never = fieldset.field_set(("apiVersion",), ("kind",), ("metadata", "name"))
    wanted = set(fieldset.paths(fieldset.difference(applied, never)))
    entries = [
        each["fieldsV1"] for each in obj["metadata"].get("managedFields", ()) if each["manager"] == "b"
    ]
    assert set(fieldset.paths(entries[0]) if entries else ()) == wanted


@given(SPECS, SPECS)
@settings(max_examples=60, deadline=None)
def test_every_leaf_of_an_applied_object_has_an_owner(first: Object, second: Object) -> None:
    obj = apply(apply(None, first, "a"), second, "b", force=True)
    everything = fields_of(MANAGER.structure, {"spec": obj.get("spec", {})})
    together: Object = {}
    for each in obj["metadata"].get("managedFields", ()):
        together = fieldset.union(together, each["fieldsV1"])
    assert fieldset.difference(everything, together) == {}


@given(SPECS, SPECS)
@settings(max_examples=60, deadline=None)
def test_appliers_of_different_fields_commute(first: Object, second: Object) -> None:
    second = {name: value for name, value in second.items() if name not in first}
    one = apply(apply(None, first, "a"), second, "b")
    other = apply(apply(None, second, "b"), first, "a")
    for obj in (one, other):
        obj["managers"] = {
            (each["manager"], fieldset.text_of(path))
            for each in obj["metadata"].pop("managedFields", ())
            for path in fieldset.paths(each["fieldsV1"])
        }
    assert one == other


@given(SPECS, SPECS)
@settings(max_examples=60, deadline=None)
def test_neither_argument_is_changed(first: Object, second: Object) -> None:
    live = apply(None, first, "a")
    before, applied = copy.deepcopy(live), thing(second)
    MANAGER.apply(live, applied, manager="b", force=True, now=at(2))
    MANAGER.update(live, applied, manager="c", now=at(3))
    assert (live, applied) == (before, thing(second))


def test_a_live_set_with_items_that_can_not_be_told_apart_is_replaced_as_a_whole() -> None:
    """Such a set may have been stored before its schema was; what is applied to it gets an answer."""
    schema = listed({"type": "string", "nullable": True}, "set")
    node = compile_node(
        {"type": "object", "properties": {"spec": {"type": "object", "properties": {"l": schema}}}}
    )
    manager = FieldManager(Structure.of(node), "example.org/v1")
    live = {
        "apiVersion": "example.org/v1",
        "kind": "Thing",
        "metadata": {"name": "a"},
        "spec": {"l": [[1], "b"]},
    }
    wanted = {**live, "spec": {"l": ["c"]}}
    found = manager.apply(live, wanted, manager="m", force=True, now="2026-01-01T00:00:00Z")
    assert found["spec"] == {"l": ["c"]}
