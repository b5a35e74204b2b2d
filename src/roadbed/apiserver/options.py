"""What a request's options may say, judged before anything else is done, in Kubernetes' words.

``dispatch`` asks once for each request; handlers then read options that make sense. Pure, and nearly free for
a request without options.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/validation and pkg/apis/meta/internalversion/validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from roadbed.apimachinery.causes import (
    forbidden,
    go_quote,
    invalid,
    invalid_value,
    not_supported,
    required,
    too_long,
)
from roadbed.apimachinery.errors import BadRequestError, Cause
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.request import APPLY_PATCH, ApiRequest

MOST_MANAGER_BYTES: Final = 128  # of a field manager's name
_KINDS: Final = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}
_LISTING: Final = ("list", "watch", "deletecollection")
_STRICTNESS: Final = ("", "Ignore", "Strict", "Warn")
_MATCHES: Final = ("", "Exact", "NotOlderThan")
_NUMBERS: Final = ("limit", "timeoutSeconds")
_MATCH: Final = "resourceVersionMatch"


def check(request: ApiRequest) -> None:
    """Hold a request's options to what its verb takes.

    Raises:
        InvalidError: naming each option at fault.
        BadRequestError: a number that is none.
    """
    verb, options = request.verb, request.options
    if verb in _LISTING:
        if options:
            _check_list(verb, options)
    elif verb in _KINDS:
        _check_write(request)


def whole(options: Mapping[str, str], name: str) -> int:
    """Give the number that an option says; 0 where it is absent.

    Raises:
        BadRequestError: it is no number of 64 bits.
    """
    text = options.get(name)
    if text is None:
        return 0
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits.isascii() or not digits.isdigit():
        raise BadRequestError(f"strconv.ParseInt: parsing {go_quote(text)}: invalid syntax")
    if len(digits) > 19 or abs(int(text)) >= 2**63:
        raise BadRequestError(f"strconv.ParseInt: parsing {go_quote(text)}: value out of range")
    return int(text)


def _check_list(verb: str, options: Mapping[str, str]) -> None:
    for name in _NUMBERS:
        if name in options:
            whole(options, name)
    if _MATCH not in options and "sendInitialEvents" not in options:
        return
    causes = _watch_causes(options) if verb == "watch" else _list_causes(options)
    if causes:
        raise invalid(GVK("meta.k8s.io", "", "ListOptions"), "", causes)


def _list_causes(options: Mapping[str, str]) -> list[Cause]:
    match, revision, causes = options.get(_MATCH, ""), options.get("resourceVersion", ""), []
    if match and not revision:
        causes.append(forbidden(_MATCH, f"{_MATCH} is forbidden unless resourceVersion is provided"))
    if match and options.get("continue"):
        causes.append(forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
    if match not in _MATCHES:
        causes.append(not_supported(_MATCH, match, ("Exact", "NotOlderThan", "")))
    if match == "Exact" and revision == "0":
        causes.append(forbidden(_MATCH, f'{_MATCH} "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in options:
        causes.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: Mapping[str, str]) -> list[Cause]:
    match, sends, causes = options.get(_MATCH, ""), "sendInitialEvents" in options, []
    if sends and match != "NotOlderThan":
        causes.append(forbidden(_MATCH, f"sendInitialEvents requires setting {_MATCH} to NotOlderThan"))
    if match and not sends:
        causes.append(
            forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided")
        )
    if match and match != "NotOlderThan":
        causes.append(not_supported(_MATCH, match, ("NotOlderThan",)))
    if match and options.get("continue"):
        causes.append(forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
    return causes


def _check_write(request: ApiRequest) -> None:
    options, causes = request.options, []
    manager = options.get("fieldManager", "")
    if request.verb == "patch":
        if request.patch_type == APPLY_PATCH and not manager:
            causes.append(required("fieldManager", "is required for apply patch"))
        elif request.patch_type != APPLY_PATCH and "force" in options:
            causes.append(forbidden("force", "may not be specified for non-apply patch"))
    if len(manager) > MOST_MANAGER_BYTES or not manager.isprintable():
        causes.extend(_manager_causes(manager))
    if options.get("dryRun", "All") != "All":
        causes.append(not_supported("dryRun", [options["dryRun"]], ("All",)))
    if options.get("fieldValidation", "") not in _STRICTNESS:
        causes.append(not_supported("fieldValidation", options["fieldValidation"], _STRICTNESS))
    if causes:
        raise invalid(GVK("meta.k8s.io", "", _KINDS[request.verb]), "", causes)


def _manager_causes(manager: str) -> list[Cause]:
    causes = []
    if len(manager.encode()) > MOST_MANAGER_BYTES:
        causes.append(too_long("fieldManager", MOST_MANAGER_BYTES))
    place = 0
    for character in manager:
        if not character.isprintable():
            detail = f"invalid character U+{ord(character):04X} (at position {place})"
            causes.append(invalid_value("fieldManager", manager, detail))
        place += len(character.encode())
    return causes
