"""Get: the stored bytes of one object."""

from __future__ import annotations

from roadbed.apimachinery.request import Answer
from roadbed.apiserver import scale
from roadbed.apiserver.context import Call, Core

from .list import parse_revision, refuse_future


async def get(core: Core, call: Call) -> Answer:
    """Give one object, never older than ``resourceVersion`` asks.

    Raises:
        NotFoundError: there is none.
    """
    asked = call.request.options.get("resourceVersion", "")
    if asked not in ("", "0"):
        refuse_future(core, parse_revision(asked))
    entry = call.served.cache.get(call.path)
    if entry is None:
        raise call.not_found()
    if call.served.converter is not None:
        (entry,) = await call.served.shown([entry])
    if call.request.subresource == "scale":
        return Answer(200, scale.read(call, entry.value), tuple(call.warnings))
    return Answer(200, entry.value, tuple(call.warnings))
