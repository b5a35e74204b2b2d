"""Kubeconfig files read and merged as kubectl does: the first file that names a thing decides about it.

Called once per connection; blocks for a moment. Paths in a file are relative to that file's folder. What is
written as data wins over the same as a file. Nothing is written back.

Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ and
k8s.io/client-go/tools/clientcmd (loader.go, client_config.go, validation.go).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.request import User


@dataclass(frozen=True, slots=True)
class Target:
    """One context, resolved. ``user`` is the kubeconfig's own entry; its relative paths are
    relative to ``user_file``.

    ``ca_pem`` empty trusts what the system trusts. ``file`` is the file that names the cluster.
    """

    context: str
    server: str
    namespace: str
    file: Path
    ca_pem: bytes = b""
    is_insecure: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    user: Mapping[str, Any] = field(default_factory=dict)
    user_file: Path = Path()
    cluster: Mapping[str, Any] = field(default_factory=dict)
    impersonates: User | None = None


@dataclass(slots=True)
class _Entry:
    content: Mapping[str, Any]
    file: Path


def read_kubeconfigs(paths: Sequence[Path], *, context: str = "") -> Target:
    """Merge the files that exist and give one context of them (the current one if ``context`` is empty).

    Raises:
        BadRequestError: no file exists, one is malformed, or there is no such context, cluster or user.
    """
    shown = ", ".join(map(str, paths))
    documents = [(path, _document(path)) for path in paths if path.exists() or len(paths) == 1]
    if not documents:
        raise BadRequestError(f"cannot use kubeconfig {shown}: none of these files exists")
    current = context or next(
        (str(doc["current-context"]) for _, doc in documents if doc.get("current-context")), ""
    )
    if not current:
        raise BadRequestError(
            f"cannot use kubeconfig {shown}: it names no current-context, and none was given"
        )
    chosen = _named(documents, "contexts", "context").get(current)
    if chosen is None:
        raise BadRequestError(f"cannot use kubeconfig {shown}: it has no context {current!r}")
    cluster = _part(documents, chosen, "cluster", shown)
    if not cluster.content.get("server"):
        raise BadRequestError(
            f"cannot use kubeconfig {cluster.file}: the cluster of context {current!r} has no server"
        )
    user = _part(documents, chosen, "user", shown)
    return _target(current, chosen, cluster, user)


def _target(name: str, context: _Entry, cluster: _Entry, user: _Entry) -> Target:
    _check_shapes(user)
    ca_pem = material(cluster.content, "certificate-authority", cluster.file)
    is_insecure = bool(cluster.content.get("insecure-skip-tls-verify"))
    if ca_pem and is_insecure:
        raise BadRequestError(
            f"cannot use kubeconfig {cluster.file}: specifying a root certificates file with the insecure flag is "
            "not allowed; drop certificate-authority or insecure-skip-tls-verify"
        )
    return Target(
        context=name,
        server=str(cluster.content["server"]).rstrip("/"),
        namespace=str(context.content.get("namespace") or "default"),
        file=cluster.file,
        ca_pem=ca_pem,
        is_insecure=is_insecure,
        tls_server_name=str(cluster.content.get("tls-server-name") or ""),
        proxy_url=str(cluster.content.get("proxy-url") or ""),
        user=user.content,
        user_file=user.file,
        cluster=cluster.content,
        impersonates=_impersonated(user),
    )


_SHAPES: Final = (
    ("as-groups", list, "list"),
    ("as-user-extra", dict, "mapping"),
    ("exec", dict, "mapping"),
    ("exec.env", list, "list"),
    ("exec.args", list, "list"),
    ("auth-provider", dict, "mapping"),
    ("auth-provider.config", dict, "mapping"),
)


def _check_shapes(user: _Entry) -> None:
    """Refuse what all who read a user's entry rely on not to be."""
    for path, kind, shown in _SHAPES:
        found: Any = user.content
        for name in path.split("."):
            found = (found or {}).get(name)
        if found and not isinstance(found, kind):
            raise BadRequestError(f"cannot use kubeconfig {user.file}: the user's {path} is no {shown}")
    for name, values in (user.content.get("as-user-extra") or {}).items():
        if not isinstance(values, list):
            raise BadRequestError(
                f"cannot use kubeconfig {user.file}: the user's as-user-extra holds no list for {name}"
            )


def _impersonated(user: _Entry) -> User | None:
    content = user.content
    others = [name for name in ("as-uid", "as-groups", "as-user-extra") if content.get(name)]
    if not content.get("as"):
        if others:
            raise BadRequestError(
                f"cannot use kubeconfig {user.file}: requesting {', '.join(others)} without `as`: name the user too"
            )
        return None
    extra = content.get("as-user-extra") or {}
    return User(
        str(content["as"]),
        tuple(map(str, content.get("as-groups") or ())),
        uid=str(content.get("as-uid") or ""),
        extra={str(key): [str(value) for value in values] for key, values in extra.items()},
    )


def material(content: Mapping[str, Any], name: str, file: Path) -> bytes:
    """Give what ``<name>-data`` holds, or else the content of the file that ``<name>`` names; empty for neither.

    Raises:
        BadRequestError: it is not base64, or the file can't be read.
    """
    encoded, path = content.get(f"{name}-data"), content.get(name)
    if encoded:
        try:
            return base64.b64decode(str(encoded), validate=True)
        except ValueError as error:
            raise BadRequestError(f"cannot use kubeconfig {file}: {name}-data is not base64") from error
    if not path:
        return b""
    try:
        place = file.parent / Path(str(path)).expanduser()
        return place.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: no path at all, or nobody's home
        why = getattr(error, "strerror", None) or error
        raise BadRequestError(f"cannot use kubeconfig {file}: {name} {path}: {why}") from error


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BadRequestError(f"cannot use kubeconfig {path}: {reason}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)  # the text itself may quote a credential
        where = f" in line {place.line + 1}" if place else ""
        raise BadRequestError(f"cannot use kubeconfig {path}: it is not YAML{where}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadRequestError(f"cannot use kubeconfig {path}: it is no mapping")
    return document


def _named(documents: Sequence[tuple[Path, Mapping[str, Any]]], many: str, one: str) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for path, document in documents:
        entries = document.get(many) or []
        if not isinstance(entries, list):
            raise BadRequestError(f"cannot use kubeconfig {path}: {many} is no list")
        for entry in entries:
            if (
                not isinstance(entry, dict)
                or not entry.get("name")
                or not isinstance(entry.get(one) or {}, dict)
            ):
                raise BadRequestError(
                    f"cannot use kubeconfig {path}: {many} holds what is no {one} with a name"
                )
            found.setdefault(str(entry["name"]), _Entry(entry.get(one) or {}, path))
    return found


def _part(
    documents: Sequence[tuple[Path, Mapping[str, Any]]], context: _Entry, one: str, shown: str
) -> _Entry:
    name = str(context.content.get(one) or "")
    if not name and one == "user":
        return _Entry({}, context.file)  # nobody in particular: the server says what that may do
    found = _named(documents, f"{one}s", one).get(name)
    if found is None:
        said = f"no {one} {name!r}, which its context names" if name else f"a context that names no {one}"
        raise BadRequestError(f"cannot use kubeconfig {shown}: it has {said}")
    return found
