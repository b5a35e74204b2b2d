"""What one kind does around the rules that all kinds share: prepare, validate, hold back deletion.

One object per kind, without state, called by ``writing`` and the verb handlers on every write. What all
kinds share (metadata, finalizers, generation, status isolation) is in ``writing``; schemas say the rest.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import (
    NameRule,
    config_key_errors,
    dns_label_errors,
    dns_subdomain_errors,
    finalizer_warnings,
    label_key_errors,
    path_segment_errors,
)
from roadbed.apimachinery.request import Object, User
from roadbed.apimachinery.securitylevels import level_causes

# What a selector on fields may name beside metadata.name and metadata.namespace.
FieldPaths = Mapping[str, tuple[str, ...]]


_NO_PATHS: FieldPaths = {}
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT_PATHS: FieldPaths = {
    **{f"involvedObject.{member}": ("involvedObject", member) for member in _REFERENCE},
    "reason": ("reason",),
    "reportingComponent": ("reportingComponent",),
    "source": ("source", "component"),
    "type": ("type",),
}
_NEW_EVENT_PATHS: FieldPaths = {
    **{f"regarding.{member}": ("regarding", member) for member in _REFERENCE},
    "reason": ("reason",),
    "reportingController": ("reportingController",),
    "type": ("type",),
}
_SECRET_PATHS: FieldPaths = {"type": ("type",)}
_NAMESPACE_PATHS: FieldPaths = {"status.phase": ("status", "phase")}


class Strategy:
    """The plain kind: configuration without generation. Others override what they do differently."""

    has_generation = False
    has_grace_period = True  # deletion says how long it takes: not at all
    ends_slowly = False  # what runs it is given time, where it runs
    creates_on_update = False  # PUT of an absent name creates it
    allows_unconditional_update = True  # PUT without resourceVersion overwrites
    judges_all = False  # ``validate`` says all that the schema would, and in better words
    field_paths: FieldPaths = _NO_PATHS
    field_zeros: Mapping[str, str] = {}  # what a field that is not there counts as, where that is not ""
    field_substitutes: Mapping[str, str] = {}  # which other field counts where one is empty
    orphans: str | None = None
    """A DELETE that names no policy leaves the dependents, and warns with this text; None: they are collected."""
    returns_deleted = False  # a DELETE that removes gives the object, where most kinds give a Status
    status_keeps: tuple[str, ...] | None = None
    """What of metadata a write of the status leaves alone; None: all of it, and all but the status."""
    resets: tuple[
        tuple[str, ...], ...
    ] = ()  # fields beside the status that a writer of the object never owns
    status_resets: tuple[tuple[str, ...], ...] = (("spec",),)  # fields that a writer of the status never owns

    @property
    def name_rule(self) -> NameRule:
        """What objects of this kind may be called."""
        return dns_subdomain_errors

    def prepare_create(self, obj: Object) -> None:
        """Complete a new object in place, before defaults and validation."""

    def ask(self, obj: Object, user: User) -> None:
        """Write into a new object who asks for it, where its kind says that."""

    def complete_create(self, obj: Object) -> None:
        """Complete a new object in place once admission has seen it, and its name and uid are known."""

    def prepare_update(self, new: Object, old: Object) -> None:
        """Carry over in place what an update of the main resource may not change."""

    def prepare_part(self, new: Object, old: Object, subresource: str, now: str) -> Sequence[Cause]:
        """Complete in place what a write of the status or the approval changes; give what it may not change."""
        del new, old, subresource, now
        return ()

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        """Give what the schema can't say."""
        del obj, old
        return []

    def warnings(self, obj: Object, old: Object | None) -> Sequence[str]:
        """Give what the writer of a valid object is warned of; subresources are not asked about."""
        del obj, old
        return ()

    def spec_changed(self, new: Object, old: Object) -> bool:
        """Say whether the desired state differs, so that ``metadata.generation`` grows."""
        return bool(new.get("spec") != old.get("spec"))

    def is_held(self, obj: Object) -> bool:
        """Say whether something beside metadata.finalizers keeps a deleted object."""
        del obj
        return False

    def begin_deletion(self, obj: Object) -> None:
        """Change in place what a held object shows while it waits to go."""


class ConfigMapStrategy(Strategy):
    """ConfigMaps may be made immutable."""

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        causes = _immutable(obj, old, ("data", "binaryData"))
        for member in ("data", "binaryData"):
            for key in obj.get(member) or ():
                causes.extend(_data_key(member, key))
        doubled = set(obj.get("data") or ()) & set(obj.get("binaryData") or ())
        causes.extend(
            invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
            for key in sorted(doubled)
        )
        return causes


class SecretStrategy(Strategy):
    """Secrets take ``stringData``, have a type that never changes, may be made immutable."""

    field_paths = _SECRET_PATHS

    def prepare_create(self, obj: Object) -> None:
        _fold_strings(obj)
        obj.setdefault("type", "Opaque")

    def prepare_update(self, new: Object, old: Object) -> None:
        _fold_strings(new)
        if not new.get("type"):
            new["type"] = old.get("type", "Opaque")

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        causes = []
        for key, value in (obj.get("data") or {}).items():
            causes.extend(_data_key("data", key))
            try:
                base64.b64decode(value or "", validate=True)
            except (binascii.Error, ValueError, TypeError):
                # The value itself never appears in a message.
                causes.append(Cause("FieldValueInvalid", "Invalid value: must be base64", f"data[{key}]"))
        causes.extend(_missing_keys(obj))
        if old is not None and obj.get("type") != old.get("type"):
            causes.append(invalid_value("type", obj.get("type"), "field is immutable"))
        causes.extend(_immutable(obj, old, ("data",)))
        return causes

    def warnings(self, obj: Object, old: Object | None) -> Sequence[str]:
        del old
        if obj.get("type") != "kubernetes.io/tls":
            return ()
        from .kinds.cautions.keypairs import keypair

        return list(keypair(obj))


# What a secret of a type must hold, whatever else it holds.
_TYPED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}

_JSON_TYPES = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")


def _missing_keys(obj: Object) -> list[Cause]:
    found = obj.get("data") or {}
    wanted = _TYPED_KEYS.get(str(obj.get("type")), ())
    causes = [required(f"data[{key}]") for key in wanted if key not in found]
    if obj.get("type") == "kubernetes.io/basic-auth" and not {"username", "password"} & set(found):
        causes = [required("data[username]"), required("data[password]")]
    causes.extend(_garbled(found, wanted) if str(obj.get("type")) in _JSON_TYPES else ())
    if obj.get("type") == "kubernetes.io/service-account-token":
        annotations = obj["metadata"].get("annotations") or {}
        if not annotations.get("kubernetes.io/service-account.name"):
            causes = [required("metadata.annotations[kubernetes.io/service-account.name]")]
    return causes


def _garbled(found: Mapping[str, Any], keys: Iterable[str]) -> Iterator[Cause]:
    """Refuse what must be a JSON object and is none; what it is instead is not told, as it is secret."""
    for key in keys:
        if key not in found:
            continue
        try:
            value = orjson.loads(base64.b64decode(found[key] or ""))
        except ValueError:
            value = ()
        if value is not None and not isinstance(value, dict):
            yield invalid_value(f"data[{key}]", "<secret contents redacted>", "must be a JSON object")


class NamespaceStrategy(Strategy):
    """Namespaces go only when their own ``spec.finalizers`` are gone too (``namespaces/finalize``)."""

    field_paths = _NAMESPACE_PATHS
    has_grace_period = False
    returns_deleted = True
    status_keeps = ()

    @property
    def name_rule(self) -> NameRule:
        return dns_label_errors

    def prepare_create(self, obj: Object) -> None:
        spec = obj["spec"] if isinstance(obj.get("spec"), dict) else {}
        finalizers = [each for each in spec.get("finalizers") or [] if each != "kubernetes"]
        obj["spec"] = {**spec, "finalizers": finalizers}
        if not finalizers:
            del obj["spec"]["finalizers"]
        _name_label(obj)

    def complete_create(self, obj: Object) -> None:
        obj["spec"] = {**obj["spec"], "finalizers": [*obj["spec"].get("finalizers", ()), "kubernetes"]}
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, new: Object, old: Object) -> None:
        new["spec"] = {
            **(new.get("spec") or {}),
            "finalizers": (old.get("spec") or {}).get("finalizers") or [],
        }
        _name_label(new)

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        causes = level_causes(obj["metadata"].get("labels") or {})
        # What a namespace has said all along may stay.
        before = level_causes(old["metadata"].get("labels") or {}) if causes and old is not None else []
        return [] if causes == before else causes

    def is_held(self, obj: Object) -> bool:
        return bool((obj.get("spec") or {}).get("finalizers"))

    def begin_deletion(self, obj: Object) -> None:
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}


class RoleStrategy(Strategy):
    """Roles and their bindings may be called what paths bear (``system:discovery``)."""

    @property
    def name_rule(self) -> NameRule:
        return path_segment_errors


class LeaseStrategy(Strategy):
    """Leases are how controllers elect: a PUT may create, and never without a resourceVersion."""

    creates_on_update = True
    allows_unconditional_update = False

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        del old
        spec = obj.get("spec") or {}
        duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
        causes = []
        if duration is not None and duration <= 0:
            causes.append(invalid_value("spec.leaseDurationSeconds", duration, "must be greater than 0"))
        if transitions is not None and transitions < 0:
            text = "must be greater than or equal to 0"
            causes.append(invalid_value("spec.leaseTransitions", transitions, text))
        if spec.get("strategy") is not None:
            causes.extend(_election(spec["strategy"]))
        if spec.get("preferredHolder") and not spec.get("strategy"):
            text = "may only be specified if `strategy` is defined"
            causes.append(forbidden("spec.preferredHolder", text))
        return causes


_ELECTIONS = ("OldestEmulationVersion",)


def _election(name: str) -> list[Cause]:
    """Judge how the holder of a lease is chosen: as Kubernetes does, or in a way of somebody's own domain."""
    if "/" in name:
        return [invalid_value("spec.strategy.strategy", name, error) for error in label_key_errors(name)]
    return [] if name in _ELECTIONS else [not_supported("spec.strategy.strategy", name, _ELECTIONS)]


class EventStrategy(Strategy):
    """Events are found by what they are about."""

    creates_on_update = True
    field_paths = _EVENT_PATHS
    # Recorders of today leave the source empty (pkg/registry/core/event/strategy.go).
    field_substitutes: Mapping[str, str] = {"source": "reportingComponent"}


class NewEventStrategy(EventStrategy):
    """The events.k8s.io shape of the same events."""

    field_paths = _NEW_EVENT_PATHS
    field_substitutes: Mapping[str, str] = {}


class CustomStrategy(Strategy):
    """Custom resources: generation always, and no blind overwrite."""

    has_generation = True
    allows_unconditional_update = False

    def __init__(self, *, has_status: bool, field_paths: FieldPaths | None = None) -> None:
        self._ignored = ("metadata", "status") if has_status else ("metadata",)
        self.field_paths = field_paths or {}

    def warnings(self, obj: Object, old: Object | None) -> Sequence[str]:
        found = obj["metadata"].get("finalizers")
        if not found:
            return ()
        known = () if old is None else old["metadata"].get("finalizers") or ()
        return finalizer_warnings(set(found).difference(known))

    def spec_changed(self, new: Object, old: Object) -> bool:
        return _without(new, self._ignored) != _without(old, self._ignored)


def _without(obj: Object, members: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in obj.items() if name not in members}


def _fold_strings(obj: Object) -> None:
    strings = obj.pop("stringData", None)
    if isinstance(strings, dict):
        encoded = {str(key): base64.b64encode(str(value).encode()).decode() for key, value in strings.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _name_label(obj: Object) -> None:
    meta = obj["metadata"]
    if meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}


def _immutable(obj: Object, old: Object | None, members: tuple[str, ...]) -> list[Cause]:
    if old is None or old.get("immutable") is not True:
        return []
    return [
        forbidden(member, "field is immutable when `immutable` is set")
        for member in ("immutable", *members)
        if obj.get(member) != old.get(member)
    ]


_PLAIN_KEY = re.compile(r"[a-zA-Z0-9][-._a-zA-Z0-9]{0,252}")


def _data_key(member: str, key: str) -> list[Cause]:
    if _PLAIN_KEY.fullmatch(key):
        return []
    return [invalid_value(f"{member}[{key}]", key, error) for error in config_key_errors(key)]
