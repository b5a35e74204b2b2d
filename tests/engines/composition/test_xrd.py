"""Definitions become CRDs with the fields that Crossplane gives them, at the paths it gives them."""

import pytest

from roadbed.apimachinery.structural import check_structural
from roadbed.engines.composition.xrd import DefinitionError, render


def definition(scope="Namespaced", **spec):
    schema = {
        "type": "object",
        "description": "An application.",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": {"type": "string"}},
                "x-kubernetes-validations": [{"rule": "self.image != ''"}],
            },
            "status": {"type": "object", "properties": {"address": {"type": "string"}}},
        },
    }
    version = {"name": "v1", "served": True, "referenceable": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.crossplane.io/v1",
        "kind": "CompositeResourceDefinition",
        "metadata": {"name": "apps.example.org", "uid": "u-1", "labels": {"team": "a"}},
        "spec": {
            "group": "example.org",
            "names": {"kind": "App", "plural": "apps"},
            "scope": scope,
            "versions": [version],
            **spec,
        },
    }


def properties(crd, section="spec"):
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][section]["properties"]


MACHINERY = {
    "compositionRef",
    "compositionSelector",
    "compositionRevisionRef",
    "compositionRevisionSelector",
    "compositionUpdatePolicy",
    "resourceRefs",
}


@pytest.mark.parametrize(
    ("scope", "crd_scope"),
    [("Namespaced", "Namespaced"), ("Cluster", "Cluster"), ("LegacyCluster", "Cluster")],
)
def test_the_crd_has_the_definitions_scope_and_its_owner(scope, crd_scope):
    crd = render(definition(scope))
    assert crd["spec"]["scope"] == crd_scope
    (owner,) = crd["metadata"]["ownerReferences"]
    assert owner["uid"] == "u-1"
    assert owner["controller"] is True
    assert crd["spec"]["names"]["categories"] == ["composite"]
    assert crd["metadata"]["labels"] == {"team": "a"}


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster", "LegacyCluster"])
def test_what_is_rendered_is_structural(scope):
    for version in render(definition(scope))["spec"]["versions"]:
        assert check_structural(version["schema"]["openAPIV3Schema"]) == []


def test_a_modern_composite_has_its_machinery_under_one_field():
    spec = properties(render(definition(defaultCompositionUpdatePolicy="Manual")))
    assert set(spec) == {"image", "crossplane"}
    machinery = spec["crossplane"]["properties"]
    assert set(machinery) == MACHINERY
    assert machinery["compositionUpdatePolicy"]["default"] == "Manual"
    assert "namespace" not in machinery["resourceRefs"]["items"]["properties"]


def test_a_cluster_scoped_composite_may_refer_to_other_namespaces():
    machinery = properties(render(definition("Cluster")))["crossplane"]["properties"]
    assert "namespace" in machinery["resourceRefs"]["items"]["properties"]


def test_a_legacy_composite_has_its_machinery_beside_its_own_fields():
    crd = render(definition("LegacyCluster"))
    assert set(properties(crd)) == MACHINERY | {"image", "claimRef", "writeConnectionSecretToRef"}
    assert set(properties(crd, "status")) == {
        "address",
        "conditions",
        "connectionDetails",
        "claimConditionTypes",
    }
    columns = {
        column["name"]: column["jsonPath"]
        for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]
    }
    assert columns["COMPOSITION"] == ".spec.compositionRef.name"


def test_columns_come_after_the_authors_own():
    given = definition()
    own = {"name": "IMAGE", "type": "string", "jsonPath": ".spec.image"}
    given["spec"]["versions"][0]["additionalPrinterColumns"] = [own]
    columns = [each["name"] for each in render(given)["spec"]["versions"][0]["additionalPrinterColumns"]]
    assert columns == ["IMAGE", "SYNCED", "READY", "COMPOSITION", "COMPOSITIONREVISION", "AGE"]


def test_names_are_short_enough_to_be_label_values():
    given = definition()
    schema = given["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    name = ("versions", 0, "schema", "openAPIV3Schema", "properties", "metadata", "properties", "name")

    def limit():
        value = render(given)["spec"]
        for part in name:
            value = value[part]
        return value["maxLength"]

    assert limit() == 63
    schema["properties"]["metadata"] = {"properties": {"name": {"maxLength": 20}}}
    assert limit() == 20
    schema["properties"]["metadata"]["properties"]["name"]["maxLength"] = 100
    assert limit() == 63


def test_rules_conversion_scale_and_deprecation_pass_through():
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    given = definition(conversion={"strategy": "None"}, metadata={"annotations": {"a": "b"}})
    given["spec"]["versions"][0] |= {"subresources": {"scale": scale}, "deprecated": True}
    crd = render(given)
    version = crd["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}, "scale": scale}
    assert version["deprecated"] is True
    assert crd["spec"]["conversion"] == {"strategy": "None"}
    assert crd["metadata"]["annotations"] == {"a": "b"}
    schema = version["schema"]["openAPIV3Schema"]
    assert schema["description"] == "An application."
    assert schema["properties"]["spec"]["x-kubernetes-validations"] == [{"rule": "self.image != ''"}]
    assert schema["properties"]["spec"]["required"] == ["image"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it["metadata"].update(name="x"), "metadata.name: 'x' must be 'apps.example.org'"),
        (
            lambda it: it["spec"]["versions"][0].update(referenceable=False),
            "spec.versions: exactly one must be referenceable, found none",
        ),
        (
            lambda it: it["spec"]["versions"][0].pop("schema"),
            "spec.versions[v1].schema.openAPIV3Schema: Required value",
        ),
    ],
)
def test_what_can_not_work_is_refused_with_its_field(change, message):
    given = definition()
    change(given)
    with pytest.raises(DefinitionError) as caught:
        render(given)
    assert message in str(caught.value)


def test_the_definition_is_not_changed_by_rendering():
    given = definition()
    before = repr(given)
    render(given)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
        "properties"
    ].clear()
    assert repr(given) == before
