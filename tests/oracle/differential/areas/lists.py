"""Lists, watches, gets and deletes with parameters in all combinations, sound and odd.

A few config maps are made, then asked for: selectors, pages, revisions, forms of the answer, strictness, dry runs,
preconditions. Watches end by ``timeoutSeconds``, so few are made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

from tests.contract.corpus import MEDIA_TYPES, Step

from .making import Area, step

_CM = "/api/v1/namespaces/$ns/configmaps"
_LABELS = (
    "a=b", "a==b", "a!=b", "a", "!a", "a in (b,c)", "a notin (b)", "a=b,c", "a=", "", "a in ()", "a in (b", "=b", "a b",
    "a>1", "n>1", "n<3", "x/y=z", "x/y/z", "A_=b", "a=é", "a in (b),", ",a", "a=b=c", "a!b", "a===b", "(a)", "-a",
)  # fmt: skip
_FIELDS = (
    "metadata.name=a", "metadata.name!=a", "metadata.namespace=$ns", "metadata.name=a,metadata.name=b", "data.k=v",
    "metadata.name", "metadata.name==b", "metadata.name in (a)", "=", "", "metadata.labels=a", "metadata.name=a\\,b",
    "metadata.name=a\\b", "status.phase=x", "metadata.name>a",
)  # fmt: skip
_FORMS = (
    "table", "partial", "partials", "application/json", "application/yaml", "text/html", "*/*", "",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=Odd;v=v1;g=meta.k8s.io", "application/json;q=0.5, application/yaml",
)  # fmt: skip
_REVISIONS = ("", "0", "${rv}", "999999999999", "abc", "-1", "00", "1.0")
_MATCHES = ("", "Exact", "NotOlderThan", "Odd")


def _selection(rng: Random) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if rng.random() < 0.4:
        asked["labelSelector"] = rng.choice(_LABELS)
    if rng.random() < 0.3:
        asked["fieldSelector"] = rng.choice(_FIELDS)
    return asked


def _list(rng: Random) -> Step:
    asked = _selection(rng)
    if rng.random() < 0.4:
        asked["limit"] = rng.choice((0, 1, 2, 500, -1, "x"))
    if rng.random() < 0.5:
        asked["resourceVersion"] = rng.choice(_REVISIONS)
    if rng.random() < 0.3:
        asked["resourceVersionMatch"] = rng.choice(_MATCHES)
    if rng.random() < 0.2:
        asked["continue"] = rng.choice(("${next}", "abc", "e30", "${next}x"))
    if rng.random() < 0.1:
        asked["pretty"] = rng.choice(("true", "false", "x"))
    if rng.random() < 0.1:
        asked["timeoutSeconds"] = rng.choice((1, 0, -1, "x"))
    return _formed(rng, step("GET", rng.choice((_CM, _CM, f"{_CM}/a")), **asked))


def _formed(rng: Random, made: Step) -> Step:
    if rng.random() < 0.7:
        return made
    form = rng.choice(_FORMS)
    return replace(made, headers={**made.headers, "accept": MEDIA_TYPES.get(form, form)})


def _watch(rng: Random) -> Step:
    asked = _selection(rng)
    asked |= {"watch": rng.choice(("1", "true", "True")), "timeoutSeconds": 1}
    asked["resourceVersion"] = rng.choice(("", "0", "${rv}", "abc", "-1"))
    if rng.random() < 0.4:
        asked["sendInitialEvents"] = rng.choice(("true", "false", "x"))
        asked["resourceVersionMatch"] = rng.choice(_MATCHES)
        asked["allowWatchBookmarks"] = "true"
    elif rng.random() < 0.2:
        asked["resourceVersionMatch"] = rng.choice(_MATCHES)
    if rng.random() < 0.2:
        asked["limit"] = 1
    return replace(_formed(rng, step("GET", _CM, **asked)), watch=30)


def _delete(rng: Random) -> Step:
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    for name, values in (
        ("propagationPolicy", ("Background", "Foreground", "Orphan", "Odd", "")),
        ("gracePeriodSeconds", (0, 1, -1, "x")),
        ("orphanDependents", (True, False, "x")),
        ("dryRun", (["All"], [], ["Odd"], "All")),
        ("preconditions", ({}, {"uid": "x"}, {"resourceVersion": "${rv}"}, {"resourceVersion": ""}, [])),
        ("kind", ("DeleteOptions", "Odd", "")),
    ):
        if rng.random() < 0.25:
            options[name] = rng.choice(values)
    if rng.random() < 0.3:
        query = {
            name: each for name, each in options.items() if isinstance(each, (str, int)) and name[0] in "pgo"
        }
        return step("DELETE", f"{_CM}/{rng.choice('abx')}", **query)
    if rng.random() < 0.3:
        return step("DELETE", _CM, options if rng.random() < 0.5 else None, **_selection(rng))
    return step("DELETE", f"{_CM}/{rng.choice('abx')}", options)


def _write(rng: Random) -> Step:
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": rng.choice("abcd")}}
    for change in rng.sample(("odd", "meta", "generate", "kind", "version", "namespace", "none", "text"), 2):
        match change:
            case "odd":
                body[rng.choice(("odd", "Data", "spec"))] = {"a": 1}
            case "meta":
                body["metadata"][rng.choice(("odd", "clusterName", "Labels"))] = "x"
            case "generate":
                body["metadata"] = {"generateName": rng.choice(("a-", "A", "x" * 60, ""))}
            case "kind" if rng.random() < 0.3:
                body["kind"] = rng.choice(("", "Secret", "configmap"))
            case "version" if rng.random() < 0.3:
                body["apiVersion"] = rng.choice(("", "v2", "apps/v1"))
            case "namespace" if rng.random() < 0.5:
                body["metadata"]["namespace"] = rng.choice(("$ns", "other", ""))
            case "text":
                body["data"] = {rng.choice(("k", "a b", "", "..", "x" * 254)): rng.choice(("v", "", None, 1))}
    asked: dict[str, Any] = {}
    for name, values in (
        ("fieldValidation", ("Strict", "Warn", "Ignore", "Odd")),
        ("dryRun", ("All", "Odd")),
        ("fieldManager", ("me", "é", "x" * 129, "a\tb")),
        ("pretty", ("true", "1")),
    ):
        if rng.random() < 0.3:
            asked[name] = rng.choice(values)
    method = rng.choice(("POST", "POST", "PUT"))
    path = _CM if method == "POST" else f"{_CM}/{rng.choice('abcd')}"
    return _formed(rng, step(method, path, body, **asked))


def _steps(rng: Random) -> Iterable[Step]:
    for name in "abc":
        labels = rng.choice(({}, {"a": "b"}, {"a": "c", "n": "2"}, {"x/y": "z"}))
        metadata: dict[str, Any] = {"name": name, "labels": labels}
        if rng.random() < 0.2:
            metadata["finalizers"] = ["x.dev/a"]
        yield step(
            "POST", _CM, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "v"}}
        )
    saved = {"rv": "metadata.resourceVersion", "next": "metadata.continue"}
    yield replace(step("GET", _CM, limit=1), save=saved)
    for _ in range(rng.randrange(3, 7)):
        yield rng.choices((_list, _watch, _delete, _write), (50, 4, 20, 26))[0](rng)


AREA = Area("lists", _steps)
