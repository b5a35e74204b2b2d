"""One request's audit events: made where it begins and ends, and handed to the log.

``asgi`` and the in-process transport begin a ``Record`` for each request that the policy wants, tell it what they
learn, and end it. Everything is called on the event loop and nothing waits; events are encoded at once, for objects
may change later. Whoever works on a request may add annotations with ``annotate``; it does nothing where the request
is not recorded.

Source: k8s.io/apiserver/pkg/audit, k8s.io/apiserver/pkg/endpoints/filters/audit.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from roadbed.apimachinery.instruments import Counter, Instrument, Labels, Read
from roadbed.apimachinery.request import ApiRequest, Object, User
from roadbed.apimachinery.timestamps import format_micro_time
from roadbed.apiserver.ports import Attributes, Clock

from .log import AuditLog
from .policy import Decision, Level, Policy

Explain = Callable[[User, Attributes], tuple[bool, str]]
"""Says whether a user may, and which binding says so."""

_STATUS_MEMBERS: Final = ("status", "message", "reason", "details", "code")
_present: ContextVar[Record | None] = ContextVar("audit_record", default=None)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a request shows before it is understood. ``user`` None could not be told."""

    audit_id: str
    uri: str
    agent: str
    sources: tuple[str, ...]
    attributes: Attributes
    api_version: str = ""
    user: User | None = None


@dataclass(slots=True, eq=False)
class Record:
    """One request on its way; ``heard`` is complete, the rest comes."""

    auditor: Auditor
    decision: Decision
    heard: Heard
    received: str
    acting: User | None = None  # whom the user acts as
    _asked: ApiRequest | None = None
    _code: int = 0
    _body: bytes = b""
    _annotations: dict[str, str] = field(default_factory=dict)

    @property
    def keeps_answers(self) -> bool:
        """Say whether ``answered`` wants the body."""
        return self.decision.level == Level.REQUEST_RESPONSE

    def asked(self, request: ApiRequest) -> None:
        """Take over the request as it was decoded."""
        self._asked = request

    def began(self, code: int, *, is_long: bool = False) -> None:
        """Note the answer's code; that of a long answer is an event of its own."""
        self._code = code
        if is_long:
            self._emit("ResponseStarted", {"responseStatus": {"metadata": {}, "code": code}})

    def answered(self, body: bytes) -> None:
        """Take over the answer's body, which is JSON."""
        self._body = body

    def annotate(self, name: str, value: str) -> None:
        """Add a fact; the first of a name stays."""
        self._annotations.setdefault(name, value)

    def end(self) -> None:
        """Write the last event."""
        stage = "ResponseComplete" if self.heard.user is not None else "ResponseStarted"
        members: Object = {"responseStatus": self._status()}
        level = self.decision.level
        if level >= Level.REQUEST and self._asked is not None and self._asked.body is not None:
            members["requestObject"] = self._kept(self._asked.body)
        if level >= Level.REQUEST_RESPONSE and self._body:
            members["responseObject"] = self._kept_body()
        self._emit(stage, members)

    def receive(self) -> None:
        """Write the first event."""
        self._emit("RequestReceived", {})

    def _status(self) -> Object:
        status: Object = {"metadata": {}}
        if self._body.startswith(b'{"kind":"Status"'):
            body = orjson.loads(self._body)
            status |= {word: body[word] for word in _STATUS_MEMBERS if body.get(word)}
        return {**status, "code": self._code}

    def _kept(self, obj: Any) -> Any:
        return _without_managed_fields(obj) if self.decision.omits_managed_fields else obj

    def _kept_body(self) -> Any:
        if self.decision.omits_managed_fields:
            return _without_managed_fields(orjson.loads(self._body))
        return orjson.Fragment(self._body)

    def _emit(self, stage: str, members: Object) -> None:
        if stage in self.decision.omitted:
            return
        heard, now = self.heard, format_micro_time(self.auditor.clock())
        event: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": self.decision.level.wire,
            "auditID": heard.audit_id,
            "stage": stage,
            "requestURI": heard.uri,
            "verb": heard.attributes.verb,
            "user": _user(heard.user) if heard.user is not None else {},
        }
        if self.acting is not None and self.acting is not heard.user:
            event["impersonatedUser"] = _user(self.acting)
        if heard.sources:
            event["sourceIPs"] = heard.sources
        if heard.agent:
            event["userAgent"] = heard.agent
        if heard.attributes.resource:
            event["objectRef"] = self._reference()
        event |= members
        first = stage == "RequestReceived"
        event |= {
            "requestReceivedTimestamp": self.received,
            "stageTimestamp": self.received if first else now,
        }
        if not first:
            annotations = {**self._annotations, **self._authorization()}
            if annotations:
                event["annotations"] = annotations
        self.auditor.keep(event)

    def _reference(self) -> Object:
        """Name the object; what a create does not say in its address is in its body."""
        wanted = self.heard.attributes
        found: Object = {"resource": wanted.resource, "namespace": wanted.namespace, "name": wanted.name}
        body = self._asked.body if self._asked is not None else None
        meta = body.get("metadata") if isinstance(body, dict) else None
        if isinstance(meta, dict):
            for word in ("namespace", "name", "uid", "resourceVersion"):
                found[word] = found.get(word) or meta.get(word)
        found |= {"apiGroup": wanted.group, "apiVersion": self.heard.api_version}
        found["subresource"] = wanted.subresource
        return {word: value for word, value in found.items() if value}

    def _authorization(self) -> dict[str, str]:
        who = self.acting or self.heard.user
        if who is None or self.auditor.explain is None:
            return {}
        may, reason = self.auditor.explain(who, self.heard.attributes)
        prefix = "authorization.k8s.io/"
        return {f"{prefix}decision": "allow" if may else "forbid", f"{prefix}reason": reason}


@dataclass(slots=True)
class Auditor:
    """Begins records by a policy; their events go to the log, and are counted."""

    policy: Policy
    log: AuditLog
    clock: Clock
    explain: Explain | None = None
    _events: Counter = field(
        default_factory=lambda: Counter("apiserver_audit_event_total", "Audit events handed to the log.")
    )
    _levels: Counter = field(
        default_factory=lambda: Counter("apiserver_audit_level_total", "Requests by audit level.", ("level",))
    )

    @property
    def instruments(self) -> Sequence[Instrument]:
        """What it counts, under kube-apiserver's names; a lost event is an error of the log."""

        def lost() -> Mapping[Labels, float]:
            return {("log",): self.log.dropped} if self.log.dropped else {}

        text = "Audit events that are missing from the log."
        errors = Read("apiserver_audit_error_total", text, ("plugin",), lost, kind="counter")
        return (self._events, self._levels, errors)

    def begin(self, heard: Heard) -> Record | None:
        """Give the record of a request, its first event written; None where nothing is kept."""
        decision = self.policy.decide(heard.user, heard.attributes)
        self._levels.add((decision.level.wire,))
        if decision.level == Level.NONE:
            return None
        record = Record(self, decision, heard, format_micro_time(self.clock()))
        if heard.user is not None:
            record.receive()
        return record

    def keep(self, event: Object) -> None:
        """Write one event."""
        self._events.add()
        self.log.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))


def annotate(name: str, value: str) -> None:
    """Add a fact to the record of the request that is worked on, if there is one."""
    record = _present.get()
    if record is not None:
        record.annotate(name, value)


def work_on(record: Record | None) -> None:
    """Let ``annotate`` reach a record, in this task and those it starts."""
    _present.set(record)


def _user(user: User) -> Object:
    extra = {name: list(values) for name, values in user.extra.items()}
    members = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    return {name: value for name, value in members.items() if value}


def _without_managed_fields(obj: Any) -> Any:
    """Give an object, or a list of them, without who owns which field."""
    if not isinstance(obj, Mapping):
        return obj
    meta, items = obj.get("metadata"), obj.get("items")
    changed = dict(obj)
    if isinstance(meta, Mapping) and "managedFields" in meta:
        changed["metadata"] = {name: value for name, value in meta.items() if name != "managedFields"}
    if isinstance(items, list):
        changed["items"] = [_without_managed_fields(item) for item in items]
    return changed
