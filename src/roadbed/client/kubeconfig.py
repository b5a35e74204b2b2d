"""Writing a kubeconfig for one server and one user, so that stock clients need one ``export``.

Called by ``app`` at each start; the file is replaced whole, mode 0600, since it holds a key and a token.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Login:
    """One server and the credentials for it; PEM throughout. ``context`` names cluster, user and context."""

    server: str
    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes
    context: str = "roadbed"
    namespace: str = "default"


def write_kubeconfig(path: Path, login: Login) -> None:
    """Write the file, readable by its owner only.

    Raises:
        OSError: the folder can't be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(_document(login), file, sort_keys=False)
    fresh.replace(path)


def _document(login: Login) -> dict[str, Any]:
    name = login.context
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": login.server, "certificate-authority-data": _encoded(login.ca_pem)},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _encoded(login.certificate_pem),
                    "client-key-data": _encoded(login.key_pem),
                },
            }
        ],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": login.namespace}}
        ],
        "current-context": name,
    }


def _encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
