"""The pure algebra of objects on inputs that are whole: schemas and what they judge, two managers, patches, protobuf.

Where there is a law it is held: pruning, defaulting and applying twice is once; a merge of a thing onto itself is the
thing; what was encoded decodes to what it was; sets of fields behave as sets do.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson

from roadbed.apimachinery import fieldset, managedfields
from roadbed.apimachinery.apply import FieldManager
from roadbed.apimachinery.cel import CelRules
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.jsonpath import JsonPath
from roadbed.apimachinery.nodes import compile_node
from roadbed.apimachinery.patch import diff_merge_patch, json_patch, merge_patch
from roadbed.apimachinery.schema import Schema
from roadbed.apimachinery.strategic import strategic_merge
from roadbed.apimachinery.structural import check_structural
from roadbed.apimachinery.structure import Structure
from roadbed.apis.kubernetes import load
from roadbed.apiserver import negotiation, protobuf, protobufwrite

from . import values
from .choices import Choices
from .story import operations, strategic, unknown_fields

NOW = "2026-01-01T00:00:00Z"
GROUPS = {
    "Deployment": ("apps", "v1"),
    "Job": ("batch", "v1"),
    "Service": ("", "v1"),
    "ConfigMap": ("", "v1"),
}


def _no_reference(name: str) -> dict[str, Any]:
    del name
    return {}


def _compiled(choices: Choices) -> tuple[dict[str, Any], Any]:
    """Give a schema that would be accepted, and its nodes; nothing where it would not."""
    openapi = values.schema(choices)
    if check_structural(openapi, "schema"):
        return openapi, None
    return openapi, compile_node(openapi)


def _object(choices: Choices, openapi: dict[str, Any]) -> dict[str, Any]:
    made = values.like(choices, openapi, _no_reference)
    made = made if isinstance(made, dict) else {}
    return {**made, "apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}}


@cache
def _builtin(kind: str) -> tuple[Any, dict[str, Any]]:
    """Give the nodes and the schema of a built-in kind."""
    openapi = load().schema(GVK(*GROUPS[kind], kind))
    assert openapi is not None
    return compile_node(openapi, load().resolve), dict(openapi)


def judged(content: bytes) -> None:
    """A random definition's schema, and objects that it prunes, completes and judges."""
    choices = Choices(content)
    openapi, node = _compiled(choices)
    if node is None:
        return
    schema = Schema(node)
    rules = CelRules.compile(node)
    old = None
    for _ in range(3):
        obj = _object(choices, openapi)
        for _ in range(
            2
        ):  # a default below additionalProperties is not judged by Kubernetes, and may be pruned
            schema.prune(obj)
            schema.default(obj)
        again = copy.deepcopy(obj)
        assert schema.prune(again) == [], "pruning twice prunes more"
        schema.default(again)
        assert again == obj, "defaults of defaults"
        causes = schema.validate(obj, old=old)
        told = schema.validate(copy.deepcopy(obj), old=obj)
        assert told == [], f"what did not change is judged: {told} of {obj} by {openapi}"
        if not schema.validate(obj):
            assert schema.validate(obj, old=old) == [], "valid alone, and not as an update"
        if rules is not None and not causes:
            rules.validate(obj, old)
        old = obj


def applied(content: bytes) -> None:
    """Two managers apply and update; what is applied twice is applied once, and owned by who applied it."""
    choices = Choices(content)
    openapi, node = _compiled(choices)
    if node is None:
        return
    manager, schema = FieldManager(Structure.of(node), "example.org/v1"), Schema(node)
    live: dict[str, Any] | None = None
    for _ in range(4):
        wanted = _object(choices, openapi)
        who = choices.pick(("m", "n"))
        try:
            if choices.once_in(4) and live is not None and not schema.validate(wanted):
                live = manager.update(live, {**live, **wanted}, manager=who, now=NOW)
                continue
            result = manager.apply(live, wanted, manager=who, force=bool(choices.below(2)), now=NOW)
        except ApiError as error:
            if error.code >= 500:
                raise
            continue
        if not result["metadata"].get("managedFields"):
            live = result  # nothing is owned: the next apply looks for who owned it before
            continue
        # As in Kubernetes, an emptied list goes with the first apply and comes back, empty, with the second.
        result = manager.apply(result, wanted, manager=who, force=False, now=NOW)
        again = manager.apply(result, wanted, manager=who, force=False, now=NOW)
        assert again == result, f"applied twice: {result} became {again}"
        entries = result["metadata"].get("managedFields", [])
        assert managedfields.encode(managedfields.decode(entries)) == entries, "ownership read and written"
        for entry in entries:
            _hold_sets(entry["fieldsV1"], choices.pick(entries)["fieldsV1"])
        live = result


def _hold_sets(one: Any, other: Any) -> None:
    assert not fieldset.difference(one, one)
    both, common = fieldset.union(one, other), fieldset.intersection(one, other)
    assert both == fieldset.union(other, one)
    assert common == fieldset.intersection(other, one)
    assert set(fieldset.paths(both)) == {*fieldset.paths(one), *fieldset.paths(other)}
    assert fieldset.union(fieldset.difference(one, other), common) == fieldset.union(one, {})


def patched(content: bytes) -> None:
    """Patches of every kind on any object; a merge patch made from two objects leads from one to the other."""
    choices = Choices(content)
    one, two = values.value(choices), values.value(choices)
    try:
        json_patch(one, operations(choices, one))
    except ApiError as error:
        if error.code >= 500:
            raise
    if isinstance(one, dict) and isinstance(two, dict):
        start, end = merge_patch({}, one), merge_patch({}, two)  # a merge patch can't say null
        assert merge_patch(start, diff_merge_patch(start, end)) == end
        assert merge_patch(end, two) == end


def merged(content: bytes) -> None:
    """Strategic merge of built-in kinds: a thing onto itself is the thing; directives of any shape are refused in words."""
    choices = Choices(content)
    kind = choices.pick(sorted(GROUPS))
    node, openapi = _builtin(kind)
    live = values.like(choices, openapi, load().resolve)
    if not isinstance(live, dict):
        return
    live = merge_patch({}, live)
    for patch in (strategic(choices, live), live):
        try:
            strategic_merge(live, copy.deepcopy(patch), node)
        except ApiError as error:
            if error.code >= 500:
                raise


def encoded(content: bytes) -> None:
    """Objects of built-in kinds to protobuf and back, and with bytes of it changed."""
    choices = Choices(content)
    kind = choices.pick(sorted(GROUPS))
    _, openapi = _builtin(kind)
    obj = values.like(choices, openapi, load().resolve)
    obj = obj if isinstance(obj, dict) else {}
    obj |= {"apiVersion": "/".join(filter(None, GROUPS[kind])), "kind": kind}
    try:
        body = protobufwrite.encode(orjson.dumps(obj))
    except Exception:  # noqa: BLE001 - a server encodes only what was judged; here it may be anything
        return
    back = protobuf.decode(body)
    again = protobuf.decode(protobufwrite.encode(orjson.dumps(back)))
    assert again == back, f"decoded and encoded: {back} became {again}"
    protobuf.decode(unknown_fields(choices, body))


def found(content: bytes) -> None:
    """JSON paths of printer columns, on any object."""
    choices = Choices(content)
    parts = (".a", ".spec", "[0]", "[*]", "[-1]", "[1:2]", "..a", "['a.b']", "[?(@.a=='b')]", "[?(@.key>1)]", ".*",
             ".metadata.name", "[", "]", "{", "}", ".", "\\.", "[0,1]", "[::2]", "[?(@.a)]", "é", "'")  # fmt: skip
    text = "".join(choices.pick(parts) for _ in range(1 + choices.below(5)))
    path = JsonPath.parse(text)
    path.find(values.value(choices))


def negotiated(content: bytes) -> None:
    """Accept headers of parts that mean something."""
    choices = Choices(content)
    parts = ("application/json", "application/yaml", "*/*", "text/*", ";as=Table", ";v=v1", ";g=meta.k8s.io", ";q=0.5",
             ";q=x", ",", ";", "=", "application/vnd.kubernetes.protobuf", ";stream=watch", ";profile=nopeer",
             ";as=PartialObjectMetadata", "/", '"', " ", ";charset=utf-8", "é", ";q=1e9", ";q=-1", ";q=nan")  # fmt: skip
    text = "".join(choices.pick(parts) for _ in range(1 + choices.below(9)))
    negotiation.status_form(text)
    negotiation.takes_gzip(text)
    negotiation.form_of(text, is_watch=bool(choices.below(2)), is_custom=bool(choices.below(2)))


LAWS: dict[str, tuple[Callable[[bytes], None], tuple[type[Exception], ...]]] = {
    "accept": (negotiated, ()),
    "apply-histories": (applied, ()),
    "crd-and-objects": (judged, (ValueError,)),  # rules that no schema would be taken with
    "json-path": (found, (ValueError,)),
    "patches": (patched, ()),
    "protobuf-kinds": (encoded, ()),
    "strategic-kinds": (merged, ()),
}
