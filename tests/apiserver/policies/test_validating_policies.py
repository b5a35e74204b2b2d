"""ValidatingAdmissionPolicies: texts and codes as the real server gives them."""

from __future__ import annotations

from typing import Any

import pytest

from roadbed.apimachinery.errors import ApiError, ForbiddenError, InvalidError
from roadbed.apis.core import CONFIGMAPS, NAMESPACES

DENIED = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def make(api: Any, name: str = "a", **data: str) -> Any:
    return await api.ask("create", CONFIGMAPS, namespace="default", body=config_map(name, **data))


async def test_an_expression_that_does_not_hold_refuses_with_its_message(api: Any, bind: Any) -> None:
    rule = {"expression": "size(object.data) <= 1", "message": "too many keys"}
    await bind(validations=[rule])
    await make(api, k="v")
    with pytest.raises(InvalidError) as refused:
        await make(api, "b", k="v", l="w")
    assert refused.value.message == f'configmaps "b" is forbidden: {DENIED}too many keys'
    status = refused.value.to_status()
    assert status["details"] == {
        "name": "b",
        "kind": "configmaps",
        "causes": [{"message": f"{DENIED}too many keys"}],
    }
    assert (status["reason"], status["code"]) == ("Invalid", 422)


async def test_reason_and_message_expression_decide_what_the_refusal_says(api: Any, bind: Any) -> None:
    variables = [{"name": "count", "expression": "size(object.data)"}]
    text = "'found ' + string(variables.count)"
    rule = {"expression": "variables.count < 2", "messageExpression": text, "reason": "Forbidden"}
    await bind(variables=variables, validations=[rule])
    with pytest.raises(ForbiddenError, match=r"found 2$"):
        await make(api, k="v", l="w")


async def test_an_expression_that_fails_refuses_unless_failures_are_ignored(
    api: Any, put: Any, bind: Any
) -> None:
    rule = {"expression": "object.data.missing == 'x'"}
    await put("ValidatingAdmissionPolicy", "open", failurePolicy="Ignore", validations=[rule])
    await put("ValidatingAdmissionPolicyBinding", "open", policyName="open", validationActions=["Deny"])
    await make(api, "a", k="v")
    await bind(validations=[rule])
    text = "expression 'object.data.missing == 'x'' resulted in error: no such key: missing"
    with pytest.raises(InvalidError) as refused:
        await make(api, "b", k="v")
    assert refused.value.message.endswith(DENIED + text)


async def test_variables_have_the_types_of_their_expressions(api: Any, bind: Any, put: Any) -> None:
    """A suite of Kubernetes validates by a variable alone."""
    variables = [
        {"name": "count", "expression": "size(object.data)"},
        {"name": "isOdd", "expression": "variables.count % 2 == 1"},
        {"name": "data", "expression": "object.data"},
    ]
    await bind(variables=variables, validations=[{"expression": "variables.isOdd"}])
    await make(api, k="v")
    with pytest.raises(InvalidError, match=r"failed expression: variables\.isOdd"):
        await make(api, "b", k="v", l="w")
    for wrong, why in (
        ("variables.count", "must evaluate to bool but got int"),
        ("variables.data", "must evaluate to bool but got dyn"),
        ("variables.count == 'a'", "found no matching overload for '_==_' applied to '\\(int, string\\)'"),
    ):
        with pytest.raises(InvalidError, match=why):
            await put(
                "ValidatingAdmissionPolicy",
                "wrong",
                variables=variables,
                validations=[{"expression": wrong}],
            )


async def test_a_variable_that_fails_is_told_where_it_is_read(api: Any, bind: Any) -> None:
    variables = [{"name": "bad", "expression": "object.data.missing"}]
    rules = [{"expression": "object.metadata.name == 'a' || variables.bad == 'x'"}]
    await bind(variables=variables, validations=rules)
    await make(api, "a", k="v")  # never read
    with pytest.raises(
        InvalidError, match='composited variable "bad" fails to evaluate: no such key: missing'
    ):
        await make(api, "b", k="v")


async def test_warn_and_audit_let_the_write_through(api: Any, bind: Any) -> None:
    await bind(("Warn", "Audit"), validations=[{"expression": "false", "message": "no"}])
    answer = await api.answer("create", CONFIGMAPS, namespace="default", body=config_map())
    assert answer.warnings == ("Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no",)


async def test_parameters_come_from_the_object_that_the_binding_names(api: Any, bind: Any) -> None:
    reference = {"name": "most", "namespace": "default", "parameterNotFoundAction": "Deny"}
    rule = {"expression": "object.metadata.name == 'most' || size(object.data) <= int(params.data.n)"}
    conditions = [{"name": "others", "expression": "object.metadata.name != 'most'"}]
    await bind(
        binding={
            "paramRef": reference,
            "matchResources": {"objectSelector": {"matchLabels": {"checked": "yes"}}},
        },
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        matchConditions=conditions,
        validations=[rule],
    )
    checked = config_map("b", k="v", l="w")
    checked["metadata"]["labels"] = {"checked": "yes"}
    with pytest.raises(InvalidError, match="failed to configure binding: no params found for policy binding"):
        await api.ask("create", CONFIGMAPS, namespace="default", body=checked)
    await make(api, "most", n="1")
    with pytest.raises(InvalidError, match="failed expression: "):
        await api.ask("create", CONFIGMAPS, namespace="default", body=checked)
    body = config_map("most", n="2")
    await api.ask("update", CONFIGMAPS, "most", "default", body=body)
    await api.ask("create", CONFIGMAPS, namespace="default", body=checked)


async def test_expressions_see_namespace_old_object_and_what_the_writer_may(
    api: Any, as_user: Any, bind: Any
) -> None:
    rules = [
        {"expression": "namespaceObject.metadata.labels['team'] == 'shop'", "message": "namespace"},
        {"expression": "oldObject == null || oldObject.data.k == object.data.k", "message": "changed"},
        {
            "expression": "authorizer.group('').resource('secrets').check('get').allowed()",
            "message": "rights",
        },
        {"expression": "request.operation != 'UPDATE' || request.name == 'a'", "message": "name"},
    ]
    await bind(validations=rules)
    with pytest.raises(InvalidError, match="no such key: "):
        await make(api, k="v")
    space = await api.ask("get", NAMESPACES, "default")
    space["metadata"]["labels"]["team"] = "shop"
    await api.ask("update", NAMESPACES, "default", body=space)
    await make(api, k="v")
    with pytest.raises(InvalidError, match=r"changed$"):
        await api.ask("update", CONFIGMAPS, "a", "default", body=config_map(k="w"))
    patch = {"metadata": {"labels": {"x": "y"}}}
    options = {"patch_type": "application/merge-patch+json"}
    await as_user("someone").ask("patch", CONFIGMAPS, "a", "default", body=patch, **options)


async def test_a_policy_without_binding_does_nothing_and_one_that_goes_stops_at_once(
    api: Any, put: Any
) -> None:
    await put("ValidatingAdmissionPolicy", "p", validations=[{"expression": "false"}])
    await make(api, "a")
    binding = await put("ValidatingAdmissionPolicyBinding", "b", policyName="p", validationActions=["Deny"])
    with pytest.raises(InvalidError):
        await make(api, "b")
    from roadbed.apimachinery.gvk import Resource

    bindings = Resource("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "")
    await api.ask("delete", bindings, binding["metadata"]["name"])
    await make(api, "b")


@pytest.mark.parametrize(
    ("validation", "text"),
    [
        ({"expression": "variables.zz == 1"}, "undefined field 'zz'"),
        ({"expression": "'a'"}, "must evaluate to bool but got string"),
        ({"expression": "nope == 1"}, "undeclared reference to 'nope'"),
        ({"expression": "true", "messageExpression": "1"}, "must evaluate to string but got int"),
        ({"expression": "params.x == 1"}, "undeclared reference to 'params"),
    ],
)
async def test_an_expression_that_makes_no_sense_is_refused_when_it_is_written(
    put: Any, validation: Any, text: str
) -> None:
    with pytest.raises(ApiError) as refused:
        await put("ValidatingAdmissionPolicy", "p", validations=[validation])
    assert text in refused.value.message


@pytest.mark.timeout(20)
async def test_an_expression_that_runs_too_long_is_stopped(api: Any, bind: Any) -> None:
    ten = "[0,1,2,3,4,5,6,7,8,9]"
    long = f"size(object.data) == 0 || {ten}.all(a, {ten}.all(b, {ten}.all(c, {ten}.all(d, {ten}.all(e, {ten}.all(f, a+b+c+d+e+f+size(object.data) < 99))))))"
    await bind(validations=[{"expression": long}])
    with pytest.raises(InvalidError, match="actual cost limit exceeded"):
        await make(api, k="v")


async def test_a_variable_may_be_an_optional_value(api: Any, bind: Any) -> None:
    """It cannot leave the expressions' runtime: another expression reads it all the same."""
    variables = [
        {"name": "team", "expression": "object.metadata.?labels.?team"},
        {"name": "loud", "expression": "variables.team.optMap(team, team.upperAscii())"},
    ]
    message = "'variables.team of ' + object.metadata.name + ' is ' + variables.loud.orValue('none')"
    rule = {"expression": "variables.team.orValue('') == 'blue'", "messageExpression": message}
    await bind(variables=variables, validations=[rule])
    for labels, shown in (({}, "none"), ({"team": "red"}, "RED")):
        body = {**config_map(), "metadata": {"name": "a", "labels": labels}}
        with pytest.raises(InvalidError, match=f"variables.team of a is {shown}$"):
            await api.ask("create", CONFIGMAPS, namespace="default", body=body)
    body["metadata"]["labels"] = {"team": "blue"}
    await api.ask("create", CONFIGMAPS, namespace="default", body=body)


@pytest.mark.parametrize("made", ["dyn(optional.of(1))", "[optional.of(1)]", "{'a': optional.of(1)}"])
async def test_a_variable_that_hides_optional_values_fails_with_a_reason(
    api: Any, bind: Any, made: str
) -> None:
    variables = [{"name": "hidden", "expression": made}]
    await bind(variables=variables, validations=[{"expression": "variables.hidden == 1"}])
    with pytest.raises(InvalidError, match=r"hidden.* type conversion error from 'optional_type'"):
        await make(api)
