"""What is wrong with stored objects, judged without a server: the pure half of ``fsck``.

Each function takes what was decoded and gives findings; no I/O, no order between them. The rules are those that
the server's own writes keep: a key says where its object is, an object says its revision, a definition names what
its instances are stored as, an owner is in the same namespace or in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from roadbed.interfaces.cli.maintenance import Finding

Object = Mapping[str, Any]

DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")
MOST_OF_A_KIND = 20  # findings told one by one; more of the same are told as a number


@dataclass(frozen=True, slots=True)
class Place:
    """A stored key, taken apart."""

    key: str
    group: str
    plural: str
    namespace: str
    name: str

    @classmethod
    def of(cls, key: str) -> Place | None:
        """Take a key apart; None for one that names no object."""
        parts = key.split("/")
        if len(parts) not in (4, 5) or parts[0] or not all(parts[1:]):
            return None
        group = "" if parts[1] == "core" else parts[1]
        namespace = parts[3] if len(parts) == 5 else ""
        return cls(key, group, parts[2], namespace, parts[-1])


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of one decoded object while all are looked at."""

    place: Place
    version: str
    uid: str
    owners: tuple[Mapping[str, Any], ...]
    is_terminating: bool


def of_object(place: Place, revision: int, obj: Object) -> Iterator[Finding]:
    """Judge one object against its key."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or not obj.get("kind") or not obj.get("apiVersion"):
        yield _error(place.key, "is no Kubernetes object: apiVersion, kind or metadata is missing", RESTORE)
        return
    if (meta.get("namespace") or "", meta.get("name")) != (place.namespace, place.name):
        where = f"{meta.get('namespace') or ''}/{meta.get('name')}".strip("/")
        yield _error(place.key, f"holds the object of another place, {where}", RESTORE)
    if not meta.get("uid"):
        yield _error(place.key, "has no uid, so nothing can own or refer to it", RESTORE)
    if str(meta.get("resourceVersion", "")) != str(revision):
        yield _error(
            place.key, f"says revision {meta.get('resourceVersion')} and was written at {revision}", RESTORE
        )


RESTORE = "restore a backup, or write the object again"


def of_definition(place: Place, obj: Object, used: Iterable[str]) -> Iterator[Finding]:
    """Judge a CustomResourceDefinition; ``used`` are the versions that its stored instances have."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    stored = status.get("storedVersions") or []
    present = {str(version.get("name")) for version in spec.get("versions") or ()}
    if not stored:
        yield _warning(
            place.key,
            "lists no status.storedVersions",
            "`roadbed up` fills it; if not, apply the definition again",
        )
    for version in [each for each in stored if each not in present]:
        yield _error(
            place.key,
            f"status.storedVersions holds {version!r}, which spec.versions does not",
            "add the version to spec.versions again (served: false will do), rewrite the instances, then drop it",
        )
    for version in sorted(set(used) - present):
        yield _error(
            place.key,
            f"has instances stored as {version!r}, which spec.versions does not hold",
            "add the version to spec.versions again (served: false will do)",
        )
    for version in sorted((set(used) & present) - set(stored)):
        yield _warning(
            place.key,
            f"has instances stored as {version!r}, which status.storedVersions does not list",
            "add it to status.storedVersions, or rewrite those instances",
        )


def of_owners(kept: Iterable[Kept], served: Mapping[tuple[str, str], str]) -> Iterator[Finding]:
    """Judge owner references; ``served`` gives the plural of each (group, kind)."""
    known = list(kept)
    by_uid = {each.uid: each for each in known}
    for each in known:
        for reference in each.owners:
            owner = by_uid.get(str(reference.get("uid")))
            shown = f"{reference.get('kind')} {reference.get('name')} (uid {reference.get('uid')})"
            if owner is None:
                group = str(reference.get("apiVersion", "")).rpartition("/")[0]
                if (group, str(reference.get("kind"))) in served and not each.is_terminating:
                    yield _warning(
                        each.place.key,
                        f"is owned by {shown}, which does not exist",
                        "the garbage collector deletes it when a platform runs; drop the reference to keep it",
                    )
            elif owner.place.namespace and owner.place.namespace != each.place.namespace:
                yield _warning(
                    each.place.key,
                    f"is owned by {shown} of namespace {owner.place.namespace}, which is not its own",
                    "drop the reference: an owner is in the same namespace or in none",
                )


def of_uids(kept: Iterable[Kept]) -> Iterator[Finding]:
    """Judge that no two objects have one uid."""
    first: dict[str, str] = {}
    for each in kept:
        if each.uid and (other := first.setdefault(each.uid, each.place.key)) != each.place.key:
            yield _error(each.place.key, f"has the uid of {other}", "delete one of them")


def of_homes(kept: Iterable[Kept], resources: Mapping[tuple[str, str], bool]) -> Iterator[Finding]:
    """Judge that each key belongs to a served resource (group, plural -> is namespaced) and a namespace."""
    known = list(kept)
    namespaces = {
        each.place.name for each in known if (each.place.group, each.place.plural) == ("", "namespaces")
    }
    for each in known:
        place = each.place
        is_namespaced = resources.get((place.group, place.plural))
        if is_namespaced is None:
            yield _warning(
                place.key,
                f"belongs to no served resource: {place.plural}.{place.group or 'core'} has no definition",
                "apply its CustomResourceDefinition again to reach it, then delete it",
            )
        elif is_namespaced != bool(place.namespace):
            scope = "namespaced" if is_namespaced else "cluster-scoped"
            yield _error(
                place.key, f"is at a place that its resource, which is {scope}, does not have", RESTORE
            )
        elif place.namespace and place.namespace not in namespaces:
            yield _warning(
                place.key,
                f"is in namespace {place.namespace}, which does not exist",
                f"`kubectl create namespace {place.namespace}` to reach it, then delete or keep it",
            )


def shortened(findings: Iterable[Finding]) -> list[Finding]:
    """Give errors before warnings, and of many with the same advice the first few and a number."""
    told: dict[tuple[str, str], int] = {}
    kept: list[Finding] = []
    for finding in findings:
        kind = (finding.severity, finding.advice)
        told[kind] = told.get(kind, 0) + 1
        if told[kind] <= MOST_OF_A_KIND:
            kept.append(finding)
    for (severity, advice), count in told.items():
        if count > MOST_OF_A_KIND:
            problem = f"{count - MOST_OF_A_KIND} more like those before"
            kept.append(Finding("error" if severity == "error" else "warning", "…", problem, advice))
    return sorted(kept, key=lambda finding: finding.severity != "error")


def _error(place: str, problem: str, advice: str) -> Finding:
    return Finding("error", place, problem, advice)


def _warning(place: str, problem: str, advice: str) -> Finding:
    return Finding("warning", place, problem, advice)
