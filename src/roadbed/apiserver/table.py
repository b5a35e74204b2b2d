"""Tables and metadata-only views: the forms of objects that kubectl and informers ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.request import Object, Page

from .columns import Column
from .registry import Served

_GROUP = "meta.k8s.io"
_INCLUDES = ("", "Metadata", "Object", "None")


def include_object(text: str) -> str:
    """Read ``includeObject``; ``Metadata`` where it is not set.

    Raises:
        BadRequestError: another value.
    """
    if text not in _INCLUDES:
        raise BadRequestError(
            f"Unable to convert to Table as requested: includeObject: Invalid value: {go_quote(text)}: must be "
            "'Metadata', 'Object', 'None', or empty"
        )
    return text or "Metadata"


def table(
    columns: Sequence[Column],
    values: Iterable[bytes],
    meta: dict[str, Any],
    now: datetime,
    *,
    include: str,
    headed: bool = True,
    version: str = "v1",
) -> bytes:
    """Give objects as one encoded Table; ``headed`` off leaves column definitions out (later watch events)."""
    rows = [_row(columns, value, now, include, version) for value in values]
    return orjson.dumps(
        {
            "kind": "Table",
            "apiVersion": f"{_GROUP}/{version}",
            "metadata": meta,
            "columnDefinitions": [_definition(column) for column in columns] if headed else None,
            "rows": rows,
        }
    )


def partial(value: bytes, *, version: str = "v1") -> bytes:
    """Give one object's metadata as encoded PartialObjectMetadata."""
    return orjson.dumps(_partial(orjson.loads(value), version))


def partial_list(page: Page, *, version: str = "v1") -> bytes:
    """Give a page as encoded PartialObjectMetadataList."""
    items = [_partial(orjson.loads(item), version) for item in page.items]
    return orjson.dumps(
        {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"{_GROUP}/{version}",
            "metadata": page_meta(page),
            "items": items,
        }
    )


def page_meta(page: Page) -> dict[str, Any]:
    """Give the metadata of a list."""
    meta: dict[str, Any] = {"resourceVersion": page.revision}
    if page.continue_token:
        meta["continue"] = page.continue_token
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    return meta


def plain_list(served: Served, page: Page) -> bytes:
    """Give a page as the kind's encoded list: a join of stored bytes."""
    resource = served.resource
    if served.is_custom or not page.items:
        items = b",".join(page.items)
    else:  # items of built-in lists don't repeat what the list says of all of them
        skipped = len(b'{"apiVersion":"","kind":"",') + len(resource.api_version) + len(resource.kind)
        items = b"{" + b",{".join([item[skipped:] for item in page.items])
    # Lists of custom resources say that there is no more, those of built-in kinds say nothing.
    meta = {"continue": "", **page_meta(page)} if served.is_custom else page_meta(page)
    head = {"kind": served.list_kind, "apiVersion": resource.api_version, "metadata": meta}
    return b'%b,"items":[%b]}' % (orjson.dumps(head)[:-1], items)


def _partial(obj: Object, version: str) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": f"{_GROUP}/{version}", "metadata": obj["metadata"]}


def _row(
    columns: Sequence[Column], value: bytes, now: datetime, include: str, version: str
) -> dict[str, Any]:
    obj = orjson.loads(value)
    row: dict[str, Any] = {"cells": [column.cell(obj, now) for column in columns]}
    if include == "Object":
        row["object"] = orjson.Fragment(value)
    elif include == "Metadata":
        row["object"] = _partial(obj, version)
    else:
        row["object"] = None
    return row


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }
