"""Where webhooks are that configurations name as Services: ``--webhook-service`` of ``up`` and ``apiserver``.

No pods stand behind Services here, so whoever starts the server says which address answers for one. Read when a
process starts; nothing is resolved or connected to here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from .platform import PlatformError

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SERVICE: Final = re.compile(rf"{_LABEL}/{_LABEL}(:[0-9]{{1,5}})?")
_FORM: Final = (
    "use namespace/name=https://host:port, or namespace/name:port=https://host:port for one port of it"
)


def webhook_services(texts: Iterable[str]) -> Mapping[str, str]:
    """Give the address (``host:port``) of each Service, ``namespace/name`` with or without ``:port``.

    Raises:
        PlatformError: a text is not of that form, or names a Service that another one names.
    """
    found: dict[str, str] = {}
    for text in texts:
        service, _, url = text.partition("=")
        address = _address(url)
        if not _SERVICE.fullmatch(service) or not address:
            raise PlatformError(f"--webhook-service={text}: that names no Service and its address", _FORM)
        if service in found:
            raise PlatformError(f"--webhook-service={text}: {service} has an address already", "give it once")
        found[service] = address
    return found


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return ""
    is_more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme != "https" or not parts.hostname or is_more:
        return ""  # the path is the configuration's to say
    return f"[{parts.hostname}]:{port}" if ":" in parts.hostname else f"{parts.hostname}:{port}"
