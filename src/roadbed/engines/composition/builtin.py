"""Which packages are functions that are built in, and how a ``functionRef`` finds its function.

Called by the Function, revision and composite reconcilers. A package is recognised by the last part of
its repository, at any registry and tag: what is built in is the function of that name, not of that image.
"""

from __future__ import annotations

from collections.abc import Callable

from roadbed.apimachinery.request import Object

from .functions.auto_ready import AutoReady
from .functions.patch_and_transform import PatchAndTransform
from .functions.protocol import Function, FunctionError

BUILT_IN = ("function-auto-ready", "function-patch-and-transform")


class Functions:
    """The functions that pipelines may call; ``find`` gives a Function object by name, or None."""

    def __init__(self, find: Callable[[str], Object | None]) -> None:
        self._find = find
        self._functions: dict[str, Function] = {
            "function-auto-ready": AutoReady(),
            "function-patch-and-transform": PatchAndTransform(),
        }

    def named(self, name: str) -> Function:
        """Give the function that a Function object of this name stands for.

        Raises:
            FunctionError: there is no such object, or its package is not built in.
        """
        problem = self.problem(name)
        if problem:
            raise FunctionError(problem)
        return self._functions[repository(package_of(self._find(name) or {}))]

    def problem(self, name: str) -> str:
        """Say why a function can't be called and what to do, or nothing."""
        found = self._find(name)
        if found is None:
            return f'function "{name}" is not installed: create a Function object of that name'
        return refusal(package_of(found))


def package_of(function: Object) -> str:
    """Give ``spec.package``."""
    return str((function.get("spec") or {}).get("package") or "")


def repository(package: str) -> str:
    """Give the last part of a package's repository: without registry, tag and digest."""
    return package.partition("@")[0].rpartition("/")[2].partition(":")[0]


def refusal(package: str) -> str:
    """Say why a package can't be used, or nothing."""
    if repository(package) in BUILT_IN:
        return ""
    return (
        f'package "{package}" is not built in, and packages can\'t be pulled yet: '
        f"use one of {', '.join(BUILT_IN)}"
    )
