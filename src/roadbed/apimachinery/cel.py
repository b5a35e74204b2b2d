"""Validation rules of custom resources (``x-kubernetes-validations``), in CEL."""

from __future__ import annotations

from typing import Any

from .errors import Cause
from .request import Object


class CelRules:
    """The compiled rules of one schema."""

    @staticmethod
    def compile(node: Any) -> CelRules | None:
        """Compile all rules below a schema node; None when there are none.

        Call ``check_rules`` first: a rule that does not compile raises InvalidError here.
        """
        raise NotImplementedError

    def validate(self, obj: Object, old: Object | None = None) -> list[Cause]:
        """Give one cause for each rule that does not hold; ``old`` enables transition rules."""
        raise NotImplementedError


def check_rules(openapi: dict[str, Any], path: str) -> list[Cause]:
    """Give the faults of all rules in a CRD's ``openAPIV3Schema`` that lives at ``path`` in the CRD."""
    raise NotImplementedError
