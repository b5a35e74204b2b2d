"""A store's file looked after from outside: copied while it is written to, judged, rewound, compacted.

Everything here blocks and takes paths; nothing runs in the server's process. Whatever knows a kind, an archive
format or a command does not live here.
"""

from .copying import Copied, copy_store
from .inspection import Inspected, inspect_store
from .renewal import compact_store, leap

__all__ = ["Copied", "Inspected", "compact_store", "copy_store", "inspect_store", "leap"]
