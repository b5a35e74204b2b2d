"""Create: the cards of what is offered, the form for one of them, and its YAML, both ways.

The form and the YAML are two views of one object: a change of the form is posted to ``/yaml``, a change of
the YAML to ``/form``, and each answers with the other view. ``/check`` asks the server to admit the object
without storing it. All of it acts as the person, so the server's answer is the one they would get.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from roadbed.apimachinery.errors import ApiError, Cause
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.objects import name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.interfaces.web import definitions, forms, links, yamlview
from roadbed.interfaces.web.definitions import Offer
from roadbed.interfaces.web.portal import Visit

_PATH = "/create/{group}/{version}/{kind}"
NAME_PATTERN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


@dataclass(slots=True)
class Draft:
    """An object on its way, with what is wrong about it: messages at ``metadata`` fields, at fields, or at none."""

    obj: Object
    root: forms.Field
    at_name: list[str] = field(default_factory=list)
    at_namespace: list[str] = field(default_factory=list)
    homeless: list[str] = field(default_factory=list)


async def cards(visit: Visit) -> Response:
    """Give the cards of everything on offer."""
    offers = await definitions.offers(visit.portal.client)
    answers = await asyncio.gather(*(visit.namespaces_for("create", offer.resource) for offer in offers))
    permissions = [permission for permission, _ in answers]
    return visit.render("create.html", offers=list(zip(offers, permissions, strict=True)))


async def form(visit: Visit) -> Response:
    """Give the empty form."""
    offer = await _offer(visit)
    namespace = visit.request.query_params.get("namespace", "")
    draft = _draft(offer, _object(offer, visit.request.query_params.get("name", ""), namespace, None))
    return await _page(visit, offer, draft)


async def to_yaml(visit: Visit) -> Response:
    """Answer a change of the form with its YAML."""
    offer = await _offer(visit)
    obj = _read(offer, await visit.request.form())
    return visit.render("create_yaml.html", yaml=yamlview.dump(obj), yaml_problem="", offer=offer)


async def to_form(visit: Visit) -> Response:
    """Answer a change of the YAML with the form that it fills in."""
    offer = await _offer(visit)
    text = str((await visit.request.form()).get("yaml", ""))
    try:
        obj = _typed(offer, yamlview.load(text))
    except yamlview.YamlError as error:
        answer = visit.render("create_problem.html", problem=str(error))
        # The form stays as it was; only the sentence under the YAML changes.
        answer.headers["HX-Retarget"] = "#yaml-problem"
        answer.headers["HX-Reswap"] = "innerHTML"
        return answer
    draft = _draft(offer, obj)
    return visit.render("create_fields.html", **await _context(visit, offer, draft))


async def check(visit: Visit) -> Response:
    """Ask the server to admit the object without storing it, and show what it would become."""
    offer = await _offer(visit)
    draft = _draft(offer, _read(offer, await visit.request.form()))
    try:
        admitted = await visit.client.create(offer.resource, draft.obj, dry_run=True)
    except ApiError as error:
        _place(draft, error)
        return visit.render("create_checked.html", admitted=None, **await _context(visit, offer, draft))
    return visit.render(
        "create_checked.html",
        admitted=_as_admitted(admitted),
        **await _context(visit, offer, draft),
    )


async def create(visit: Visit) -> Response:
    """Create the object and go to its page, or show the form again with the server's messages in place."""
    offer = await _offer(visit)
    draft = _draft(offer, _read(offer, await visit.request.form()))
    try:
        made = await visit.client.create(offer.resource, draft.obj)
    except ApiError as error:
        _place(draft, error)
        answer = await _page(visit, offer, draft)
        answer.status_code = 200 if visit.is_partial else error.code
        return answer
    return visit.redirect(links.path_of(visit.cluster, made))


async def _offer(visit: Visit) -> Offer:
    params = visit.request.path_params
    group = "" if params["group"] == links.CORE else params["group"]
    return await definitions.offer_for(visit.portal.client, GVK(group, params["version"], params["kind"]))


async def _page(visit: Visit, offer: Offer, draft: Draft) -> Response:
    template = "create_fields.html" if visit.is_partial else "create_form.html"
    return visit.render(template, **await _context(visit, offer, draft))


async def _context(visit: Visit, offer: Offer, draft: Draft) -> dict[str, Any]:
    permission, namespaces = await visit.namespaces_for("create", offer.resource)
    if chosen := namespace_of(draft.obj):
        permission = await visit.may("create", offer.resource, chosen)
    return {
        "offer": offer,
        "draft": draft,
        "namespaces": namespaces,
        "permission": permission,
        "yaml": yamlview.dump(draft.obj),
        "yaml_problem": "",
        "name_pattern": NAME_PATTERN,
    }


def _draft(offer: Offer, obj: Object) -> Draft:
    value = {name: inner for name, inner in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    return Draft(obj, forms.build(offer.schema, value))


def _read(offer: Offer, sent: FormData) -> Object:
    inputs: Mapping[str, str] = {name: value for name, value in sent.multi_items() if isinstance(value, str)}
    name, namespace = inputs.get("metadata.name", "").strip(), inputs.get("metadata.namespace", "").strip()
    return _object(offer, name, namespace, forms.read(offer.schema, inputs))


def _object(offer: Offer, name: str, namespace: str, value: Any) -> Object:
    meta = {"name": name} | ({"namespace": namespace} if offer.resource.namespaced else {})
    value = value if isinstance(value, dict) else forms.initial(offer.schema) or {}
    return {"apiVersion": offer.gvk.api_version, "kind": offer.gvk.kind, "metadata": meta, **value}


def _typed(offer: Offer, obj: Object) -> Object:
    said = (obj.get("apiVersion"), obj.get("kind"))
    if said != (offer.gvk.api_version, offer.gvk.kind):
        raise yamlview.YamlError(
            f"this form makes {offer.gvk.kind} of {offer.gvk.api_version}, the YAML says {said[1]} of {said[0]}"
        )
    if not isinstance(obj.get("metadata", {}), dict):
        raise yamlview.YamlError("metadata must be a mapping")
    return obj


def _place(draft: Draft, error: ApiError) -> None:
    """Put the server's messages at the fields they name."""
    rest: list[Cause] = []
    for cause in error.causes:
        if cause.field in ("metadata.name", "metadata.generateName"):
            draft.at_name.append(forms.in_words(cause))
        elif cause.field == "metadata.namespace":
            draft.at_namespace.append(forms.in_words(cause))
        else:
            rest.append(cause)
    draft.homeless += forms.place(draft.root, rest)
    if not error.causes:
        exists = error.reason == "AlreadyExists"
        (draft.at_name if exists else draft.homeless).append(
            f"There is already one called {name_of(draft.obj)}." if exists else error.message
        )


def _as_admitted(obj: Object) -> str:
    meta = obj.get("metadata") or {}
    kept = {name: meta[name] for name in ("name", "namespace", "labels", "annotations") if meta.get(name)}
    return yamlview.dump({**obj, "metadata": kept})


PAGES = (
    ("GET", "/create", cards),
    ("GET", _PATH, form),
    ("POST", _PATH, create),
    ("POST", f"{_PATH}/yaml", to_yaml),
    ("POST", f"{_PATH}/form", to_form),
    ("POST", f"{_PATH}/check", check),
)
