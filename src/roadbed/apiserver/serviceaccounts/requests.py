"""TokenRequest: a create on ``serviceaccounts/<name>/token`` gives a token of the account.

The dispatcher hands it authorised calls; admission is asked as about any create. It reads the account, and what the
token is to be bound to, from the store's memory, signs, and stores nothing.

Source: k8s.io/kubernetes/pkg/registry/core/serviceaccount/storage/token.go
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, Final

import orjson

from roadbed.apimachinery import causes
from roadbed.apimachinery.errors import BadRequestError, Cause, ConflictError, NotFoundError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.request import Answer, Object
from roadbed.apimachinery.schema import Schema
from roadbed.apimachinery.timestamps import format_time
from roadbed.apis.kubernetes import load
from roadbed.apiserver import decoding
from roadbed.apiserver.context import Call, Core
from roadbed.apiserver.handlers.create import check_namespace
from roadbed.apiserver.writing import judge_answer

from .tokens import AccountTokens, Binding, Grant

KIND: Final = GVK("authentication.k8s.io", "v1", "TokenRequest")
_QUALIFIED: Final = f"{KIND.kind}.{KIND.group}"
DEFAULT_LIFE_S: Final = 3_600
MIN_LIFE_S: Final = 600
MAX_LIFE_S: Final = 1 << 32
_BOUND: Final = {"Pod": "pods", "Node": "nodes", "Secret": "secrets"}


class TokenRequests:
    """Answers TokenRequests."""

    def __init__(self, tokens: AccountTokens) -> None:
        self._tokens = tokens

    async def __call__(self, core: Core, call: Call) -> Answer:
        """Give the request back with its status filled in.

        Raises:
            BadRequestError: the body is no TokenRequest, or asks to bind to another kind than can be.
            NotFoundError: the account or the object to bind to does not exist.
            ConflictError: one of them has another uid than was asked for.
            InvalidError: a member of the request is out of bounds.
        """
        request = _read(call)
        check_namespace(core, call)
        now = core.clock()
        request = await judge_answer(core, call, KIND, request, partial(self._complete, call, now))
        namespace, name, spec = call.request.namespace, call.request.name, request["spec"]
        reference, life_s = spec.get("boundObjectRef"), spec["expirationSeconds"]
        bound = self._binding(namespace, name, reference) if reference else None
        grant = Grant(namespace, name, request["metadata"]["uid"], spec["audiences"], life_s, bound, now)
        token, _ = self._tokens.sign(grant)
        expires = format_time(now + timedelta(seconds=life_s))
        request["status"] = {"token": token, "expirationTimestamp": expires}
        return Answer(201, orjson.dumps(request), tuple(call.warnings))

    def _complete(self, call: Call, now: datetime, request: Object) -> None:
        """Fill in what a request leaves open.

        Raises:
            NotFoundError, ConflictError, InvalidError: as ``__call__``.
        """
        namespace, name = call.request.namespace, call.request.name
        meta, spec = request["metadata"], request["spec"]
        _check_place(meta, namespace, name)
        account = self._tokens.live("serviceaccounts", namespace, name)
        if account is None:
            raise call.not_found()
        uid = account["metadata"]["uid"]
        if meta.get("uid") and meta["uid"] != uid:
            text = f"the UID in the token request ({meta['uid']}) does not match the UID of the service account ({uid})"
            raise _conflict(KIND.kind, KIND.group, name, text)
        spec["audiences"] = spec.get("audiences") or list(self._tokens.audiences)
        meta.update(name=name, namespace=namespace, uid=uid, creationTimestamp=format_time(now))
        _check_life(spec["expirationSeconds"])
        request["status"] = {"token": "", "expirationTimestamp": None}

    def _binding(self, namespace: str, account: str, reference: Object) -> Binding:
        api_version, kind = reference.get("apiVersion") or "", reference.get("kind") or ""
        group, _, version = api_version.rpartition("/")
        if group or kind not in _BOUND:
            raise BadRequestError(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        plural, name = _BOUND[kind], str(reference.get("name") or "")
        found = self._tokens.live(plural, "" if kind == "Node" else namespace, name)
        if found is None:
            raise NotFoundError(f'{plural} "{name}" not found', kind=plural, name=name)
        uid = found["metadata"]["uid"]
        if reference.get("uid") and reference["uid"] != uid:
            text = (
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise _conflict(kind, "", name, text)
        return Binding(plural, name, uid, self._node(found, account) if kind == "Pod" else None)

    def _node(self, pod: Object, account: str) -> tuple[str, str] | None:
        """Give name and uid of a pod's node; the uid is empty where there is no such node."""
        if (pod["spec"].get("serviceAccountName") or "default") != account:
            raise BadRequestError(
                f"cannot bind token for serviceaccount {causes.go_quote(account)} to pod running with different "
                "serviceaccount name."
            )
        name = pod["spec"].get("nodeName")
        if not name:
            return None
        node = self._tokens.live("nodes", "", name)
        return name, node["metadata"]["uid"] if node else ""


def _read(call: Call) -> Object:
    """Give the body as a TokenRequest, defaulted, of ``metadata`` and ``spec``; what it says of a status is not read."""
    body = decoding.copied(call.request.body)
    if not isinstance(body, dict):
        raise BadRequestError(f"the body is not an object; send one {KIND.kind}")
    api_version, kind = body.get("apiVersion") or KIND.api_version, body.get("kind") or KIND.kind
    if (api_version, kind) != (KIND.api_version, KIND.kind):
        found = GVK.parse(str(api_version), str(kind))
        raise BadRequestError(
            f'{kind} in version "{found.version}" cannot be handled as a TokenRequest: converting '
            f"({found.version}.{kind}) to (authentication.TokenRequest): unknown conversion"
        )
    # Go clients write null for what they do not set.
    asked = {word: _present(body.get(word)) for word in ("metadata", "spec")}
    request: Object = {"kind": KIND.kind, "apiVersion": KIND.api_version, **asked}
    found_causes: list[Cause] = _schema().validate(request)
    if found_causes:
        raise causes.invalid(KIND, call.request.name, found_causes)
    request["spec"].setdefault("expirationSeconds", DEFAULT_LIFE_S)
    request["spec"].setdefault("boundObjectRef", None)
    return request


def _present(value: Any) -> Any:
    if value is None:
        return {}
    return (
        {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value
    )


@cache
def _schema() -> Schema:
    openapi = load().schema(KIND)
    if openapi is None:
        raise LookupError(f"{_QUALIFIED} has no schema; add it to the generated data")
    # A client need not name audiences, whatever the published schema says.
    return Schema.compile({**openapi, "required": []}, resolve=_resolve)


def _resolve(reference: str) -> dict[str, Any]:
    found = load().resolve(reference)
    return {**found, "required": []} if reference.endswith(".TokenRequestSpec") else found


def _check_place(meta: Object, namespace: str, name: str) -> None:
    for word, asked, wanted in (
        ("name", meta.get("name"), name),
        ("namespace", meta.get("namespace"), namespace),
    ):
        if asked and asked != wanted:
            text = f"must match the service account {word} if specified"
            raise causes.invalid(KIND, name, [causes.invalid_value(f"metadata.{word}", asked, text)])


def _check_life(life_s: int) -> None:
    if life_s < MIN_LIFE_S:
        text = "may not specify a duration less than 10 minutes"
    elif life_s > MAX_LIFE_S:
        text = "may not specify a duration larger than 2^32 seconds"
    else:
        return
    raise causes.invalid(KIND, "", [causes.invalid_value("spec.expirationSeconds", life_s, text)])


def _conflict(kind: str, group: str, name: str, text: str) -> ConflictError:
    qualified = f"{kind}.{group}" if group else kind
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {text}'
    return ConflictError(message, group=group, kind=kind, name=name)
