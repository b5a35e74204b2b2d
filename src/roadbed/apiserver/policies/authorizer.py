"""The ``authorizer`` of admission expressions: may the writer do this, too?

``expressions`` declares the functions, ``evaluation`` says on whose behalf they ask. A check in progress is the text
of its attributes under a tag key, as this CEL runtime has no types of our own; a decision likewise.

Source: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-authorizer-library
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import orjson

from roadbed.apimachinery.cel_library import runtime
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.request import User
from roadbed.apiserver.beside import at_home
from roadbed.apiserver.ports import Attributes, Authorizer

CHECK: Final = "\x01authorizer"
DECISION: Final = "\x01decision"
_ASKED: ContextVar[tuple[Authorizer, User] | None] = ContextVar("asked", default=None)


@contextmanager
def asking(authorizer: Authorizer, user: User) -> Iterator[None]:
    """Let the expressions evaluated inside ask on behalf of ``user``."""
    token = _ASKED.set((authorizer, user))
    try:
        yield
    finally:
        _ASKED.reset(token)


def check(**attributes: str) -> dict[str, str]:
    """Give a check in progress."""
    return {CHECK: orjson.dumps(attributes).decode()}


@functools.cache
def extension() -> Any:
    """Give the functions, for an environment."""
    cel = runtime()
    kinds = cel.Type
    tagged, text, truth = kinds.Map(kinds.STRING, kinds.STRING), kinds.STRING, kinds.BOOL

    def method(name: str, result: Any, parameters: list[Any], body: Callable[..., Any]) -> Any:
        overload = cel.Overload(f"k8s_authz_{name}", result, [tagged, *parameters], True, body)
        return cel.FunctionDecl(name, [overload])

    return cel.CelExtension(
        "kubernetes.authz",
        [
            method("path", tagged, [text], lambda each, path: _with(each, path=path)),
            method("group", tagged, [text], lambda each, group: _with(each, group=group)),
            method("serviceAccount", tagged, [text, text], _service_account),
            method("resource", tagged, [text], lambda each, name: _with(each, resource=name)),
            method("subresource", tagged, [text], lambda each, name: _with(each, subresource=name)),
            method("namespace", tagged, [text], lambda each, name: _with(each, namespace=name)),
            method("name", tagged, [text], lambda each, name: _with(each, name=name)),
            # As told, though RBAC looks at no selectors, be they well written or not.
            method("fieldSelector", tagged, [text], lambda each, told: _with(each, fieldSelector=told)),
            method("labelSelector", tagged, [text], lambda each, told: _with(each, labelSelector=told)),
            method("check", tagged, [text], _check),
            method("allowed", truth, [], lambda each: bool(_decision(each)["allowed"])),
            method("reason", text, [], lambda each: str(_decision(each)["reason"])),
            method("errored", truth, [], lambda each: bool(_decision(each)["error"])),
            method("error", text, [], lambda each: str(_decision(each)["error"])),
        ],
    )


def _with(each: Mapping[str, str], **attributes: str) -> dict[str, str]:
    return {CHECK: orjson.dumps({**_attributes(each), **attributes}).decode()}


def _attributes(each: Mapping[str, str]) -> dict[str, str]:
    if CHECK not in each:
        raise ValueError("no such overload")
    found: dict[str, str] = orjson.loads(each[CHECK])
    return found


def _service_account(each: Mapping[str, str], namespace: str, name: str) -> dict[str, str]:
    return _with(each, user=f"system:serviceaccount:{namespace}:{name}", userNamespace=namespace)


def _check(each: Mapping[str, str], verb: str) -> dict[str, str]:
    asked = _ASKED.get()
    if asked is None:
        raise ValueError("nobody asks")
    authorizer, user = asked
    told = _attributes(each)
    if "user" in told:
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{told['userNamespace']}",
            "system:authenticated",
        )
        user = User(told["user"], groups)
    members = ("group", "resource", "subresource", "namespace", "name", "path")
    attributes = Attributes(verb, **{member: told[member] for member in members if member in told})
    decision: dict[str, Any] = {"allowed": True, "reason": "", "error": ""}
    try:
        at_home(functools.partial(authorizer.check, user, attributes))
    except ApiError:
        decision["allowed"] = False
    return {DECISION: orjson.dumps(decision).decode()}


def _decision(each: Mapping[str, str]) -> dict[str, Any]:
    if DECISION not in each:
        raise ValueError("no such overload")
    found: dict[str, Any] = orjson.loads(each[DECISION])
    return found
