"""JSON patches and merge patches, applied to decoded JSON. Nothing given is changed; results may share parts.

Called by the API server for ``PATCH`` bodies, and by clients to make one (``diff_merge_patch``).

Sources: RFC 6902, RFC 7386, and the errors of evanphx/json-patch v4, which Kubernetes uses; like it,
``replace`` of a missing object member adds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from .defaulting import copy_json
from .errors import BadRequestError, InvalidError, RequestEntityTooLargeError
from .validation import same_json

MAX_OPERATIONS: Final = 10_000
MAX_COPIED_BYTES: Final = 3 * 1024 * 1024  # ``copy`` can double a document with every operation

_REJECTED: Final = "the server rejected our request due to an error in our request"
_MISSING: Final = "missing value"
_INDEX = re.compile(r"[+-]?[0-9]{1,18}")


def merge_patch(target: Any, patch: Any) -> Any:
    """Give ``target`` with ``patch`` merged in (RFC 7386): null removes, objects merge, the rest replaces."""
    if not isinstance(patch, dict):
        return patch
    merged: dict[str, Any] = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def diff_merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Give the smallest merge patch from ``old`` to ``new``; empty when they are the same.

    A merge patch can't write null, so a null in ``new`` counts as absent.
    """
    patch: dict[str, Any] = {}
    for name, value in new.items():
        before = old.get(name)
        if value is None or (name in old and same_json(before, value)):
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            below = diff_merge_patch(before, value)
            if below or not value:
                patch[name] = below
        else:
            patch[name] = _without_nulls(value)
    for name, before in old.items():
        if new.get(name) is None and before is not None:
            patch[name] = None
    return patch


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _without_nulls(each) for name, each in value.items() if each is not None}


def json_patch(document: Any, operations: Any) -> Any:
    """Give ``document`` after all operations (RFC 6902), or none of them.

    Raises:
        BadRequestError: ``operations`` is not a list of objects.
        RequestEntityTooLargeError: more than 10,000 operations, or ``copy`` made more than 3 MiB.
        InvalidError: an operation does not apply; the message names it and its path.
    """
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise BadRequestError("error decoding patch: a JSON patch is a list of operations, each an object")
    if len(operations) > MAX_OPERATIONS:
        raise RequestEntityTooLargeError(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    patching = _Patching(copy_json(document))
    try:
        for operation in operations:
            patching.apply(operation)
    except _DoesNotApplyError as error:
        raise InvalidError(f"{_REJECTED}: {error}") from error
    return patching.document


class _DoesNotApplyError(Exception):
    """One operation can't be done on this document."""


class _Patching:
    """A document in the middle of a patch; it is our own copy."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._copied_bytes = 0

    def apply(self, operation: Mapping[str, Any]) -> None:
        kind = operation.get("op")
        match kind:
            case "add":
                self._add(_pointer(operation, "path"), _value(operation), "add")
            case "remove":
                self._remove(_pointer(operation, "path"))
            case "replace":
                self._replace(_pointer(operation, "path"), _value(operation))
            case "move":
                source, path = _pointer(operation, "from"), _pointer(operation, "path")
                value = self._get(source, "move")
                self._remove(source)
                self._add(path, value, "move")
            case "copy":
                self._copy(_pointer(operation, "from"), _pointer(operation, "path"))
            case "test":
                self._test(_pointer(operation, "path"), operation.get("value"))
            case _:
                raise _DoesNotApplyError(f"Unexpected kind: {kind or 'unknown'}")

    def _container(self, pointer: str, kind: str) -> tuple[Any, str]:
        """Give the object or list that holds the last part of a pointer, and that part."""
        tokens = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]
        holder = self.document
        for part in tokens[1:-1]:
            if isinstance(holder, dict):
                holder = holder.get(part)
            else:
                index = _index(part, len(holder)) if isinstance(holder, list) else None
                holder = holder[index] if index is not None else None
        if len(tokens) < 2 or not isinstance(holder, dict | list):
            raise _DoesNotApplyError(
                f'{kind} operation does not apply: doc is missing path: "{pointer}": {_MISSING}'
            )
        return holder, tokens[-1]

    def _get(self, pointer: str, kind: str) -> Any:
        holder, last = self._container(pointer, kind)
        if isinstance(holder, dict):
            return holder.get(last)
        index = _index(last, len(holder))
        if index is None:
            raise _DoesNotApplyError(f"error in {kind} for path: '{pointer}': {_bad_index(last)}")
        return holder[index]

    def _add(self, pointer: str, value: Any, kind: str) -> None:
        holder, last = self._container(pointer, kind)
        if isinstance(holder, dict):
            holder[last] = value
        elif last == "-":
            holder.append(value)
        else:
            index = _index(last, len(holder) + 1)
            if index is None:
                raise _DoesNotApplyError(f"error in {kind} for path: '{pointer}': {_bad_index(last)}")
            holder.insert(index, value)

    def _remove(self, pointer: str) -> None:
        holder, last = self._container(pointer, "remove")
        if isinstance(holder, dict):
            if last not in holder:
                raise _DoesNotApplyError(
                    f"error in remove for path: '{pointer}': Unable to remove nonexistent key: {last}: "
                    f"{_MISSING}"
                )
            del holder[last]
            return
        index = _index(last, len(holder))
        if index is None:
            raise _DoesNotApplyError(f"error in remove for path: '{pointer}': {_bad_index(last)}")
        del holder[index]

    def _replace(self, pointer: str, value: Any) -> None:
        if pointer == "":
            if not isinstance(value, dict | list):
                raise _DoesNotApplyError("replace operation value must be object or array")
            self.document = value
            return
        holder, last = self._container(pointer, "replace")
        if isinstance(holder, dict):
            holder[last] = value
            return
        index = _index(last, len(holder))
        if index is None:
            raise _DoesNotApplyError(
                f"replace operation does not apply: doc is missing key: {pointer}: {_MISSING}"
            )
        holder[index] = value

    def _copy(self, source: str, pointer: str) -> None:
        value = self._get(source, "copy")
        self._copied_bytes += len(orjson.dumps(value))
        if self._copied_bytes > MAX_COPIED_BYTES:
            raise RequestEntityTooLargeError(
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied_bytes}, exceeding the limit {MAX_COPIED_BYTES}"
            )
        self._add(pointer, copy_json(value), "copy")

    def _test(self, pointer: str, value: Any) -> None:
        found = self.document if pointer == "" else self._get(pointer, "test")
        if not same_json(found, value):
            raise _DoesNotApplyError(f"testing value {pointer} failed: test failed")


def _pointer(operation: Mapping[str, Any], member: str) -> str:
    found = operation.get(member)
    if not isinstance(found, str):
        raise _DoesNotApplyError(f"{operation.get('op')} operation failed to decode {member}: {_MISSING}")
    return found


def _value(operation: Mapping[str, Any]) -> Any:
    # The patch may be applied again (a retry on conflict): what goes into the document is a copy.
    return copy_json(operation.get("value"))


def _index(last: str, length: int) -> int | None:
    """Give the position that a part names in a list of that length, negative ones from the end, else None."""
    if not _INDEX.fullmatch(last):
        return None
    index = int(last)
    if not -length <= index < length:
        return None
    return index + length if index < 0 else index


def _bad_index(last: str) -> str:
    if _INDEX.fullmatch(last):
        return f"Unable to access invalid index: {int(last)}: invalid index referenced"
    return f"value was not a proper array index: '{last}'"
