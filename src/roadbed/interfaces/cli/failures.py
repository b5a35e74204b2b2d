"""How failure is told at a terminal: ``error: <what>, <object>: <why>``, a ``hint:`` with the next step, a code.

Raised by commands, shown by ``main``. API errors become one here and nowhere else, so that every command
words the same trouble in the same way.
"""

from __future__ import annotations

import re
import sys

from roadbed.apimachinery.errors import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ServiceUnavailableError,
    UnauthorizedError,
)

FAILED, USAGE, NOT_FOUND, DENIED = 1, 2, 4, 5
MOST_CHARACTERS = 3000  # of a message: a server quotes the value that it refuses, whatever its length

# What moves a cursor, rings or hides text; a message may quote what anybody wrote.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_HINTS: dict[type[ApiError], str] = {
    ServiceUnavailableError: "start a platform with `roadbed up`, or name another one with --kubeconfig or --context",
    UnauthorizedError: "the kubeconfig's credentials are not valid here: take the one that `roadbed up` printed last",
    ForbiddenError: "ask whoever runs the platform for a Role with that verb and a RoleBinding to you",
    NotFoundError: "`roadbed get TYPE -A` lists what there is",
    ConflictError: "read the object again and repeat the change",
    AlreadyExistsError: "`roadbed apply` changes what exists already",
    InvalidError: "correct the fields that it names; `kubectl explain` and the portal show what they take",
}


class Failure(Exception):  # noqa: N818 - it is how a command ends, not an error of ours
    """The command failed; nothing more is printed than what is said here."""

    def __init__(
        self, what: str, *, about: str = "", why: str = "", hint: str = "", code: int = FAILED
    ) -> None:
        text = f"{what}, {about}" if about else what
        super().__init__(f"{text}: {why}" if why else text)
        self.hint = hint
        self.code = code

    def show(self) -> int:
        """Print it on stderr and give the exit code."""
        lines = [f"error: {legible(str(self))}", *([f"hint: {legible(self.hint)}"] if self.hint else [])]
        sys.stdout.flush()
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
        return self.code


def legible(text: str) -> str:
    """Give text that is safe to print: control characters are written out, and what is endless is cut."""
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        left_out = len(text) - 2 * half
        text = f"{text[:half]} … ({left_out} characters left out) … {text[-half:]}"
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def usage(message: str, *, hint: str = "") -> Failure:
    """Give the failure of a command line that makes no sense."""
    return Failure(message, hint=hint, code=USAGE)


def from_api(error: ApiError, what: str, about: str = "", *, hint: str = "") -> Failure:
    """Give the failure that an API error means for whoever typed the command."""
    code = FAILED
    if isinstance(error, NotFoundError):
        code = NOT_FOUND
    elif isinstance(error, ForbiddenError | UnauthorizedError):
        code = DENIED
    if not hint and error.kind == "namespaces" and error.name and code == NOT_FOUND:
        hint = f"`kubectl create namespace {error.name}` makes it, `roadbed get namespaces` lists those there are"
    if not hint:
        hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), "")
    if isinstance(error, BadRequestError) and "kubeconfig" in error.message:
        hint = "`export KUBECONFIG=…` as `roadbed up` printed it, or use --kubeconfig"
    return Failure(what, about=about, why=error.message, hint=hint, code=code)
