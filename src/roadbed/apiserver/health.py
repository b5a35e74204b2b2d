"""Health: ``/healthz`` and ``/livez`` say that the process answers, ``/readyz`` what is not ready yet.

Asked by ``documents``. Checks are asked on the event loop, one after another, and give their answer at once; any
room may add one while the server runs. ``/healthz`` and ``/livez`` ask only those of the server itself, because a
platform that is not ready yet need not be restarted.

Source: k8s.io/apiserver/pkg/server/healthz.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from platform import machine, python_version
from typing import Final

import orjson

import roadbed
from roadbed.apis import kubernetes

Checks = Mapping[str, Callable[[], str]]
"""By name; each gives the empty string, or what is not ready."""

ROOTS: Final = ("healthz", "livez", "readyz")
_ALIVE: Final[Checks] = {"ping": lambda: ""}


@dataclass(frozen=True, slots=True)
class Text:
    """A status code and a plain text."""

    status: int
    body: bytes


class Health:
    """Answers the health addresses; checks may be added to both mappings while the server runs.

    ``live`` are asked at all three addresses, ``ready`` at ``/readyz`` only.
    """

    def __init__(self, ready: Checks, live: Checks = _ALIVE) -> None:
        self._ready = ready
        self._live = {**_ALIVE, **live}

    def answer(self, path: str, query: Mapping[str, str]) -> Text | None:
        """Give the answer at a path, None where it is no health address.

        ``verbose`` lists every check, ``exclude`` (separated by commas) leaves some out.
        """
        root, slash, one = path.removeprefix("/").partition("/")
        if root not in ROOTS:
            return None
        checks = self._checks(root)
        if slash:
            return self._one(one, checks)
        return self._all(root, checks, query)

    def paths(self) -> list[str]:
        """Give every address."""
        return [
            path
            for root in ROOTS
            for path in (f"/{root}", *(f"/{root}/{name}" for name in self._checks(root)))
        ]

    def _checks(self, root: str) -> Checks:
        return {**self._live, **self._ready} if root == "readyz" else self._live

    def _one(self, name: str, checks: Checks) -> Text | None:
        check = checks.get(name)
        if check is None:
            return None
        wrong = check()
        return Text(500, f"internal server error: {wrong}\n".encode()) if wrong else Text(200, b"ok")

    def _all(self, root: str, checks: Checks, query: Mapping[str, str]) -> Text:
        excluded = {name for name in query.get("exclude", "").split(",") if name}
        found = {name: "" if name in excluded else check() for name, check in checks.items()}
        is_well = not any(found.values())
        if is_well and "verbose" not in query:
            return Text(200, b"ok")
        lines = [_line(name, wrong, is_excluded=name in excluded) for name, wrong in found.items()]
        unknown = sorted(excluded - set(checks))
        if unknown:
            names = ", ".join(f'"{name}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
        lines.append(f"{root} check {'passed' if is_well else 'failed'}")
        return Text(200 if is_well else 500, "\n".join(lines).encode() + b"\n")


def _line(name: str, wrong: str, *, is_excluded: bool) -> str:
    if is_excluded:
        return f"[+]{name} excluded: ok"
    return f"[-]{name} not ready: {wrong}" if wrong else f"[+]{name} ok"


def version() -> bytes:
    """Give the encoded answer of ``/version``: the Kubernetes release whose semantics are served, and ours."""
    release = kubernetes.load().version
    major, minor, _ = release.removeprefix("v").split(".", 2)
    return orjson.dumps(
        {
            "major": major,
            "minor": minor,
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": str(int(minor) - 1),
            "gitVersion": f"{release}+roadbed-{roadbed.__version__}",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": f"python {python_version()}",
            "platform": f"linux/{machine()}",
        }
    )
