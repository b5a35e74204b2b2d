"""What outsiders may extend: hook specifications and how plugins are found. No behaviour of its own.

A hook that nothing of ours uses is not added.
"""

from .hookspecs import EngineContext, hookimpl
from .loading import Plugins

__all__ = ["EngineContext", "Plugins", "hookimpl"]
