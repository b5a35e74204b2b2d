"""Where a platform that ``up`` runs says how it is reached, for commands in another terminal.

A small file beside the kubeconfig, written when the platform is ready and removed when it stops. It holds
addresses only, never a credential. It may be stale after a crash, so it counts only for the same server.
"""

from __future__ import annotations

import json
from pathlib import Path

from .platform import Addresses

NAME = "addresses.json"


def write_addresses(addresses: Addresses) -> Path:
    """Write the file; gives its path."""
    path = addresses.kubeconfig.with_name(NAME)
    path.write_text(json.dumps({"api": addresses.api_url, "portal": addresses.portal_url}) + "\n")
    return path


def portal_of(kubeconfig: Path, server: str) -> str:
    """Give the portal's address for the server that a kubeconfig names; empty where it is not known."""
    try:
        found = json.loads(kubeconfig.with_name(NAME).read_text())
        return str(found["portal"]) if found["api"] == server.rstrip("/") else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
