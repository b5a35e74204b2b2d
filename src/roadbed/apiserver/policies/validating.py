"""ValidatingAdmissionPolicies: expressions that must hold for a write, through the bindings that put them to use.

Called by ``Admission`` for every complete write that some bound policy names. All policies are evaluated, so that
every warning and audit annotation is given; the first denial is the answer.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/{dispatcher,validator}.go.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.errors import (
    ApiError,
    Cause,
    ForbiddenError,
    InvalidError,
    RequestEntityTooLargeError,
    UnauthorizedError,
)
from roadbed.apimachinery.gvk import Resource
from roadbed.apiserver.matching import name_shown

from .binding import Binding, Policies, Policy, Use
from .evaluation import Evaluation, OutOfBudgetError, Scope
from .expressions import Expression, compiled

FAILURE = "validation.policy.admission.k8s.io/validation_failure"
MOST_MESSAGE_BYTES = 5 * 1024
MOST_ANNOTATION_CHARACTERS = 10 * 1024
_ERRORS: dict[str, type[ApiError]] = {
    "Forbidden": ForbiddenError,
    "Unauthorized": UnauthorizedError,
    "RequestEntityTooLarge": RequestEntityTooLargeError,
}


@dataclass(frozen=True, slots=True)
class Validation:
    """One expression that must hold, and what is said when it does not."""

    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str


@dataclass(frozen=True, slots=True)
class Body:
    """What a policy checks and what it tells the audit log."""

    validations: tuple[Validation, ...]
    annotations: tuple[tuple[str, Expression], ...]


@dataclass(slots=True)
class _Outcome:
    """What policies said of one write so far; ``failures`` is for the audit log."""

    denials: list[tuple[Policy[Body], Binding | None, str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: str = ""
    annotations: dict[str, list[str]] = field(default_factory=dict)

    def add(self, more: _Outcome) -> None:
        """Take over what one more policy said."""
        self.denials += more.denials
        self.warnings += more.warnings
        self.failures = self.failures or more.failures
        for name, values in more.annotations.items():
            told = self.annotations.setdefault(name, [])
            told += [each for each in values if each not in told]


class ValidatingPolicies:
    """The validator that evaluates policies."""

    def __init__(self, policies: Policies[Body], evaluation: Evaluation) -> None:
        self._policies = policies
        self._evaluation = evaluation

    def sees(self, resource: Resource) -> bool:
        """Say whether a policy could want to see writes of this resource."""
        return self._policies.sees(resource)

    async def validate(self, request: AdmissionRequest) -> None:
        """Return when no policy denies the write.

        Raises:
            ApiError: one does, with the reason that its validation names.
        """
        outcome = _Outcome()
        for use in self._policies.uses(request):
            if use.fault:
                if use.policy.fails_closed:
                    outcome.denials.append((use.policy, use.binding, use.fault, ""))
                continue
            scope = await self._evaluation.seen_as(request, use.resource)
            for params in use.params:
                seen = scope.having(use.policy.variables, params)
                outcome.add(await self._evaluation.decide(seen, functools.partial(self._judge, use)))
        request.warnings.extend(outcome.warnings)
        if outcome.failures:
            request.annotations.setdefault(FAILURE, outcome.failures)
        for key, values in outcome.annotations.items():
            request.annotations[key] = ", ".join(values)
        if outcome.denials:
            raise _denied(request, *outcome.denials[0])

    def _judge(self, use: Use[Body], scope: Scope) -> _Outcome:
        outcome = _Outcome()
        policy, body = use.policy, use.policy.body
        assert not isinstance(body, str)  # noqa: S101 - a use of such a policy has a fault
        holds, trouble = policy.conditions.hold(scope)
        if trouble and policy.fails_closed:
            self._fail(use, 0, trouble, "", outcome)
        if not holds:
            return outcome
        try:
            self._validate(use, body, scope, outcome)
            audited = scope.anew()  # a budget of its own
            for name, expression in body.annotations:
                self._annotate(use, name, audited.run(expression), outcome)
        except OutOfBudgetError as error:
            if policy.fails_closed:
                self._fail(use, 0, str(error), "", outcome)
        return outcome

    def _validate(self, use: Use[Body], body: Body, scope: Scope, outcome: _Outcome) -> None:
        """Evaluate every validation, then the messages of those that do not hold.

        Raises:
            OutOfBudgetError: the validations cost too much together.
        """
        found = [scope.run(validation.expression) for validation in body.validations]
        for index, (validation, (value, trouble)) in enumerate(zip(body.validations, found, strict=True)):
            if value is True:
                continue
            text, reason = "", ""
            try:
                if trouble:
                    text = f"expression '{validation.expression.text}' resulted in error: {trouble}"
                else:
                    text, reason = _message(validation, scope), validation.reason
            except OutOfBudgetError as error:
                text = f"failed messageExpression: {error}"
            if reason or use.policy.fails_closed:
                self._fail(use, index, text, reason, outcome)

    @staticmethod
    def _fail(use: Use[Body], index: int, message: str, reason: str, outcome: _Outcome) -> None:
        binding = use.binding
        assert binding is not None  # noqa: S101 - only faults of a policy have none
        for action in binding.actions:
            if action == "Deny":
                outcome.denials.append((use.policy, binding, message, reason))
            elif action == "Warn":
                outcome.warnings.append(
                    f"Validation failed for ValidatingAdmissionPolicy '{use.policy.name}' with binding "
                    f"'{binding.name}': {message}"
                )
            elif action == "Audit":
                failure = {
                    "message": message,
                    "policy": use.policy.name,
                    "binding": binding.name,
                    "expressionIndex": index,
                    "validationActions": list(binding.actions),
                }
                outcome.failures = outcome.failures or orjson.dumps([failure]).decode()

    @staticmethod
    def _annotate(use: Use[Body], name: str, found: tuple[Any, str], outcome: _Outcome) -> None:
        value, trouble = found
        if trouble:
            if use.policy.fails_closed:
                outcome.denials.append((use.policy, use.binding, trouble, ""))
            return
        text = value.strip() if isinstance(value, str) else ""
        if not text:
            return
        values = outcome.annotations.setdefault(f"{use.policy.name}/{name}", [])
        if text[:MOST_ANNOTATION_CHARACTERS] not in values:
            values.append(text[:MOST_ANNOTATION_CHARACTERS])


def read_body(spec: Mapping[str, Any], variables: Mapping[str, str]) -> Body:
    """Compile what a policy checks.

    Raises:
        RuleError: an expression does not compile.
    """
    options: dict[str, Any] = {"variables": variables, "has_params": bool(spec.get("paramKind"))}
    validations = []
    for each in spec.get("validations") or ():
        told = each.get("messageExpression")
        validations.append(
            Validation(
                expression=compiled(str(each.get("expression")), "BOOL", **options),
                message=str(each.get("message") or "").strip(),
                message_expression=compiled(str(told), "STRING", is_message=True, **options)
                if told
                else None,
                reason=str(each.get("reason") or "Invalid"),
            )
        )
    annotations = (
        (str(each.get("key")), compiled(str(each.get("valueExpression")).strip(), "STRING?", **options))
        for each in spec.get("auditAnnotations") or ()
    )
    return Body(tuple(validations), tuple(annotations))


def _message(validation: Validation, scope: Scope) -> str:
    if validation.message_expression is not None:
        value, trouble = scope.run(validation.message_expression)
        text = value.strip() if isinstance(value, str) and not trouble else ""
        if text and "\n" not in text and len(text.encode()) <= MOST_MESSAGE_BYTES:
            return text
    return validation.message or f"failed expression: {validation.expression.text.strip()}"


def _denied(
    request: AdmissionRequest, policy: Policy[Body], binding: Binding | None, message: str, reason: str
) -> ApiError:
    through = f" with binding '{binding.name}'" if binding is not None else ""
    text = f"ValidatingAdmissionPolicy '{policy.name}'{through} denied request: {message}"
    resource = request.resource
    name = name_shown(request)
    family = _ERRORS.get(reason, InvalidError)
    return family(
        f'{resource.qualified} "{name}" is forbidden: {text}',
        group=resource.group,
        kind=resource.plural,
        name=name,
        causes=[Cause("", text)],
    )
