"""Writes that webhooks on a loopback TLS server look at: what they are asked, and what their answers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from roadbed.apimachinery.errors import ApiError, BadRequestError, ForbiddenError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import APPLY_PATCH
from roadbed.apis.core import CONFIGMAPS, NAMESPACES

GROUP = "admissionregistration.k8s.io"
VALIDATING = Resource(GROUP, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration")


def config_map(name: str = "a", **members: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **members}


async def make(api: Any, name: str = "a", **members: Any) -> Any:
    return await api.ask("create", CONFIGMAPS, namespace="default", body=config_map(name, **members))


async def test_a_validating_webhook_sees_the_complete_write(
    api: Any, webhook: Any, configure: Callable[..., Any], verdict: Any
) -> None:
    webhook.answer = lambda _path, question: verdict(question)
    await configure("Validating", "/see")
    made = await make(api, data={"k": "v"})
    (path, review), *rest = webhook.asked
    assert path == "/see?timeout=10s"
    assert rest == []
    asked = review["request"]
    assert (asked["operation"], asked["name"], asked["namespace"]) == ("CREATE", "a", "default")
    assert asked["object"]["metadata"]["uid"] == made["metadata"]["uid"]
    assert asked["object"]["data"] == {"k": "v"}
    assert asked["oldObject"] is None
    assert asked["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert asked["userInfo"]["username"] == "tester"
    assert asked["options"]["kind"] == "CreateOptions"
    await api.ask("delete", CONFIGMAPS, "a", "default")
    asked = webhook.asked[-1][1]["request"]
    assert (asked["operation"], asked["object"]) == ("DELETE", None)
    assert asked["oldObject"]["data"] == {"k": "v"}


async def test_a_mutating_webhook_changes_what_is_stored_before_it_has_a_uid(
    api: Any, webhook: Any, configure: Callable[..., Any], verdict: Any
) -> None:
    patch = [{"op": "add", "path": "/metadata/labels", "value": {"hook": "yes"}}]
    webhook.answer = lambda _path, question: verdict(question, patch=patch)
    await configure("Mutating", "/label")
    made = await make(api, data={"k": "v"})
    assert made["metadata"]["labels"] == {"hook": "yes"}
    assert "uid" not in webhook.asked[0][1]["request"]["object"]["metadata"]
    owned = made["metadata"]["managedFields"][0]["fieldsV1"]
    assert "f:metadata" not in owned  # as Kubernetes: what a webhook sets, nobody owns
    stored = await api.ask("get", CONFIGMAPS, "a", "default")
    assert stored["metadata"]["labels"] == {"hook": "yes"}


@pytest.mark.parametrize(
    ("status", "code", "reason", "message"),
    [
        (
            {"message": "no way", "code": 418, "reason": "Teapot"},
            418,
            "Teapot",
            " denied the request: no way",
        ),
        ({"reason": "Forbidden"}, 400, "Forbidden", " denied the request: Forbidden"),
        ({"code": 200}, 400, "", " denied the request without explanation"),
    ],
)
async def test_a_denial_has_the_status_that_the_webhook_gives(
    api: Any, webhook: Any, configure: Any, verdict: Any, status: Any, code: int, reason: str, message: str
) -> None:
    webhook.answer = lambda _path, question: verdict(question, denied=status, warnings=["careful"])
    await configure("Validating", "/deny")
    with pytest.raises(ApiError) as refused:
        await make(api)
    assert refused.value.message == f'admission webhook "deny.example.org"{message}'
    assert (refused.value.code, refused.value.to_status().get("reason", "")) == (code, reason)
    assert refused.value.warnings == ("careful",)
    with pytest.raises(ApiError, match="not found"):
        await api.ask("get", CONFIGMAPS, "a", "default")


async def test_a_failed_call_refuses_or_is_passed_over_as_the_policy_says(
    api: Any, webhook: Any, configure: Any
) -> None:
    webhook.answer = lambda _path, _question: b"HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\noops"
    await configure("Validating", "/open", failurePolicy="Ignore")
    await make(api, "a")
    await configure("Mutating", "/closed")
    with pytest.raises(ApiError) as refused:
        await make(api, "b")
    assert refused.value.code == 500
    assert refused.value.message == (
        'Internal error occurred: failed calling webhook "closed.example.org": failed to call webhook: '
        'an error on the server ("oops") has prevented the request from succeeding'
    )


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"response": {"uid": "x", "allowed": True}}, 'expected response.uid="'),
        ({}, "webhook response was absent"),
        ({"response": {"patch": "W10="}}, "may not return response.patch"),
        ({"kind": "Other"}, "got admission.k8s.io/v1, Kind=Other"),
        ({"response": {"allowed": "yes"}}, "response.allowed is str, not bool"),
        ({"response": {"warnings": 1}}, "response.warnings is int, not list"),
        ({"response": {"warnings": [{}]}}, "may hold only strings"),
        ({"response": {"auditAnnotations": {"a": 1}}}, "may hold only strings"),
        ({"response": {"allowed": False, "status": "no"}}, "response.status is str, not dict"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_failed_call(
    api: Any, webhook: Any, configure: Any, verdict: Any, answer: Any, text: str
) -> None:
    def respond(_path: str, question: Any) -> Any:
        good = verdict(question)
        if "response" in answer:
            return {**good, "response": {**good["response"], **answer["response"]}}
        return {**good, **answer} if answer else {"kind": "AdmissionReview"}

    webhook.answer = respond
    await configure("Validating", "/odd")
    with pytest.raises(ApiError, match="received invalid webhook response") as refused:
        await make(api)
    assert text in refused.value.message


@pytest.mark.parametrize("code", [99_999, 0, -1, 200])
async def test_a_denial_with_a_code_that_is_none_is_a_bad_request(
    api: Any, webhook: Any, configure: Any, verdict: Any, code: int
) -> None:
    details = {"causes": ["x", {"message": "m"}], "retryAfterSeconds": "soon"}
    webhook.answer = lambda _path, question: verdict(question, denied={"code": code, "details": details})
    await configure("Validating", "/odd")
    with pytest.raises(ApiError, match="denied the request") as refused:
        await make(api)
    assert (refused.value.code, [each.message for each in refused.value.causes]) == (400, ["m"])


async def test_selectors_rules_and_conditions_decide_who_is_asked(
    api: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    webhook.answer = lambda _path, question: verdict(question)
    await configure("Validating", "/object", objectSelector={"matchLabels": {"seen": "yes"}})
    await configure("Validating", "/namespace", namespaceSelector={"matchLabels": {"team": "shop"}})
    conditions = [
        {"name": "data", "expression": "has(object.data) && object.data.?k == optional.of('v')"},
        {"name": "who", "expression": "request.userInfo.username == 'tester'"},
    ]
    await configure("Validating", "/condition", matchConditions=conditions)
    rule = {"operations": ["UPDATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    await configure("Validating", "/update", rules=[{**rule, "scope": "Namespaced"}])
    space = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"team": "shop"}},
    }
    await api.ask("create", NAMESPACES, body=space)

    async def asked(body: dict[str, Any], namespace: str = "default", verb: str = "create") -> set[str]:
        webhook.asked.clear()
        name = body["metadata"]["name"] if verb == "update" else ""
        await api.ask(verb, CONFIGMAPS, name, namespace=namespace, body=body)
        return {path.split("?")[0] for path, _ in webhook.asked}

    assert await asked(config_map("a")) == set()
    assert await asked(config_map("b", data={"k": "v"})) == {"/condition"}
    assert await asked(config_map("a"), "shop") == {"/namespace"}
    labelled = config_map("c")
    labelled["metadata"]["labels"] = {"seen": "yes"}
    assert await asked(labelled) == {"/object"}
    assert await asked(config_map("c", data={"x": "y"}), verb="update") == {"/object", "/update"}


async def test_a_condition_that_fails_refuses_unless_another_says_no(
    api: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    webhook.answer = lambda _path, question: verdict(question)
    broken = {"name": "broken", "expression": "object.data.missing == 'x'"}
    no = {"name": "no", "expression": "request.operation == 'DELETE'"}
    await configure("Validating", "/broken", matchConditions=[broken, no])
    await make(api, "a", data={"k": "v"})
    await configure("Validating", "/closed", matchConditions=[broken])
    with pytest.raises(ForbiddenError, match=r'configmaps "b" is forbidden: .*no such key: missing'):
        await make(api, "b", data={"k": "v"})
    assert webhook.asked == []


async def test_dry_runs_reach_only_webhooks_without_side_effects(
    api: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    webhook.answer = lambda _path, question: verdict(question)
    await configure("Validating", "/pure")
    options = {"dryRun": "All"}
    body = config_map()
    await api.ask("create", CONFIGMAPS, namespace="default", body=body, options=options)
    assert webhook.asked[0][1]["request"]["dryRun"] is True
    with pytest.raises(ApiError, match='sideEffects: Unsupported value: "Some"'):
        await configure("Validating", "/impure", sideEffects="Some")


async def test_a_webhook_is_asked_again_when_a_later_one_changed_the_object(
    api: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    def respond(path: str, question: Any) -> Any:
        labels = question["request"]["object"]["metadata"].get("labels") or {}
        mark = path.partition("?")[0].strip("/")
        if mark in labels:
            return verdict(question)
        return verdict(
            question, patch=[{"op": "add", "path": "/metadata/labels", "value": {**labels, mark: "1"}}]
        )

    webhook.answer = respond
    await configure("Mutating", "/first", "a-first", reinvocationPolicy="IfNeeded")
    await configure("Mutating", "/second", "b-second")
    made = await make(api)
    assert made["metadata"]["labels"] == {"first": "1", "second": "1"}
    assert [path.split("?")[0] for path, _ in webhook.asked] == ["/first", "/second", "/first"]


async def test_what_a_webhook_makes_of_an_object_is_validated(
    api: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    patch = [{"op": "add", "path": "/metadata/labels", "value": {"bad label": "x"}}]
    webhook.answer = lambda _path, question: verdict(question, patch=patch)
    await configure("Mutating", "/bad")
    with pytest.raises(ApiError, match=r"metadata\.labels: Invalid value"):
        await make(api)


async def test_configurations_are_never_intercepted_and_changes_count_at_once(
    api: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    webhook.answer = lambda _path, question: verdict(question, denied={"message": "no"})
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    await configure("Validating", "/all", rules=[rule])
    with pytest.raises(BadRequestError, match="denied"):
        await make(api)
    await api.ask("delete", VALIDATING, "all")
    await make(api)


async def test_validating_webhooks_are_asked_at_the_same_time(
    api: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    arrived = asyncio.Barrier(3)

    async def respond(_path: str, question: Any) -> Any:
        await arrived.wait()
        return verdict(question)

    webhook.answer = respond
    for name in ("one", "two", "three"):
        await configure("Validating", f"/{name}")
    async with asyncio.timeout(2):
        await make(api)


async def test_another_version_of_the_same_objects_is_seen_as_the_rule_names_it(
    api: Any, webhook: Any, configure: Any, verdict: Any, make_crd: Any, widgets_in: Any
) -> None:
    crd = make_crd()
    first = crd["spec"]["versions"][0]
    crd["spec"]["versions"] = [first, {**first, "name": "v2", "storage": False}]
    definitions = Resource(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
    )
    await api.ask("create", definitions, body=crd)
    webhook.answer = lambda _path, question: verdict(question)
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["example.org"],
        "apiVersions": ["v1"],
        "resources": ["widgets"],
    }
    await configure("Validating", "/equivalent", rules=[rule])
    await configure("Validating", "/exact", rules=[rule], matchPolicy="Exact")
    body = {"apiVersion": "example.org/v2", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"n": 1}}
    await api.ask("create", widgets_in("v2"), namespace="default", body=body)
    ((path, review),) = webhook.asked
    assert path.startswith("/equivalent")
    asked = review["request"]
    assert asked["object"]["apiVersion"] == "example.org/v1"
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v1", "v2")


DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")


async def test_a_webhook_sees_and_changes_the_scale_on_the_scale_subresource(
    api: Any, webhook: Any, configure: Callable[..., Any], verdict: Any
) -> None:
    """It was shown the whole object, whose fields are not those of a Scale."""
    labels = {"matchLabels": {"a": "b"}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": labels, "template": template}}
    await api.ask("create", DEPLOYMENTS, namespace="default", body=body)
    patch = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    webhook.answer = lambda _path, question: verdict(question, patch=patch)
    rules = [
        {"operations": ["UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["*/scale"]}
    ]
    await configure("Mutating", "/scale", rules=rules)
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web"},
        "spec": {"replicas": 9},
    }
    told = await api.ask("update", DEPLOYMENTS, "web", "default", body=scale, subresource="scale")
    assert told["spec"]["replicas"] == 4
    asked = webhook.asked[0][1]["request"]
    assert asked["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert asked["requestKind"] == asked["kind"]
    assert (asked["resource"]["resource"], asked["subResource"]) == ("deployments", "scale")
    assert (asked["object"]["spec"], asked["oldObject"]["spec"]) == ({"replicas": 9}, {"replicas": 2})
    assert asked["object"]["status"] == {"replicas": 0, "selector": "a=b"}
    kept = await api.ask("get", DEPLOYMENTS, "web", "default")
    assert kept["spec"]["replicas"] == 4
    assert kept["spec"]["template"]["spec"]["containers"][0]["image"] == "i"


@pytest.mark.parametrize("verb", ["delete", "update", "apply"])
async def test_a_webhook_may_write_to_the_object_that_it_is_asked_about(
    api: Any, webhook: Any, configure: Callable[..., Any], verdict: Any, verb: str
) -> None:
    """Crossplane's notes a refused deletion on the object, and waited for the write that waited for it."""
    await make(api, data={"k": "v"})
    noted = {"metadata": {"annotations": {"asked": "yes"}}}

    async def answer(_path: str, question: Any) -> Any:
        if len(webhook.asked) == 1:
            await api.patch(CONFIGMAPS, "a", noted, "default")
        return verdict(question)

    webhook.answer = answer
    await configure("Validating", "/note")
    if verb == "delete":
        await api.ask("delete", CONFIGMAPS, "a", "default")
        with pytest.raises(NotFoundError):
            await api.get(CONFIGMAPS, "a", "default")
    elif verb == "update":
        changed = config_map(data={"k": "w"})
        changed["metadata"]["namespace"] = "default"
        assert (await api.update(CONFIGMAPS, changed))["data"] == {"k": "w"}
    else:
        body = config_map(data={"l": "w"})
        applied = await api.patch(
            CONFIGMAPS, "a", body, "default", patch_type=APPLY_PATCH, fieldManager="me", force="true"
        )
        assert applied["data"] == {"k": "v", "l": "w"}
        assert applied["metadata"]["annotations"] == {"asked": "yes"}
    assert [asked["request"]["operation"] for _, asked in webhook.asked][1:] != []
