"""Kubernetes API semantics over a ``Storage``: verbs, CRDs, discovery, admission, watch, review kinds.

Nothing here knows SQL, an engine or the client; whatever needs one of them does not live here.
"""

from .access import Access
from .bootstrap import ADMINS
from .encryption import AesSealer, SealError
from .keyfiles import KeyFileError, read_or_make
from .listener import Listener
from .ports import Attributes, Authenticator, Authorizer, Clock, Credentials, Sealer
from .server import ApiServer

__all__ = [
    "ADMINS",
    "Access",
    "AesSealer",
    "ApiServer",
    "Attributes",
    "Authenticator",
    "Authorizer",
    "Clock",
    "Credentials",
    "KeyFileError",
    "Listener",
    "SealError",
    "Sealer",
    "read_or_make",
]
