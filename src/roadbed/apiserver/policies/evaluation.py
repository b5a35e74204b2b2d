"""What the expressions of admission see of one write, built once and shared by all of them.

``Evaluation`` is made with the server; ``Scope`` lives as long as one stage looks at one write. Nothing is cached
between writes. Evaluating changes nothing but the scope, so that ``decide`` can begin it anew beside the event loop.

Source: k8s.io/apiserver/pkg/admission/plugin/cel/{activation,condition}.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.cel_costs import (
    NATIVE_BYTES,
    PER_CONDITIONS,
    PER_EXPRESSION,
    PER_OBJECT,
    CostExceededError,
    Extent,
    Turn,
    extent,
)
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apiserver.beside import Beside
from roadbed.apiserver.matching import Cluster, namespace_of
from roadbed.apiserver.ports import Authorizer

from . import authorizer as checks
from .expressions import Expression, activation

OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


Result = TypeVar("Result")


class OutOfBudgetError(Exception):
    """The expressions of one policy, or the conditions of one webhook, cost too much together."""


class Evaluation:
    """Makes scopes, and has expressions evaluated in them."""

    def __init__(self, cluster: Cluster, authorizer: Authorizer, beside: Beside) -> None:
        self._cluster = cluster
        self._authorizer = authorizer
        self._beside = beside

    async def decide(self, scope: Scope, judge: Callable[[Scope], Result]) -> Result:
        """Give what ``judge`` makes of a scope; it changes nothing else, for it may be begun twice."""
        return await self._beside.run(lambda turn: judge(scope.within(turn)))

    async def seen_as(self, request: AdmissionRequest, resource: Resource) -> Scope:
        """Give a write as expressions see it, its objects in the version of ``resource``.

        Raises:
            ApiError: they can't be brought into that version.
        """
        shown = self._cluster.shown
        is_namespace = request.resource.qualified == "namespaces"
        namespace = "" if is_namespace else request.namespace
        own = request.resource
        values = {
            "object": await shown(request, request.object, resource),
            "oldObject": await shown(request, request.old, resource),
            "request": request_value(request, resource),
            "namespaceObject": _shown(self._cluster.namespace(namespace)) if namespace else None,
            "authorizer": checks.check(),
            "authorizer.requestResource": checks.check(
                group=own.group,
                resource=own.plural,
                subresource=request.subresource,
                namespace=namespace_of(request),
                name=request.name,
            ),
            "params": None,
            "variables": {},
        }
        return Scope(self._authorizer, request, values)


class Scope:
    """One write before the expressions of one policy; ``variables`` are evaluated when one is first read."""

    def __init__(
        self,
        authorizer: Authorizer,
        request: AdmissionRequest,
        values: dict[str, Any],
        variables: Mapping[str, Expression] | None = None,
        turn: Turn | None = None,
        budget: int = PER_OBJECT,
    ) -> None:
        self._authorizer = authorizer
        self._request = request
        self._values = values
        self._declared = variables or {}
        self._turn = turn or Turn()
        self._left = budget
        self._known: dict[str, Any] = {}
        self._failed: dict[str, str] = {}
        self._bounded: list[Expression] = []  # whose bounds were spent, not their costs
        self._extent: Extent | None = None

    def within(self, turn: Turn) -> Scope:
        """Give the same write, its budget unspent, to be looked at within a turn."""
        return Scope(self._authorizer, self._request, self._values, self._declared, turn)

    def having(self, variables: Sequence[tuple[str, Expression]], params: Object | None = None) -> Scope:
        """Give the same write with a policy's variables and parameters."""
        values = {**self._values, "params": params}
        return Scope(self._authorizer, self._request, values, dict(variables), self._turn)

    def replacing(self, obj: Object) -> Scope:
        """Give the same write with another object, its variables to be evaluated again."""
        values = {**self._values, "object": obj}
        return Scope(self._authorizer, self._request, values, self._declared, self._turn)

    def conditional(self) -> Scope:
        """Give the same write for match conditions, which have a budget of their own."""
        declared, turn = self._declared, self._turn
        return Scope(self._authorizer, self._request, self._values, declared, turn, PER_CONDITIONS)

    def anew(self) -> Scope:
        """Give the same write with its budget unspent."""
        return self.within(self._turn)

    @property
    def object(self) -> Any:
        """The object as expressions see it."""
        return self._values["object"]

    def run(self, expression: Expression) -> tuple[Any, str]:
        """Give the plain value of an expression, or what went wrong.

        Raises:
            TooLongError: the turn is over.
            OutOfBudgetError: it and those before it cost too much together.
        """
        with checks.asking(self._authorizer, self._request.user):
            return self._run(expression)

    def _run(self, expression: Expression) -> tuple[Any, str]:
        for name in expression.reads:
            self._resolve(name)
        seen = {**self._values, "variables": self._known}
        bound = expression.expense.bound.of(self._size())
        self._turn.spend(min(bound, PER_EXPRESSION))
        if bound > self._left:
            self._settle()
        if bound > PER_EXPRESSION or bound > self._left or self._size().total > NATIVE_BYTES:
            value, trouble = self._counted(expression, seen)
        else:
            value, trouble = expression.run(activation(seen))
            if "budget exceeded" in trouble:  # the runtime's own, of iterations
                value, trouble = self._counted(expression, seen)
            else:
                self._left -= bound
                self._bounded.append(expression)
        if trouble:
            trouble = self._blame(expression, trouble)
        return value, trouble

    def _size(self) -> Extent:
        if self._extent is None:
            self._extent = extent(*self._values.values(), self._known)
        return self._extent

    def _counted(self, expression: Expression, seen: dict[str, Any]) -> tuple[Any, str]:
        try:
            value, trouble, cost = expression.expense.run(seen, PER_EXPRESSION)
        except CostExceededError as error:
            if self._left < PER_EXPRESSION:
                raise OutOfBudgetError(OUT_OF_BUDGET) from error
            self._left -= PER_EXPRESSION
            return None, "operation cancelled: actual cost limit exceeded"
        self._left -= cost
        if self._left < 0:
            raise OutOfBudgetError(OUT_OF_BUDGET)
        return value, trouble

    def _settle(self) -> None:
        """Take back the bounds that were spent, and spend what the expressions cost."""
        seen = {**self._values, "variables": self._known}
        bounded, self._bounded = self._bounded, []
        for each in bounded:
            self._left += each.expense.bound.of(self._size())
        for each in bounded:
            self._counted(each, seen)

    def _resolve(self, name: str) -> None:
        if name in self._known or name in self._failed or name not in self._declared:
            return
        self._failed[name] = "it reads itself"
        value, trouble = self._run(self._declared[name])
        if trouble:
            self._failed[name] = trouble
        else:
            del self._failed[name]
            self._known[name] = value
            self._extent = None

    def _blame(self, expression: Expression, trouble: str) -> str:
        """Say why a variable is missing where an expression stumbled over that."""
        for name in expression.reads:
            if name in self._failed and trouble == f"no such key: {name}":
                return f'composited variable "{name}" fails to evaluate: {self._failed[name]}'
        return trouble


def request_value(request: AdmissionRequest, resource: Resource) -> dict[str, Any]:
    """Give ``request``: what an AdmissionReview would say but for the objects."""
    own = request.resource
    user: dict[str, Any] = {
        "username": request.user.name,
        "uid": request.user.uid,
        "groups": list(request.user.groups),
        "extra": {key: list(values) for key, values in request.user.extra.items()},
    }
    user = {name: value for name, value in user.items() if value}
    seen_kind, own_kind = request.kind or resource.gvk, request.kind or own.gvk
    asked: dict[str, Any] = {
        "kind": {"group": seen_kind.group, "version": seen_kind.version, "kind": seen_kind.kind},
        "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
        "subResource": request.subresource,
        "requestKind": {"group": own_kind.group, "version": own_kind.version, "kind": own_kind.kind},
        "requestResource": {"group": own.group, "version": own.version, "resource": own.plural},
        "requestSubResource": request.subresource,
        "name": request.name,
        "namespace": namespace_of(request),
        "operation": request.operation,
        "userInfo": user,
        "dryRun": request.dry_run,
        "options": dict(request.options),
    }
    return {name: value for name, value in asked.items() if value != ""}  # as Go leaves them out


def _shown(namespace: Object | None) -> Object | None:
    """Give a Namespace with those members that expressions may see."""
    if namespace is None:
        return None
    meta = namespace["metadata"]
    members = (
        "name",
        "generateName",
        "namespace",
        "labels",
        "annotations",
        "uid",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "resourceVersion",
        "finalizers",
    )
    kept: Object = {
        name: namespace[name] for name in ("apiVersion", "kind", "spec", "status") if name in namespace
    }
    kept["metadata"] = {name: meta[name] for name in members if name in meta}
    return kept
