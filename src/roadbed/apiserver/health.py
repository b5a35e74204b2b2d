"""Health: ``/healthz`` and ``/livez`` say that the process answers, ``/readyz`` what is not ready yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from platform import machine, python_version

import orjson

import roadbed
from roadbed.apis import kubernetes

Checks = Mapping[str, Callable[[], str]]
"""By name; each gives the empty string, or what is not ready."""


@dataclass(frozen=True, slots=True)
class Text:
    """A status code and a plain text."""

    status: int
    body: bytes


class Health:
    """Answers the health addresses; checks may be added to the mapping while the server runs."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    def answer(self, path: str, query: Mapping[str, str]) -> Text | None:
        """Give the answer at a path, None where it is no health address."""
        root, _, one = path.removeprefix("/").partition("/")
        if root not in ("healthz", "livez", "readyz"):
            return None
        if one:
            return self._one(one) if root == "readyz" else None
        if root != "readyz":
            return Text(200, b"ok")
        return self._all(is_verbose="verbose" in query)

    def _one(self, name: str) -> Text | None:
        check = self._checks.get(name)
        if check is None:
            return None
        wrong = check()
        return Text(503, f"{name}: {wrong}\n".encode()) if wrong else Text(200, b"ok")

    def _all(self, *, is_verbose: bool) -> Text:
        found = {name: check() for name, check in self._checks.items()}
        is_ready = not any(found.values())
        if is_ready and not is_verbose:
            return Text(200, b"ok")
        lines = [
            f"[-]{name} not ready: {wrong}" if wrong else f"[+]{name} ok" for name, wrong in found.items()
        ]
        lines.append("readyz check passed" if is_ready else "readyz check failed")
        return Text(200 if is_ready else 503, "\n".join(lines).encode() + b"\n")


def version() -> bytes:
    """Give the encoded answer of ``/version``: the Kubernetes release whose semantics are served, and ours."""
    release = kubernetes.load().version
    major, minor, _ = release.removeprefix("v").split(".", 2)
    return orjson.dumps(
        {
            "major": major,
            "minor": minor,
            "gitVersion": f"{release}+roadbed-{roadbed.__version__}",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "",
            "goVersion": "",
            "compiler": f"python {python_version()}",
            "platform": f"linux/{machine()}",
        }
    )
