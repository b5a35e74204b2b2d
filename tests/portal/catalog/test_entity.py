"""The rules of Backstage's descriptor format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.portal.catalog import Ref
from roadbed.portal.catalog.entity import OPPOSITES, EntityError, plural_of, relations_of, validate


def entity(kind="Component", name="orders", *, spec=None, **meta):
    defaults = {"type": "service", "lifecycle": "production", "owner": "team-a"}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **meta},
        "spec": defaults if spec is None else spec,
    }


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ([], "document"),
        ({**entity(), "apiVersion": ""}, "apiVersion"),
        ({**entity(), "kind": "not-a-kind"}, "kind"),
        ({**entity(), "metadata": None}, "metadata"),
        (entity(name="-starts-badly"), "metadata.name"),
        (entity(name="x" * 64), "metadata.name"),
        (entity(name=5), "metadata.name"),
        (entity(namespace="Upper"), "metadata.namespace"),
        (entity(tags=["Upper"]), "metadata.tags[0]"),
        (entity(tags="java"), "metadata.tags"),
        (entity(labels={"a": 1}), "metadata.labels[a]"),
        (entity(annotations={"UP!/a": "x"}), "metadata.annotations[UP!/a]"),
        (entity(links=[{"title": "no url"}]), "metadata.links[0].url"),
        (entity(spec={"type": "service", "owner": "a"}), "spec.lifecycle"),
        (entity("Group", spec={"type": "team"}), "spec.children"),
        (entity("User", spec={"memberOf": "x"}), "spec.memberOf"),
        (entity("API", spec={"type": "openapi", "lifecycle": "p", "owner": "a"}), "spec.definition"),
        (
            entity(spec={"type": "s", "lifecycle": "p", "owner": "a", "dependsOn": ["no-kind"]}),
            "spec.dependsOn[0]",
        ),
        (
            entity(spec={"type": "s", "lifecycle": "p", "owner": "a", "providesApis": [1]}),
            "spec.providesApis[0]",
        ),
    ],
)
def test_a_broken_rule_names_its_field(broken, field):
    with pytest.raises(EntityError) as caught:
        validate(broken)
    assert caught.value.field == field


def test_other_kinds_pass_on_their_envelope():
    validate({**entity("Dashboard", spec={}), "apiVersion": "example.org/v1"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("component:default/orders", "component:default/orders"),
        ("Component:Default/Orders", "component:default/orders"),
        ("api:orders", "api:shop/orders"),
        ("other/orders", "group:other/orders"),
        ("a:b:c", "a:shop/b:c"),
    ],
)
def test_references_fill_in_kind_and_namespace(text, wanted):
    assert str(Ref.parse(text, kind="group", namespace="shop")) == wanted


@pytest.mark.parametrize("text", ["", ":x", "kind:", "kind:/x", "kind:a/"])
def test_a_reference_with_an_empty_part_is_none(text):
    with pytest.raises(ValueError, match="reference"):
        Ref.parse(text)


@given(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True))
def test_the_uid_follows_from_the_reference_alone(kind, name):
    ref = Ref(kind, "default", name)
    assert ref.uid == Ref.parse(str(ref)).uid
    assert ref.uid != Ref(kind, "other", name).uid


def test_relations_come_from_the_fields_and_have_a_reverse():
    spec = {
        "type": "service",
        "lifecycle": "production",
        "owner": "user:ada",
        "system": "shop",
        "providesApis": ["orders"],
        "consumesApis": ["pay/payments"],
        "dependsOn": ["resource:db"],
        "subcomponentOf": "storefront",
    }
    found = {(edge.type, str(edge.target)) for edge in relations_of(entity(spec=spec, namespace="web"))}
    assert found == {
        ("ownedBy", "user:web/ada"),
        ("partOf", "system:web/shop"),
        ("partOf", "component:web/storefront"),
        ("providesApi", "api:web/orders"),
        ("consumesApi", "api:pay/payments"),
        ("dependsOn", "resource:web/db"),
    }
    for edge in relations_of(entity(spec=spec)):
        assert edge.reverse().reverse() == edge
        assert edge.reverse().type == OPPOSITES[edge.type]


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("Component", "components"), ("API", "apis"), ("Policy", "policies"), ("Process", "processes")],
)
def test_rbac_names_a_kind_by_its_plural(kind, plural):
    assert plural_of(kind) == plural
