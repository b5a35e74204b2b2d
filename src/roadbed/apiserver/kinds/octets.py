"""Bytes in built-in objects, which are base64 in JSON: read as Go's decoder reads them, written in one way.

Called by ``shapes`` for each member of that type. Line breaks may stand anywhere (``base64`` of a shell makes them),
the bits that padding leaves over count for nothing, and no bytes at all are a value. Custom resources are stricter:
there ``format: byte`` is a format like any other, see ``apimachinery.formats``. Pure.

Source of the places that are told: Go's encoding/base64, ``decodeQuantum``.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

_BREAKS: Final = re.compile(rb"[\r\n]")
_FOREIGN: Final = re.compile(rb"[^A-Za-z0-9+/\r\n]")
_PADDING: Final = ord("=")
_QUANTUM: Final = 4


def canonical(value: Any) -> Any:
    """Give base64 in its canonical form; what is no text as it is.

    Raises:
        ValueError: it is no base64; the text says where that shows.
    """
    if not isinstance(value, str):
        return value
    raw = value.encode("utf-8", "surrogatepass")
    try:
        found = base64.b64decode(_BREAKS.sub(b"", raw), validate=True)
    except binascii.Error as error:
        raise ValueError(f"illegal base64 data at input byte {_place(raw)}") from error
    return base64.b64encode(found).decode()


def _place(raw: bytes) -> int:
    """Give where Go finds that bytes are no base64."""
    odd = _FOREIGN.search(raw)
    end = len(raw) if odd is None else odd.start()
    held = len(_BREAKS.sub(b"", raw[:end])) % _QUANTUM  # letters of the last, broken group
    if odd is None:
        return end - held
    if raw[end] != _PADDING or held < 2:
        return end
    after = end + 1
    if held == 2:
        after = _beyond_breaks(raw, after)
        if after == len(raw):
            return after
        if raw[after] != _PADDING:
            return after - 1
        after += 1
    return _beyond_breaks(raw, after)


def _beyond_breaks(raw: bytes, start: int) -> int:
    while start < len(raw) and raw[start] in b"\r\n":
        start += 1
    return start
