"""The ``roadbed`` command: every action here is an API call that any other client could make too.

Commands live here, one module each; business rules, controllers and databases do not. Heavy libraries are
imported inside the command that needs them, so that ``roadbed --help`` answers at once.
"""

from .main import main
from .platform import Addresses, Platform, PlatformError, PlatformFactory, UpOptions
from .referenceplatform import write_reference

__all__ = [
    "Addresses",
    "Platform",
    "PlatformError",
    "PlatformFactory",
    "UpOptions",
    "main",
    "write_reference",
]
