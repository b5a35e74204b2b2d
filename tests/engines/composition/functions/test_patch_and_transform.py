"""function-patch-and-transform through its protocol: inputs, patches, readiness, connection details."""

import pytest

from roadbed.engines.composition.functions.inputs import InputError
from roadbed.engines.composition.functions.patch_and_transform import PatchAndTransform, parse_input
from roadbed.engines.composition.functions.protocol import (
    ENVIRONMENT_KEY,
    Ready,
    Resource,
    RunFunctionRequest,
    Severity,
    State,
)

COMPOSITE = {
    "apiVersion": "example.org/v1",
    "kind": "App",
    "metadata": {"name": "orders", "namespace": "shop", "labels": {"team": "a"}},
    "spec": {"crossplane": {}, "size": 3, "image": "nginx", "zones": ["a", "b"], "tags": {"x": "1"}},
}
BASE = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"keep": "me"}}


def template(*patches, name="settings", base=BASE, **members):
    return {"name": name, "base": base, "patches": list(patches), **members}


async def run(*templates, observed=None, desired=None, context=None, composite=COMPOSITE, **members):
    request = RunFunctionRequest(
        observed=State(Resource(composite), observed or {}),
        desired=State(Resource({}), desired or {}),
        input={"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", **members}
        | ({"resources": list(templates)} if templates else {}),
        context=context or {},
    )
    return await PatchAndTransform().run(request)


async def rendered(*patches, **kwargs):
    response = await run(template(*patches), **kwargs)
    assert not response.results, response.results
    return response.desired.resources["settings"].resource


async def test_a_value_is_copied_from_the_composite():
    made = await rendered({"fromFieldPath": "spec.image", "toFieldPath": "data.image"})
    assert made["data"] == {"keep": "me", "image": "nginx"}


async def test_the_target_path_defaults_to_the_source_path():
    made = await rendered({"fromFieldPath": "metadata.labels"})
    assert made["metadata"]["labels"] == {"team": "a"}


async def test_an_absent_optional_source_is_skipped():
    assert (await rendered({"fromFieldPath": "spec.nothing", "toFieldPath": "data.x"}))["data"] == {
        "keep": "me"
    }


async def test_an_absent_required_source_keeps_a_new_resource_from_being_made():
    patch = {
        "fromFieldPath": "status.vpcId",
        "toFieldPath": "data.x",
        "policy": {"fromFieldPath": "Required"},
    }
    response = await run(template(patch))
    assert "settings" not in response.desired.resources
    assert response.desired.composite.ready is Ready.FALSE
    (result,) = response.results
    assert result.severity is Severity.WARNING
    assert '"settings"' in result.message
    assert "status" in result.message


async def test_an_absent_required_source_does_not_take_away_what_exists():
    patch = {
        "fromFieldPath": "status.vpcId",
        "toFieldPath": "data.x",
        "policy": {"fromFieldPath": "Required"},
    }
    live = {**BASE, "metadata": {"name": "live", "namespace": "shop"}}
    response = await run(template(patch), observed={"settings": Resource(live)})
    assert response.desired.resources["settings"].resource["metadata"]["name"] == "live"
    assert "already exists" in response.results[0].message


async def test_values_are_combined_by_a_format():
    combine = {
        "strategy": "string",
        "string": {"fmt": "%s-%v"},
        "variables": [{"fromFieldPath": "spec.image"}, {"fromFieldPath": "spec.size"}],
    }
    made = await rendered({"type": "CombineFromComposite", "combine": combine, "toFieldPath": "data.id"})
    assert made["data"]["id"] == "nginx-3"


@pytest.mark.parametrize(
    ("value", "transform", "printed"),
    [
        (3, {"type": "string", "string": {"type": "Format", "fmt": "%v"}}, "3"),
        (3, {"type": "string", "string": {"type": "Format", "fmt": "%d"}}, "%!d(float64=3)"),
        (1500000, {"type": "string", "string": {"type": "Format", "fmt": "%v"}}, "1.5e+06"),
        (1500000, {"type": "string", "string": {"type": "Format", "fmt": "%.0f"}}, "1500000"),
        (1500000, {"type": "convert", "convert": {"toType": "string"}}, "1500000"),
        ({"a": 1}, {"type": "string", "string": {"type": "Convert", "convert": "ToJson"}}, '{"a":1}'),
        (3, {"type": "math", "math": {"type": "Multiply", "multiply": 2}}, 6),
        (3, {"type": "convert", "convert": {"toType": "bool"}}, False),
    ],
)
async def test_numbers_are_what_the_protocol_makes_of_them(value, transform, printed):
    """Struct knows only doubles, so under Crossplane a %d prints an error; a platform must look the same there."""
    composite = {**COMPOSITE, "spec": {"crossplane": {}, "x": value}}
    patch = {"fromFieldPath": "spec.x", "toFieldPath": "data.x", "transforms": [transform]}
    made = await rendered(patch, composite=composite)
    assert made["data"]["x"] == printed
    assert type(made["data"]["x"]) is type(printed)


async def test_what_can_not_be_merged_stays_or_is_replaced_as_the_policy_says():
    async def merged(policy):
        patch = {"fromFieldPath": "spec.image", "toFieldPath": "data", "policy": {"toFieldPath": policy}}
        return (await rendered(patch))["data"]

    assert await merged("MergeObjects") == {"keep": "me"}
    assert await merged("ForceMergeObjects") == "nginx"


async def test_an_array_is_not_appended_to_something_else():
    policy = {"toFieldPath": "AppendArray"}
    patch = {"fromFieldPath": "spec.zones", "toFieldPath": "data", "policy": policy}
    (result,) = (await run(template(patch))).results
    assert "cannot append two slices with different type" in result.message


async def test_a_patch_goes_to_the_composites_status_once_the_resource_exists():
    patch = {"type": "ToCompositeFieldPath", "fromFieldPath": "data.address", "toFieldPath": "status.address"}
    assert "status" not in (await run(template(patch))).desired.composite.resource
    live = {**BASE, "metadata": {"name": "live"}, "data": {"address": "10.0.0.1"}}
    response = await run(template(patch), observed={"settings": Resource(live)})
    assert response.desired.composite.resource["status"] == {"address": "10.0.0.1"}


async def test_patch_sets_are_put_in_where_they_are_named():
    sets = [{"name": "common", "patches": [{"fromFieldPath": "spec.image", "toFieldPath": "data.image"}]}]
    made = await rendered({"type": "PatchSet", "patchSetName": "common"}, patchSets=sets)
    assert made["data"]["image"] == "nginx"


async def test_a_wildcard_patches_every_element_that_has_the_field():
    base = {**BASE, "items": [{"image": ""}, {"image": "old"}]}
    patch = {"fromFieldPath": "spec.image", "toFieldPath": "items[*].image"}
    response = await run(template(patch, base=base))
    assert [item["image"] for item in response.desired.resources["settings"].resource["items"]] == [
        "nginx"
    ] * 2


async def test_a_wildcard_that_means_nothing_is_fatal_and_named():
    response = await run(template({"fromFieldPath": "spec.image", "toFieldPath": "items[*].image"}))
    assert response.results[0].severity is Severity.FATAL
    assert "cannot expand ToFieldPath items[*].image" in response.results[0].message


@pytest.mark.parametrize(
    ("policy", "result"),
    [
        ("Replace", {"x": "1"}),
        ("MergeObjects", {"x": "0", "keep": "me"}),
        ("ForceMergeObjects", {"x": "1", "keep": "me"}),
    ],
)
async def test_objects_are_merged_as_the_policy_says(policy, result):
    base = {**BASE, "data": {"x": "0", "keep": "me"}}
    patch = {"fromFieldPath": "spec.tags", "toFieldPath": "data", "policy": {"toFieldPath": policy}}
    response = await run(template(patch, base=base))
    assert response.desired.resources["settings"].resource["data"] == result


async def test_arrays_are_appended_without_what_is_there():
    base = {**BASE, "zones": ["b", "c"]}
    policy = {"toFieldPath": "ForceMergeObjectsAppendArrays"}
    patch = {"fromFieldPath": "spec.zones", "toFieldPath": "zones", "policy": policy}
    response = await run(template(patch, base=base))
    assert response.desired.resources["settings"].resource["zones"] == ["b", "c", "a"]


async def test_a_patched_object_is_a_copy_that_later_patches_may_change():
    """The observed composite comes from a cache; writing into it would corrupt what everyone reads."""
    made = await rendered(
        {"fromFieldPath": "spec.tags", "toFieldPath": "data"},
        {"fromFieldPath": "spec.image", "toFieldPath": "data.image"},
    )
    assert made["data"] == {"x": "1", "image": "nginx"}
    assert COMPOSITE["spec"]["tags"] == {"x": "1"}


async def test_the_environment_is_patched_both_ways_and_handed_on():
    environment = {
        "patches": [
            {"type": "FromCompositeFieldPath", "fromFieldPath": "spec.size", "toFieldPath": "size"},
            {"type": "ToCompositeFieldPath", "fromFieldPath": "region", "toFieldPath": "status.region"},
        ]
    }
    patch = {"type": "FromEnvironmentFieldPath", "fromFieldPath": "size", "toFieldPath": "data.size"}
    response = await run(
        template(patch), environment=environment, context={ENVIRONMENT_KEY: {"region": "eu-west-1"}}
    )
    assert response.desired.resources["settings"].resource["data"]["size"] == 3
    assert response.desired.composite.resource["status"] == {"region": "eu-west-1"}
    assert response.context[ENVIRONMENT_KEY]["size"] == 3


async def test_a_template_without_base_works_on_what_an_earlier_step_desired():
    earlier = {"settings": Resource({**BASE, "metadata": {"name": "early"}}, ready=Ready.TRUE)}
    patch = {"fromFieldPath": "spec.image", "toFieldPath": "data.image"}
    response = await run({"name": "settings", "patches": [patch]}, desired=earlier)
    made = response.desired.resources["settings"].resource
    assert made["metadata"]["name"] == "early"
    assert made["data"]["image"] == "nginx"


async def test_a_template_without_base_and_without_an_earlier_step_is_fatal():
    response = await run({"name": "settings"})
    assert "has no base template" in response.results[0].message


@pytest.mark.parametrize(
    ("check", "live", "ready"),
    [
        ({"type": "None"}, {}, True),
        ({"type": "NonEmpty", "fieldPath": "status.id"}, {"status": {"id": "x"}}, True),
        ({"type": "NonEmpty", "fieldPath": "status.id"}, {}, False),
        (
            {"type": "MatchString", "fieldPath": "status.s", "matchString": "up"},
            {"status": {"s": "up"}},
            True,
        ),
        ({"type": "MatchInteger", "fieldPath": "status.n", "matchInteger": 3}, {"status": {"n": 3}}, True),
        ({"type": "MatchInteger", "fieldPath": "status.n", "matchInteger": 3}, {"status": {"n": 4}}, False),
        ({"type": "MatchTrue", "fieldPath": "status.b"}, {"status": {"b": True}}, True),
        ({"type": "MatchFalse", "fieldPath": "status.b"}, {"status": {"b": False}}, True),
        (
            {"type": "MatchCondition", "matchCondition": {"type": "Up", "status": "True"}},
            {"status": {"conditions": [{"type": "Up", "status": "True"}]}},
            True,
        ),
    ],
)
async def test_readiness_is_what_the_check_says(check, live, ready):
    seen = Resource({**BASE, "metadata": {"name": "live"}, **live})
    response = await run(template(readinessChecks=[check]), observed={"settings": seen})
    wanted = Ready.TRUE if ready else Ready.UNSPECIFIED
    assert response.desired.resources["settings"].ready is wanted


async def test_a_check_on_a_value_of_another_type_is_a_warning():
    check = {"type": "MatchString", "fieldPath": "data", "matchString": "up"}
    seen = Resource({**BASE, "metadata": {"name": "live"}})
    response = await run(template(readinessChecks=[check]), observed={"settings": seen})
    assert "cannot run readiness check at index 0: data: not a string" in response.results[0].message


async def test_connection_details_become_a_composed_secret():
    details = [
        {"name": "user", "type": "FromValue", "value": "admin"},
        {"name": "password", "type": "FromConnectionSecretKey", "fromConnectionSecretKey": "pw"},
        {"name": "later", "type": "FromConnectionSecretKey", "fromConnectionSecretKey": "not-yet"},
        {"name": "host", "type": "FromFieldPath", "fromFieldPath": "data.keep"},
    ]
    seen = Resource({**BASE, "metadata": {"name": "live"}}, {"pw": b"hunter2"})
    response = await run(template(connectionDetails=details), observed={"settings": seen})
    secret = response.desired.resources["orders-connection-secret"]
    assert secret.ready is Ready.TRUE
    assert secret.resource["metadata"] == {"name": "orders-connection", "namespace": "shop"}
    assert secret.resource["data"] == {"host": "bWU=", "password": "aHVudGVyMg==", "user": "YWRtaW4="}


async def test_a_legacy_composite_gets_its_details_back_instead_of_a_secret():
    legacy = {**COMPOSITE, "spec": {}}
    details = [{"name": "user", "type": "FromValue", "value": "admin"}]
    seen = Resource({**BASE, "metadata": {"name": "live"}})
    response = await run(template(connectionDetails=details), observed={"settings": seen}, composite=legacy)
    assert list(response.desired.resources) == ["settings"]
    assert response.desired.composite.connection_details == {"user": b"admin"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "resources: Required value: resources or environment patches are required"),
        ({"resources": "x"}, 'resources: Invalid value: "x": must be an array'),
        ({"resources": [{"base": {}}]}, "resources[0].name: Required value: name is required"),
        (
            {"resources": [template({"toFieldPath": "a"})]},
            (
                "resources[0].patches[0].fromFieldPath: Required value: fromFieldPath must be set for patch type "
                "FromCompositeFieldPath"
            ),
        ),
        (
            {"resources": [template({"type": "Nope"})]},
            'resources[0].patches[0].type: Invalid value: "Nope": unknown patch type',
        ),
        (
            {"resources": [template({"fromFieldPath": "a..b"})]},
            'resources[0].patches[0]: Invalid value: "a..b": cannot parse path: unexpected',
        ),
        (
            {"resources": [template({"type": "PatchSet", "patchSetName": "x"})]},
            "cannot find PatchSet by name x",
        ),
        (
            {
                "resources": [
                    template(
                        {"fromFieldPath": "a", "transforms": [{"type": "math", "math": {"type": "Multiply"}}]}
                    )
                ]
            },
            "resources[0].patches[0].transforms[0].math.multiply: Required value",
        ),
        (
            {
                "resources": [
                    template(
                        {
                            "fromFieldPath": "a",
                            "transforms": [
                                {"type": "string", "string": {"type": "Regexp", "regexp": {"match": "("}}}
                            ],
                        }
                    )
                ]
            },
            'resources[0].patches[0].transforms[0].string.regexp.match: Invalid value: "(": invalid regexp',
        ),
        (
            {"resources": [template(readinessChecks=[{"type": "MatchString", "fieldPath": "a"}])]},
            "resources[0].readinessChecks[0].matchString: Required value",
        ),
        (
            {"environment": {"patches": [{"type": "CombineToEnvironment"}]}},
            "environment.patches[0].type: Invalid value",
        ),
    ],
)
def test_a_wrong_input_is_refused_with_its_field(value, message):
    with pytest.raises(InputError) as caught:
        parse_input(value)
    assert message in str(caught.value)


async def test_a_wrong_input_is_a_fatal_result():
    (result,) = (await run()).results
    assert result.severity is Severity.FATAL
    assert result.message.startswith("invalid Function input: resources: Required value")
