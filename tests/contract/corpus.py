"""The corpus: what is asked of both servers, read from ``corpus/*.yaml``.

A file is an area, a list of cases. A case is a sequence of steps in a namespace of its own, named as the case
(made first, where a step says ``$ns``). A step is one request:

    - case: create-takes-a-name-once
      why: a second create of the same name is AlreadyExists, which is not Conflict
      steps:
        - do: POST $cm
          body: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
          save: {rv: metadata.resourceVersion}
        - do: GET $cm?watch=1&resourceVersion=${rv}
          watch: 1

A step ``COMPACT`` makes the server forget all revisions but the present one. ``type`` is the body's media type (a word of ``MEDIA_TYPES`` or the whole of it; JSON otherwise), ``accept``,
``as`` and ``headers`` are request headers; a body that is text is sent as it is. ``watch: N`` reads N events.
``until`` asks again until the answer has that status or those values. ``keep`` compares only these places of
the answer; ``pick`` only these members of a list, by the value of a field. Names saved from an answer can be
used afterwards as ``${name}`` in addresses, headers and bodies; unknown ones stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "corpus"
MEDIA_TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "protobuf": "application/vnd.kubernetes.protobuf",  # bodies are written as JSON all the same
    "merge": "application/merge-patch+json",
    "jsonpatch": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
    "table": "application/json;as=Table;v=v1;g=meta.k8s.io",
    "partial": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "partials": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "discovery": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
}
_SHORT = {
    "cm": "/api/v1/namespaces/$ns/configmaps",
    "sec": "/api/v1/namespaces/$ns/secrets",
    "svc": "/api/v1/namespaces/$ns/services",
    "dep": "/apis/apps/v1/namespaces/$ns/deployments",
    "lease": "/apis/coordination.k8s.io/v1/namespaces/$ns/leases",
    "crds": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "rbac": "/apis/rbac.authorization.k8s.io/v1",
}
_NAME = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True, slots=True)
class Step:
    """One request, with its variables still in it."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    watch: int = 0
    until: Mapping[str, Any] = field(default_factory=dict)
    save: Mapping[str, str] = field(default_factory=dict)
    keep: Sequence[str] = ()
    pick: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Say what is asked, as recordings and failures show it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Case:
    """A sequence of requests that shows one behaviour."""

    area: str
    name: str
    why: str
    steps: Sequence[Step]

    @property
    def has_namespace(self) -> bool:
        """Say whether the case wants a namespace of its own."""
        return any("$ns" in filled(step.path, {}) for step in self.steps)


@cache
def cases() -> tuple[Case, ...]:
    """Give all cases, by area and in order.

    Raises:
        ValueError: two cases have one name, or a step has a field that means nothing.
    """
    found: list[Case] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for raw in yaml.load(path.read_text(), yaml.CSafeLoader):
            steps = tuple(_step(path.stem, each) for each in raw["steps"])
            found.append(Case(path.stem, raw["case"], raw["why"], steps))
    names = [case.name for case in found]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise ValueError(
            f"several cases are called {', '.join(sorted(doubled))}; their namespaces would be one"
        )
    return tuple(found)


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """Give a value with the variables in its texts replaced, wherever they stand."""
    if isinstance(value, str):
        return _NAME.sub(lambda found: _named(found, names), value)
    if isinstance(value, dict):
        return {filled(key, names): filled(member, names) for key, member in value.items()}
    if isinstance(value, list):
        return [filled(member, names) for member in value]
    return value


def _named(found: re.Match[str], names: Mapping[str, str]) -> str:
    name = found[1] or found[2]
    if name in names:
        return names[name]
    return str(filled(_SHORT[name], names)) if name in _SHORT else found[0]


def _step(area: str, raw: dict[str, Any]) -> Step:
    left = dict(raw)
    method, _, path = left.pop("do").partition(" ")
    headers = {name.lower(): str(value) for name, value in left.pop("headers", {}).items()}
    body = left.pop("body", None)
    wanted = left.pop("type", "json" if body is not None else "")
    if wanted:
        headers["content-type"] = MEDIA_TYPES.get(wanted, wanted)
    if "accept" in left:
        accept = left.pop("accept")
        headers["accept"] = MEDIA_TYPES.get(accept, accept)
    if "as" in left:
        headers["impersonate-user"] = left.pop("as")
    left.pop("why", None)
    members = {name: left.pop(name) for name in ("watch", "until", "save", "keep", "pick") if name in left}
    if left:
        raise ValueError(f"{area}: the step {raw['do']!r} has fields that mean nothing: {', '.join(left)}")
    return Step(method, path, body, headers, **members)
