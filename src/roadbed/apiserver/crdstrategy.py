"""The rules of CustomResourceDefinition objects: completed, judged, and given their conditions at once.

Kubernetes lets controllers accept names and establish a definition seconds later; here the write itself
does, so that a stored CRD is a served CRD. What is judged, and how, is in ``definitions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from roadbed.apimachinery.causes import go_quote, invalid_value
from roadbed.apimachinery.cel_check import check_rules
from roadbed.apimachinery.errors import ApiError, Cause
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.structural import check_structural

from .crd import CLEANUP, compile_schema
from .definitions import accept, judge
from .definitions.judging import names_of
from .definitions.naming import condition
from .definitions.versions import unknown_formats
from .strategy import Strategy

Names = Callable[[str], Mapping[str, Object]]
"""Gives the accepted names of a group's CRDs, by CRD name."""


class CrdStrategy(Strategy):
    """CustomResourceDefinitions."""

    has_generation = True

    def __init__(self, others: Names, now: Callable[[], str]) -> None:
        self._others = others
        self._now = now
        self._trusts = False

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """Take the schemas of definitions as valid inside the block: Roadbed's own, which its tests check.

        Judging and compiling two dozen of them would be a large part of a first start.
        """
        self._trusts = True
        try:
            yield
        finally:
            self._trusts = False

    def prepare_create(self, obj: Object) -> None:
        _complete(obj)
        meta = obj["metadata"]
        if CLEANUP not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), CLEANUP]
        obj["status"] = {"conditions": [], "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": []}
        self._accept(obj)

    def prepare_update(self, new: Object, old: Object) -> None:
        _complete(new)
        new.setdefault("status", old.get("status") or {})
        new["status"] = {**new["status"]}
        self._accept(new)

    def begin_deletion(self, obj: Object) -> None:
        message = "CustomResource deletion is in progress"
        condition(obj, self._now(), "Terminating", "True", "InstanceDeletionInProgress", message)

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        if old is not None and obj["spec"] == old.get("spec"):
            # What was accepted once may always be labelled, finalized and deleted.
            accepted = (obj.get("status") or {}).get("acceptedNames") or {}
            return list(names_of(accepted, "status.acceptedNames"))
        return judge(obj, old, None if self._trusts else _schema)

    def warnings(self, obj: Object, old: Object | None) -> Sequence[str]:
        if self._trusts or (old is not None and obj["spec"] == old.get("spec")):
            return ()
        known = () if old is None else set(unknown_formats(old["spec"]))
        return [
            f"unrecognized format {go_quote(each)}"
            for each in unknown_formats(obj["spec"])
            if each not in known
        ]

    def _accept(self, obj: Object) -> None:
        """Set NamesAccepted, Established, acceptedNames and storedVersions."""
        spec = obj["spec"]
        accept(obj, self._others(spec.get("group") or ""), self._now())
        stored = next((each["name"] for each in spec.get("versions") or () if each.get("storage")), "")
        known = list(obj["status"].get("storedVersions") or ())
        obj["status"]["storedVersions"] = [*known, stored] if stored and stored not in known else known


def _complete(obj: Object) -> None:
    """Fill in what Kubernetes' types have without being told, and its defaults."""
    spec = obj["spec"] = {"group": "", "scope": "", **(obj.get("spec") or {})}
    names = spec["names"] = {"plural": "", "kind": "", **(spec.get("names") or {})}
    names["singular"] = names.get("singular") or names["kind"].lower()
    names["listKind"] = names.get("listKind") or (f"{names['kind']}List" if names["kind"] else "")
    for member in ("singular", "listKind"):
        if not names[member]:
            del names[member]
    if spec.get("versions") is None:
        spec.pop("versions", None)
    for version in spec.get("versions") or ():
        version.setdefault("name", "")
        version.setdefault("served", False)
        version.setdefault("storage", False)
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)


def _schema(openapi: Mapping[str, Any], path: str) -> list[Cause]:
    found = check_structural(openapi, path)
    return found or check_rules(openapi, path) or _compiles(openapi, path)


def _compiles(openapi: Mapping[str, Any], path: str) -> list[Cause]:
    try:
        compile_schema(openapi)
    except (ValueError, ApiError) as error:
        return [invalid_value(path, "", str(error))]
    return []
