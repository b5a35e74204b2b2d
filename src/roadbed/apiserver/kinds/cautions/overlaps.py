"""What is said about volumes that put several files, or a file and a folder, at one path. Pure.

Source: warningsForOverlappingVirtualPaths in k8s.io/kubernetes/pkg/api/pod/warnings.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from roadbed.apimachinery.causes import go_quote
from roadbed.apiserver.kinds.judging.findings import part

Placed = tuple[str, str]  # a path, and what puts something there


def overlapping(volumes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Warn of the overlaps within each volume."""
    for volume in volumes:
        name = go_quote(str(volume.get("name") or ""))
        for member, title, key in (
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
            ("downwardAPI", "DownwardAPI", ""),
        ):
            found = part(volume, member)
            shown = f"{title} {go_quote(str(found.get(key) or ''))}" if key else title
            known: list[Placed] = []
            for placed in _paths(found, ""):
                yield from _told(known, placed, f"volume {name} ({shown}): overlapping paths: ")
        yield from _projected(part(volume, "projected"), name)


def _projected(projected: Mapping[str, Any], name: str) -> Iterator[str]:
    known: list[Placed] = []
    for source in projected.get("sources") or ():
        if not source:
            yield f"volume {name} (Projected) has no sources provided"
        for placed in _of_source(source or {}):
            yield from _told(known, placed, f"volume {name} (Projected): overlapping paths: ")


def _of_source(source: Mapping[str, Any]) -> list[Placed]:
    for member, title in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if part(source, member).get("items"):
            return _paths(source[member], f"{title} {go_quote(str(source[member].get('name') or ''))}")
    if part(source, "downwardAPI").get("items"):
        return _paths(source["downwardAPI"], "DownwardAPI")
    if "serviceAccountToken" in source:
        return [(_trimmed(source["serviceAccountToken"].get("path")), "ServiceAccountToken")]
    if "clusterTrustBundle" in source:
        bundle = source["clusterTrustBundle"]
        shown = go_quote(str(bundle.get("name") or bundle.get("signerName") or ""))
        return [(_trimmed(bundle.get("path")), f"ClusterTrustBundle {shown}")]
    certificate = part(source, "podCertificate")
    return [
        (_trimmed(certificate[member]), f"PodCertificate {words}")
        for member, words in (
            ("certificateChainPath", "chain"),
            ("keyPath", "key"),
            ("credentialBundlePath", "credential bundle"),
        )
        if certificate.get(member)
    ]


def _paths(found: Mapping[str, Any], source: str) -> list[Placed]:
    return [(_trimmed(each.get("path")), source) for each in found.get("items") or ()]


def _trimmed(path: Any) -> str:
    return str(path or "").rstrip("/")


def _told(known: list[Placed], placed: Placed, before: str) -> Iterator[str]:
    """Warn of those of the known paths that one overlaps; it is known then."""
    path = f"{placed[0]}/"
    for other in known if placed[0] else ():
        taken = f"{other[0]}/"
        if other[0] and (taken.startswith(path) or path.startswith(taken)):
            yield f"{before}{_shown(placed)} with {_shown(other)}"
    known.append(placed)


def _shown(placed: Placed) -> str:
    path, source = placed
    return f"{go_quote(path)} ({source})" if source else go_quote(path)
