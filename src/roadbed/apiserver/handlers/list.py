"""List: pages of stored bytes, from the watch cache or, at an older revision, from the log."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import replace

import orjson

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import (
    BadRequestError,
    Cause,
    ExpiredError,
    TimeoutError,  # noqa: A004 - the reason's own name
)
from roadbed.apimachinery.fields import FieldSelector
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.request import Page
from roadbed.apiserver.context import Call, Core
from roadbed.apiserver.options import whole
from roadbed.apiserver.registry import Served
from roadbed.apiserver.watchcache import Entry, Selection
from roadbed.storage import CompactedError, Revision


async def list_page(core: Core, call: Call) -> Page:
    """Give one page.

    Raises:
        BadRequestError: a selector, limit, revision or continue token makes no sense.
        ExpiredError: the continue token's revision is compacted; carries a fresh token.
        TimeoutError: the revision asked for is in the future.
    """
    options = call.request.options
    token = options.get("continue", "")
    # As Kubernetes, which gives all that its cache holds to those who take anything.
    limit = 0 if options.get("resourceVersion") == "0" else max(0, whole(options, "limit"))
    wanted = selection(call)
    revision, after = core.hub.revision, ""
    is_exact = False
    if token:
        if options.get("resourceVersion") not in (None, "", "0"):
            raise BadRequestError("specifying resource version is not allowed when using continue")
        found, after = _read_token(token)
        is_exact = found >= 0  # a token after expiry continues at whatever is newest
        revision = found if is_exact else revision
    else:
        asked, is_exact = _asked(core, call)
        revision = asked if is_exact else revision
    entries = await _entries(core, call, revision, after, is_exact=is_exact)
    if call.served.converter is not None:
        entries = await call.served.shown(list(entries))
    if not limit:
        if wanted is None:
            items = [entry.value for entry in entries]
        else:
            items = [entry.value for entry in entries if wanted(entry)]
        return Page(items, str(revision), warnings=tuple(call.warnings))
    page = _cut(entries, wanted, limit, revision)
    return replace(page, warnings=tuple(call.warnings)) if call.warnings else page


def selection(call: Call) -> Selection | None:
    """Give what the request's selectors select; None for everything.

    Raises:
        BadRequestError: a selector can't be parsed, or names a field this kind has no index of.
    """
    options = call.request.options
    labels = Selector.parse(options.get("labelSelector", ""))
    fields = FieldSelector.parse(options.get("fieldSelector", ""))
    _check_fields(call.served, fields)
    if call.request.name:
        # A watch or list of one name is a selection too.
        named = FieldSelector.parse(f"metadata.name={call.request.name}")
        fields = FieldSelector((*fields.requirements, *named.requirements))
    if labels.is_everything and fields.is_everything:
        return None
    if fields.is_everything:
        return lambda entry: labels.matches(entry.labels)
    if labels.is_everything:
        return lambda entry: fields.matches(entry.fields)
    return lambda entry: labels.matches(entry.labels) and fields.matches(entry.fields)


def _check_fields(served: Served, fields: FieldSelector) -> None:
    unknown = [term.field for term in fields.requirements if term.field not in served.fields]
    if not unknown:
        return
    if served.strategy.field_paths or served.is_custom:
        raise BadRequestError(f"field label not supported: {unknown[0]}")
    known = '"metadata.name", "metadata.namespace"' if served.resource.namespaced else '"metadata.name"'
    raise BadRequestError(f'"{unknown[0]}" is not a known field selector: only {known}')


def parse_revision(text: str) -> int:
    """Read a resourceVersion.

    Raises:
        BadRequestError: not a whole number.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        detail = f"strconv.ParseUint: parsing {go_quote(text)}: invalid syntax"
        raise BadRequestError(f"resourceVersion: Invalid value: {go_quote(text)}: {detail}")
    return int(text)


def refuse_future(core: Core, revision: int) -> None:
    """Refuse a revision that does not exist yet.

    Raises:
        TimeoutError: 504 with cause ResourceVersionTooLarge.
    """
    if revision > core.hub.revision:
        message = f"Timeout: Too large resource version: {revision}, current: {core.hub.revision}"
        raise TimeoutError(
            message, causes=[Cause("ResourceVersionTooLarge", "Too large resource version")], retry_after_s=1
        )


def _asked(core: Core, call: Call) -> tuple[int, bool]:
    """Give the revision asked for and whether exactly that one is meant."""
    text = call.request.options.get("resourceVersion", "")
    match = call.request.options.get("resourceVersionMatch", "")
    if text in ("", "0"):
        return 0, False
    try:
        revision = parse_revision(text)
    except BadRequestError as error:
        raise BadRequestError(f"invalid resource version: {error.message}") from error
    if revision == 0:  # in more digits: what is newest, page by page
        return 0, False
    refuse_future(core, revision)
    # Legacy: a limit with a revision but no match means exactly that revision.
    is_exact = match == "Exact" or (not match and whole(call.request.options, "limit") > 0)
    return revision, is_exact


async def _entries(core: Core, call: Call, revision: int, after: str, *, is_exact: bool) -> Iterable[Entry]:
    served, namespace = call.served, call.request.namespace
    if not is_exact or revision >= served.cache.last_change:
        return served.cache.entries(namespace, after=after)
    prefix = f"{served.home}{namespace}/" if namespace else served.home
    try:
        records = await core.hub.storage.scan_at(
            prefix, Revision(revision), after=served.home + after if after else ""
        )
    except CompactedError as error:
        raise ExpiredError(
            "The provided continue parameter is too old to display a consistent list result. You can start a "
            "new list without the continue parameter, or use the continue token in this response to retrieve "
            "the remainder of the results. Continuing with the provided token results in an inconsistent list - "
            "objects that were created, modified, or deleted between the time the first chunk was returned and "
            "now may show up in the list."
            if after
            else "The resourceVersion for the provided list is too old.",
            continue_token=_token(-1, after) if after else "",
        ) from error
    return (
        served.index(
            record.key[len(served.home) :],
            served.from_storage(record.key, record.value, False),
            record.revision,
        )
        for record in records
    )


def _cut(entries: Iterable[Entry], wanted: Selection | None, limit: int, revision: int) -> Page:
    page: list[Entry] = []
    iterator: Iterator[Entry] = iter(entries)
    for entry in iterator:
        if len(page) == limit:  # there is more, though none of it may be selected
            rest = None if wanted is not None else 1 + sum(1 for _ in iterator)
            token = _token(revision, page[-1].path)
            return Page([each.value for each in page], str(revision), token, rest)
        if wanted is None or wanted(entry):
            page.append(entry)
    return Page([each.value for each in page], str(revision))


def _token(revision: int, path: str) -> str:
    plain = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": path})
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def _read_token(token: str) -> tuple[int, str]:
    try:
        plain = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if (
            plain["v"] == "meta.k8s.io/v1"
            and isinstance(plain["rv"], int)
            and isinstance(plain["start"], str)
        ):
            return plain["rv"], plain["start"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass
    raise BadRequestError(
        "invalid continue token: continue key is not valid: take the token of the page before as it is"
    )
