"""Type checking: warnings about fields that the kinds of a policy do not have, in its status."""

from __future__ import annotations

import asyncio
from typing import Any

from roadbed.apimachinery.gvk import Resource

POLICIES = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"
)


async def checked(api: Any, name: str) -> Any:
    for _ in range(500):
        found = (await api.ask("get", POLICIES, name)).get("status") or {}
        if "typeChecking" in found:
            return found
        await asyncio.sleep(0)
    raise AssertionError(found)


def rule(*resources: str, group: str = "apps") -> dict[str, Any]:
    rules = {
        "operations": ["CREATE"],
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "resources": list(resources),
    }
    return {"resourceRules": [rules]}


async def test_a_field_that_the_kind_lacks_is_told(api: Any, put: Any) -> None:
    validation = {"expression": "object.replicas > 1", "messageExpression": "'x' + object.metadata.name"}
    await put(
        "ValidatingAdmissionPolicy", "p", matchConstraints=rule("deployments"), validations=[validation]
    )
    status = await checked(api, "p")
    (warning,) = status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression"
    assert warning["warning"].startswith("apps/v1, Kind=Deployment: ")
    assert "undefined field 'replicas'" in warning["warning"]
    assert status["observedGeneration"] == 1


async def test_expressions_that_fit_get_no_warning(api: Any, put: Any) -> None:
    expressions = [
        "object.spec.replicas > 1",
        "has(object.metadata.labels) && 'a' in object.metadata.labels",
        "object.spec.template.spec.containers.all(c, c.image.startsWith('x'))",
        "request.userInfo.username == 'x' && variables.n > 1",
        "authorizer.group('').resource('pods').check('get').allowed()",
    ]
    await put(
        "ValidatingAdmissionPolicy",
        "p",
        matchConstraints=rule("deployments"),
        variables=[{"name": "n", "expression": "size(object.metadata.name)"}],
        validations=[{"expression": each} for each in expressions],
    )
    assert (await checked(api, "p"))["typeChecking"] == {}


async def test_custom_resources_are_checked_by_their_schema(api: Any, put: Any, make_crd: Any) -> None:
    spec = {"type": "object", "properties": {"size": {"type": "integer"}}}
    crd = make_crd(schema={"type": "object", "properties": {"spec": spec}})
    definitions = Resource(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
    )
    await api.ask("create", definitions, body=crd)
    validations = [{"expression": "object.spec.size > 1"}, {"expression": "object.spec.size == 'a'"}]
    constraints = rule("widgets", group="example.org")
    await put("ValidatingAdmissionPolicy", "p", matchConstraints=constraints, validations=validations)
    (warning,) = (await checked(api, "p"))["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[1].expression"
    assert "found no matching overload for '_==_'" in warning["warning"]
