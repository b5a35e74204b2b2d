"""The page of one object: its state in a sentence, its tree, its details, and its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import annotations_of, metadata, name_of, namespace_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apis.core import EVENTS
from roadbed.interfaces.web import links
from roadbed.interfaces.web.health import conditions_of
from roadbed.interfaces.web.live import LiveStream, Sight
from roadbed.interfaces.web.portal import Permission, Visit
from roadbed.interfaces.web.tree import Node, Target, grow, targets_of

MOST_EVENTS = 50
TABS = ("conditions", "events", "fields", "yaml")
SECRET_KINDS = frozenset({("", "Secret")})
HIDDEN = "••••••"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # holds the values once more
_PATH = "/c/{cluster}/{group}/{version}/{kind}/{namespace}/{name}"


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that the address names."""

    resource: Resource
    obj: Object

    @property
    def namespace(self) -> str:
        """Its namespace, empty for cluster-scoped kinds."""
        return namespace_of(self.obj)

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.obj)


async def page(visit: Visit) -> Response:
    """Give the whole page."""
    subject = await _subject(visit)
    root, may_delete = await asyncio.gather(
        grow(visit.client, subject.resource, subject.obj), _may_delete(visit, subject)
    )
    tab = _tab(visit)
    selected = _selected(root, visit)
    return visit.render(
        "resource.html",
        **_header(visit, subject, root),
        **await _detail(visit, selected, tab),
        may_delete=may_delete,
        owners=await _owners(visit, subject),
        has_tree=bool(root.children)
        or bool({"composite", "claim", "managed"} & set(subject.resource.categories)),
    )


async def live(visit: Visit) -> LiveStream:
    """Stream header and tree, and say when the details should be asked for again."""

    async def look() -> Sight:
        subject = await _subject(visit)
        root = await grow(visit.client, subject.resource, subject.obj)
        context = _header(visit, subject, root)
        parts = {
            "header": visit.markup("resource_state.html", **context),
            "tree": visit.markup("resource_tree.html", **context),
            # The newest revisions of all nodes: when one moves, the open detail is stale.
            "touched": ",".join(
                str(metadata(node.obj or {}).get("resourceVersion", "")) for node in root.walk()
            ),
        }
        events = frozenset({Target(EVENTS, subject.namespace)}) if subject.namespace else frozenset()
        return Sight(parts, targets_of(root) | events)

    return LiveStream(visit.portal, visit.client, look)


async def detail(visit: Visit) -> Response:
    """Give the detail panel of the object or of one below it.

    An open page asks again whenever something changes, also when the change is the object's end: that is an
    answer to it, not a failure.
    """
    try:
        subject = await _subject(visit)
    except NotFoundError as error:
        return visit.render("resource_gone.html", message=error.message)
    root = await grow(visit.client, subject.resource, subject.obj)
    selected = _selected(root, visit)
    context = await _detail(visit, selected, _tab(visit))
    return visit.render("resource_detail.html", **_header(visit, subject, root), **context)


async def delete_dialog(visit: Visit) -> Response:
    """Give the question before a deletion: what will go, by name."""
    subject = await _subject(visit)
    root = await grow(visit.client, subject.resource, subject.obj)
    dependents = [node for child in root.children for node in child.walk() if node.obj is not None]
    return visit.render(
        "resource_delete.html",
        **_header(visit, subject, root),
        dependents=dependents,
        externals=[node for node in root.walk() if node.external and node.obj is not None],
        may_delete=await _may_delete(visit, subject),
        problem="",
    )


async def delete(visit: Visit) -> Response:
    """Delete the object that the person saw, and no other of the same name."""
    subject = await _subject(visit)
    form = await visit.request.form()
    typed, uid = str(form.get("name", "")), str(form.get("uid", ""))
    if typed != subject.name:
        problem = f"Type {subject.name} to confirm."
    else:
        try:
            await visit.client.delete(subject.resource, subject.name, subject.namespace, uid=uid)
            return visit.redirect(_after_delete(visit, subject, await _still_there(visit, subject)))
        except ApiError as error:
            problem = error.message
    root = await grow(visit.client, subject.resource, subject.obj)
    answer = visit.render(
        "resource_delete.html",
        **_header(visit, subject, root),
        dependents=[node for child in root.children for node in child.walk() if node.obj is not None],
        externals=[node for node in root.walk() if node.external and node.obj is not None],
        may_delete=Permission(True),
        problem=problem,
    )
    if not visit.is_partial:
        answer.status_code = 422
    return answer


async def _still_there(visit: Visit, subject: Subject) -> bool:
    return await visit.client.find(subject.resource, subject.name, subject.namespace) is not None


def _after_delete(visit: Visit, subject: Subject, is_there: bool) -> str:
    if is_there:  # finalizers hold it: the page shows it going
        return links.path_of(visit.cluster, subject.obj)
    return links.list_path(subject.resource, namespace=subject.namespace)


async def _subject(visit: Visit) -> Subject:
    params = visit.request.path_params
    if params["cluster"] != visit.cluster:
        raise NotFoundError(f"There is no cluster {params['cluster']!r} here, only {visit.cluster!r}.")
    group = "" if params["group"] == links.CORE else params["group"]
    resource = await visit.client.resource_for(GVK(group, params["version"], params["kind"]))
    namespace = "" if params["namespace"] == links.CLUSTER_SCOPE else params["namespace"]
    obj = await visit.client.get(resource, params["name"], namespace)
    return Subject(resource, _without_secrets(resource, obj))


def _without_secrets(resource: Resource, obj: Object) -> Object:
    """Hide a Secret's values: a page is looked at by more people than its reader."""
    if (resource.group, resource.kind) not in SECRET_KINDS:
        return obj
    hidden = {field: dict.fromkeys(obj[field], HIDDEN) for field in ("data", "stringData") if obj.get(field)}
    said = {name: HIDDEN if name == LAST_APPLIED else text for name, text in annotations_of(obj).items()}
    return {**obj, "metadata": {**metadata(obj), "annotations": said}, **hidden}


async def _may_delete(visit: Visit, subject: Subject) -> Permission:
    return await visit.may("delete", subject.resource, subject.namespace, subject.name)


def _header(visit: Visit, subject: Subject, root: Node) -> dict[str, Any]:
    return {
        "subject": subject,
        "root": root,
        "cause": root.cause,
        "own_path": links.path_of(visit.cluster, subject.obj),
    }


async def _owners(visit: Visit, subject: Subject) -> list[tuple[str, str]]:
    """Give what this object is part of, as (words, address); an owner of an unknown kind has no address."""
    found: list[tuple[str, str]] = []
    for reference in metadata(subject.obj).get("ownerReferences") or ():
        gvk = GVK.parse(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
        name = str(reference.get("name") or "")
        try:
            resource = await visit.client.resource_for(gvk)
        except NotFoundError:
            found.append((f"{gvk.kind} {name}", ""))
            continue
        namespace = subject.namespace if resource.namespaced else ""
        found.append((f"{gvk.kind} {name}", links.object_path(visit.cluster, gvk, namespace, name)))
    return found


def _selected(root: Node, visit: Visit) -> Node:
    wanted = visit.request.query_params.get("select", "")
    return next((node for node in root.walk() if node.id == wanted), root)


def _tab(visit: Visit) -> str:
    tab = visit.request.query_params.get("tab", "conditions")
    return tab if tab in TABS else "conditions"


async def _detail(visit: Visit, node: Node, tab: str) -> dict[str, Any]:
    obj = (
        _without_secrets(node.resource, node.obj)
        if node.obj is not None and node.resource is not None
        else None
    )
    events, problem = await _events(visit, node) if tab == "events" else ([], "")
    return {
        "selected": node,
        "tab": tab,
        "tabs": TABS,
        "shown": obj,
        "conditions": conditions_of(obj) if obj else [],
        "events": events,
        "events_problem": problem,
        "managers": _managers(obj) if obj and tab == "fields" else [],
        "yaml": _for_reading(obj) if obj and tab == "yaml" else None,
    }


async def _events(visit: Visit, node: Node) -> tuple[list[Object], str]:
    if node.obj is None:
        return [], ""
    fields = f"involvedObject.name={node.name},involvedObject.kind={node.gvk.kind}"
    try:
        found = await visit.client.list(EVENTS, node.namespace or "default", fields=fields)
    except ApiError as error:
        return [], error.message
    uid = uid_of(node.obj)
    found = [event for event in found if (event.get("involvedObject") or {}).get("uid") in (uid, "", None)]
    found.sort(
        key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""), reverse=True
    )
    return found[:MOST_EVENTS], ""


def _managers(obj: Object) -> list[dict[str, Any]]:
    """Give who owns which fields, newest first, each with its fields as paths."""
    entries = [entry for entry in metadata(obj).get("managedFields") or () if isinstance(entry, dict)]
    entries.sort(key=lambda entry: str(entry.get("time") or ""), reverse=True)
    return [{**entry, "paths": _paths(entry.get("fieldsV1") or {}, "")[:200]} for entry in entries]


def _paths(fields: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    for name, inner in fields.items():
        if name == ".":
            continue
        part = f".{name[2:]}" if name.startswith("f:") else f"[{name.partition(':')[2]}]"
        below = _paths(inner, f"{at}{part}") if isinstance(inner, dict) else []
        found += below or [f"{at}{part}".lstrip(".")]
    return found


def _for_reading(obj: Object) -> Object:
    meta = {name: value for name, value in metadata(obj).items() if name != "managedFields"}
    rest = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": meta, **rest}


PAGES = (
    ("GET", _PATH, page),
    ("GET", f"{_PATH}/live", live),
    ("GET", f"{_PATH}/detail", detail),
    ("GET", f"{_PATH}/delete", delete_dialog),
    ("POST", f"{_PATH}/delete", delete),
)
