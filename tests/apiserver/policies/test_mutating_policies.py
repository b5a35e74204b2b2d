"""MutatingAdmissionPolicies: configurations to apply and JSON patches, as the real server applies them."""

from __future__ import annotations

from typing import Any

import pytest

from roadbed.apimachinery.cel_expressions import RuleError
from roadbed.apimachinery.errors import ApiError, ForbiddenError
from roadbed.apimachinery.gvk import Resource
from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver.policies.literals import as_maps

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")


async def bind(put: Any, name: str, *mutations: Any, **spec: Any) -> None:
    members = {"failurePolicy": "Fail", "reinvocationPolicy": "Never", **spec}
    await put("MutatingAdmissionPolicy", name, mutations=list(mutations), **members)
    await put("MutatingAdmissionPolicyBinding", name, policyName=name)


def applying(expression: str) -> dict[str, Any]:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patching(expression: str) -> dict[str, Any]:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def make(api: Any, name: str = "a", **data: str) -> Any:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    return await api.ask("create", CONFIGMAPS, namespace="default", body=body)


async def test_configurations_and_patches_are_applied_in_order_and_owned_by_nobody(
    api: Any, put: Any
) -> None:
    await bind(
        put,
        "mark",
        applying(
            'Object{metadata: Object.metadata{labels: {"by": request.operation}}, data: {"added": "yes"}}'
        ),
        patching(
            '[JSONPatch{op: "add", path: "/metadata/annotations", value: {"n": string(size(object.data))}}]'
        ),
    )
    made = await make(api, k="v")
    assert made["data"] == {"k": "v", "added": "yes"}
    assert made["metadata"]["labels"] == {"by": "CREATE"}
    assert made["metadata"]["annotations"] == {"n": "2"}
    (entry,) = made["metadata"]["managedFields"]
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:k": {}}}


async def test_a_policy_is_asked_again_after_a_later_one_where_it_wants(api: Any, put: Any) -> None:
    count = applying('Object{metadata: Object.metadata{labels: {"count": string(size(object.data))}}}')
    await bind(put, "a-count", count, reinvocationPolicy="IfNeeded")
    await bind(put, "b-add", applying('Object{data: {"added": "yes"}}'))
    made = await make(api, k="v")
    assert made["metadata"]["labels"] == {"count": "2"}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("Object{spec: Object.spec{nope: 1}}", ".spec.nope: field not declared in schema"),
        (
            "Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'a': 'b'}}}}",
            "may not mutate atomic arrays, maps or structs: .spec.selector",
        ),
    ],
)
async def test_a_configuration_that_does_not_fit_refuses_the_write(
    api: Any, put: Any, expression: str, text: str
) -> None:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
    }
    await bind(put, "bad", applying(expression), matchConstraints={"resourceRules": [rule]})
    container = {"name": "c", "image": "i"}
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}},
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
    with pytest.raises(ForbiddenError) as refused:
        await api.ask("create", DEPLOYMENTS, namespace="default", body=body)
    assert refused.value.message.startswith(
        "policy 'bad' with binding 'bad' denied request: error applying patch: "
    )
    assert text in refused.value.message


async def test_what_is_left_is_validated(api: Any, put: Any) -> None:
    await bind(put, "bad", patching('[JSONPatch{op: "add", path: "/data/k~0e", value: "v"}]'))
    with pytest.raises(ApiError, match="a valid config key must consist of"):
        await make(api, k="v")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Object{spec: Object.spec{replicas: 1}}", "{'spec': {'replicas': 1}}"),
        ("Object{a: x ? y : z, ?b: object.?c}", "{'a': x ? y : z, ?'b': object.?c}"),
        ('Object{a: {"k": v}}', "{'a': {\"k\": v}}"),
        ("Object{a: 'Object{b: c}'}", "{'a': 'Object{b: c}'}"),
        ("Object{app__dash__x: 1, __namespace__: 2}", "{'app-x': 1, 'namespace': 2}"),
        ("[JSONPatch{op: f(a, b), path: '/x'}]", "[{'op': f(a, b), 'path': '/x'}]"),
    ],
)
def test_message_literals_are_read_as_maps(written: str, meant: str) -> None:
    assert as_maps(written) == meant


def test_brackets_that_do_not_fit_are_refused() -> None:
    for text in ("Object{a: (1}", "Object{a: 1", "[1)"):
        with pytest.raises(RuleError):
            as_maps(text)
