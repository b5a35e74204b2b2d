"""Collections that are deleted, as webhooks see them and as the one answer and the one audit event tell of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from roadbed.apimachinery.errors import ApiError, ForbiddenError
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS
from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import answering, audit


async def filled(api: Any) -> None:
    for name in ("a", "b", "c"):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        await api.ask("create", CONFIGMAPS, namespace="default", body=body)


def asked_of(webhook: Any) -> list[tuple[str, str | None, str, bool]]:
    """Give path, name, the object's name and whether it was dry, of each question."""
    return [
        (path.partition("?")[0], asked.get("name"), asked["oldObject"]["metadata"]["name"], asked["dryRun"])
        for path, review in webhook.asked
        if (asked := review["request"])["operation"] == "DELETE"
    ]


@pytest.fixture
async def hooks(webhook: Any, configure: Callable[..., Any], verdict: Any) -> Any:
    """Two webhooks that warn and annotate; the validating one denies the deletion of what is named in the set."""
    denied: set[str] = set()

    def answer(path: str, question: Any) -> Any:
        name = (question["request"]["oldObject"] or {}).get("metadata", {}).get("name", "")
        told = {"warnings": ["again", f"{path[1:4]} {name}"], "auditAnnotations": {"seen": name}}
        no = {"message": "no", "code": 403, "reason": "Forbidden"}
        return verdict(question, denied=no if path.startswith("/val") and name in denied else None, **told)

    webhook.answer = answer
    rules = [
        {"operations": ["DELETE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    ]
    await configure("Validating", "/val", rules=rules)
    await configure("Mutating", "/mut", rules=rules)
    return denied


async def test_both_kinds_of_webhooks_see_each_object_of_a_collection_but_no_name(
    api: Any, webhook: Any, hooks: Any
) -> None:
    await filled(api)
    dry = await api.answer("deletecollection", CONFIGMAPS, namespace="default", options={"dryRun": "All"})
    expected = [(path, None, name, True) for name in ("a", "b", "c") for path in ("/mut", "/val")]
    assert asked_of(webhook) == expected
    warnings = ["again", *(f"{kind} {name}" for name in ("a", "b", "c") for kind in ("mut", "val"))]
    assert list(dict.fromkeys(dry.warnings)) == warnings
    assert [value.decode() for _, value in answering.warned(dry.warnings)] == [
        f'299 - "{each}"' for each in warnings
    ]
    webhook.asked.clear()
    hooks.add("b")
    with pytest.raises(ForbiddenError, match="denied the request: no") as refused:
        await api.ask("deletecollection", CONFIGMAPS, namespace="default")
    assert [name for *_, name, _ in asked_of(webhook)] == ["a", "a", "b", "b"]
    assert "details" not in refused.value.to_status()
    assert set(refused.value.warnings) == {"again", "mut a", "val a", "mut b", "val b"}
    assert await api.names(CONFIGMAPS, "default") == ["b", "c"]


async def test_the_first_annotation_of_a_collection_stays(
    api: Any, hooks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[tuple[str, str]] = []
    monkeypatch.setattr(audit, "annotate", lambda name, value: noted.append((name, value)))
    await filled(api)
    await api.ask("deletecollection", CONFIGMAPS, namespace="default")
    assert next(value for name, value in noted if name == "val.example.org/seen") == "a"
    assert any(name == "mutation.webhook.admission.k8s.io/round_0_index_0" for name, _ in noted)


async def test_deleting_a_definition_asks_nobody_about_its_objects(
    api: Any, make_crd: Any, widgets: Any, webhook: Any, configure: Any, verdict: Any
) -> None:
    """As Kubernetes: a webhook could keep a definition for ever otherwise."""
    webhook.answer = lambda _path, question: verdict(question, denied={"message": "no"})
    await api.ask("create", CRDS, body=make_crd())
    await api.create(widgets, {"metadata": {"name": "w", "namespace": "default"}})
    rule = {"operations": ["DELETE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["widgets"]}
    await configure("Validating", "/keep", rules=[rule])
    with pytest.raises(ApiError, match="denied the request: no"):
        await api.ask("deletecollection", widgets, namespace="default")
    async with aclosing(api.watch(widgets, "default", resourceVersion="0")) as events:
        await api.delete(CRDS, "widgets.example.org")
        assert "DELETED" in [event.type async for event in events]


def test_long_warnings_are_cut_together_and_none_ends_its_header() -> None:
    many = [f"{index} {'x' * 500}" for index in range(30)]
    shown = [value.decode() for _, value in answering.warned(["a\r\nset-cookie: x", "", *many, many[0]])]
    assert [len(each) for each in shown] == [256 + len('299 - ""')] * 16
    assert [value for _, value in answering.warned(["é", "é"])] == ['299 - "é"'.encode()]
