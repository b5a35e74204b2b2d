"""The ``roadbed`` command: every action here is an API call that any other client could make too.

Commands live here, one module each; business rules, controllers and databases do not. Heavy libraries are
imported inside the command that needs them, so that ``roadbed --help`` answers at once.
"""

from .platform import Addresses, Platform, PlatformError, PlatformFactory, UpOptions

__all__ = ["Addresses", "Platform", "PlatformError", "PlatformFactory", "UpOptions"]
