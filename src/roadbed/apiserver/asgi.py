"""The HTTP face: raw ASGI, one coroutine a request, no framework between the socket and the dispatcher.

A ``Listener`` calls it. Authenticates, reads the body, hands resources to the dispatcher and everything else to
``documents``, and counts what it answered; every failure leaves as a ``Status`` with its code, and nothing that a
client sends ends in a 500.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from roadbed.apimachinery.apply import manager_name
from roadbed.apimachinery.errors import ApiError, BadRequestError, NotAcceptableError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Page, User, Verb

from . import answering, bodies, negotiation, routes, scale, table
from .answering import Manner, Send
from .audit import Auditor, Heard, work_on
from .context import Core
from .discovery import Discovery
from .dispatch import Dispatcher
from .documents import Asking, Document, Documents
from .flow import FlowControl, Wanted, dumps
from .health import Checks, Health
from .metrics import RequestLabels, labels
from .openapi import OpenApi
from .ports import Attributes, Authenticator, Credentials
from .registry import Served
from .reply import Reply, audit_id
from .streaming import stream

if TYPE_CHECKING:
    from .aggregation import Aggregation

logger = logging.getLogger(__name__)

__all__ = ["Document", "HttpFace"]

_WITH_BODY = frozenset(("create", "update", "patch", "delete", "deletecollection"))
_READING = frozenset(("GET", "HEAD", "OPTIONS"))
MAX_AGENT = 1_024  # characters of a User-Agent that are recorded, as Kubernetes
_LONG_ITEMS = 500  # a table of more rows takes longer than the loop may be held


@dataclass(slots=True)
class _Asked:
    """One HTTP request, as far as it was read."""

    scope: Mapping[str, Any]
    headers: Mapping[str, str]
    route: routes.Route | None = None
    verb: Verb | None = None
    query: dict[str, str] = field(default_factory=dict)
    is_open: bool = False  # a watch that is being sent

    def manner(self, form: negotiation.Form) -> Manner:
        """Give how the answer is to go out."""
        headers = self.headers
        is_pretty = negotiation.wants_pretty(form, self.query, headers.get("user-agent", ""))
        takes_gzip = negotiation.takes_gzip(headers.get("accept-encoding", ""))
        if not is_pretty and not takes_gzip and form is negotiation.PLAIN:
            return answering.PLAIN
        return Manner(form, is_pretty, takes_gzip)


class HttpFace:
    """The ASGI application; ``documents`` holds what others serve beside resources, by path."""

    def __init__(
        self,
        core: Core,
        dispatcher: Dispatcher,
        authenticator: Authenticator,
        openapi: OpenApi,
        checks: Checks,
        flow: FlowControl,
    ) -> None:
        self._flow = flow
        self.auditor: Auditor | None = None
        self._core = core
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._metrics = core.metrics
        discovery = Discovery(core.registry, lambda: dispatcher.reviews)
        self._documents = Documents(core.authorizer, discovery, openapi, Health(checks), core.metrics)
        self.documents: dict[str, Document] = self._documents.extra
        self._documents.dumps.update(dumps(flow))
        self._openapi, self._discovery = openapi, discovery
        self._others: Aggregation | None = None

    def join(self, others: Aggregation) -> None:
        """Let other servers answer the groups that are theirs, and show them in discovery and OpenAPI."""
        self._others = others
        self._discovery.elsewhere = others.remotes.all
        self._openapi.elsewhere = others.documents

    async def __call__(self, scope: dict[str, Any], receive: bodies.Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        asked = _Asked(scope, _headers(scope["headers"]))
        send = reply = Reply(send, audit_id(asked.headers.get("audit-id", ""), self._core.new_uid()))
        is_mutating = scope["method"] not in _READING
        began = self._metrics.begin(is_mutating=is_mutating)
        code, size_bytes = 500, 0
        try:
            code, size_bytes = await self._answer(asked, receive, reply)
        except ApiError as error:
            if error.code == 401 and self.auditor is not None:
                self._record(self.auditor, asked, None, reply)
            if reply.record is not None:
                reply.record.answered(orjson.dumps(error.to_status()))
            code, size_bytes = error.code, await self._refuse(send, error, asked)
        except Exception:  # the last resort: the client gets a Status, the log the traceback
            logger.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            failure = ApiError("Internal error occurred; the server's log has the details")
            await self._refuse(send, failure, asked)
        finally:
            reply.end()
            if asked.is_open:
                self._metrics.watch_ended(self._labels(asked), code=code)
            else:
                self._metrics.end(
                    self._labels(asked), began, code=code, size_bytes=size_bytes, is_mutating=is_mutating
                )

    async def _answer(self, asked: _Asked, receive: bodies.Receive, send: Reply) -> tuple[int, int]:
        """Send the answer; gives its status code and its size."""
        scope, headers = asked.scope, asked.headers
        certificate = scope.get("extensions", {}).get("tls", {}).get("client_cert")
        credentials = Credentials(headers, certificate)
        user = self._authenticator.authenticate(credentials)
        if self.auditor is not None:
            self._record(self.auditor, asked, user, send)
        if any(name.startswith("impersonate-") for name in headers):
            user = self._authenticator.impersonated(user, credentials)
            if send.record is not None:
                send.record.acting = user
        asked.route = routes.route(scope["path"])
        asked.query = routes.options(scope["query_string"])
        if "timeout" in asked.query and "watch" not in asked.query:  # which lasts as long as its own says
            bodies.check_timeout(asked.query["timeout"])
        send.ticket = await self._flow.enter(user, _wanted(asked))
        others = self._others
        if others is not None and others.remotes:
            remote = others.addressed(scope["path"], asked.route)
            if remote is not None:
                send.is_long = self._may_pass(user, asked) == "watch"
                return await others.pass_on(remote, user, scope, send.is_long, receive, send), 0
        if asked.route is not None and asked.route.plural:
            return await self._resource(asked, asked.route, user, receive, send)
        asking = Asking(scope["method"], scope["path"], asked.query, headers, asked.route)
        return await self._documents.answer(asking, user, send)

    def _may_pass(self, user: User, asked: _Asked) -> str:
        """Give the verb of a request that another server answers, once its user may."""
        verb, group, plural, subresource, namespace, path = _wanted(asked)
        name = asked.route.name if asked.route is not None else ""
        attributes = Attributes(verb, group, plural, subresource, namespace, name, path)
        self._core.authorizer.check(user, attributes)
        return verb

    def _record(self, auditor: Auditor, asked: _Asked, user: User | None, reply: Reply) -> None:
        """Begin the record of a request, if its policy wants one; an address that leads nowhere is a path."""
        scope, headers = asked.scope, asked.headers
        try:
            asked.route = routes.route(scope["path"])
            asked.query = routes.options(scope["query_string"])
            verb, group, plural, subresource, namespace, path = _wanted(asked)
        except ApiError:
            verb, group, plural, subresource, namespace, path = (
                scope["method"].lower(),
                *[""] * 4,
                scope["path"],
            )
        found = asked.route
        name, version = (found.name, found.version) if found is not None else ("", "")
        uri, query = scope.get("raw_path", scope["path"].encode()), scope["query_string"]
        client = scope.get("client")
        heard = Heard(
            audit_id=reply.audit_id,
            uri=(uri + b"?" + query if query else uri).decode("latin-1"),
            agent=headers.get("user-agent", "")[:MAX_AGENT],
            sources=(client[0],) if client else (),
            attributes=Attributes(verb, group, plural, subresource, namespace, name, path),
            api_version=version,
            user=user,
        )
        reply.record = auditor.begin(heard)
        work_on(reply.record)

    async def _resource(
        self, asked: _Asked, found: routes.Route, user: User, receive: bodies.Receive, send: Reply
    ) -> tuple[int, int]:
        verb = asked.verb or routes.verb(asked.scope["method"], found, asked.query)
        served = self._core.registry.find(found.group, found.version, found.plural)
        form = negotiation.form_of(
            asked.headers.get("accept", ""),
            is_watch=verb == "watch",
            is_custom=served is not None and served.is_custom,
        )
        request, doubled = await self._request(asked, found, verb, receive)
        record = send.record
        if record is not None:
            record.asked(request)
        if verb == "watch":
            send.is_long = True
            watch = self._dispatcher.watch(user, request)
            asked.is_open = True
            self._metrics.watch_began(self._labels(asked))
            extensions = asked.scope.get("extensions", {})
            await stream(watch, form, self._core, receive, send, extensions)
            return 200, 0
        if verb == "list":
            page = await self._dispatcher.list(user, request)
            content = await self._listed(page, found, asked.query, form)
            if record is not None:
                record.answered(content)
            manner = asked.manner(form)
            return 200, await answering.respond(send, 200, content, manner, warnings=page.warnings)
        answer = await self._dispatcher.call(user, request)
        content = self._shaped(answer, served, found, asked.query, form)
        if record is not None:
            record.answered(content)
        warnings = doubled + answer.warnings
        size = await answering.respond(send, answer.status, content, asked.manner(form), warnings=warnings)
        return answer.status, size

    async def _request(
        self, asked: _Asked, found: routes.Route, verb: Verb, receive: bodies.Receive
    ) -> tuple[ApiRequest, tuple[str, ...]]:
        """Read the body and give the request, with a warning for each key that the body has twice."""
        headers, query = asked.headers, asked.query
        body, patch_type, agent = None, "", ""
        doubled: tuple[str, ...] = ()
        if verb in _WITH_BODY:
            agent = manager_name("", headers.get("user-agent", ""))
            raw = await bodies.read(receive, headers.get("content-length", ""))
            content_type = headers.get("content-type", "")
            if verb == "patch":
                body, patch_type = bodies.decode_patch(raw, content_type)
            else:
                body = bodies.decode(raw, content_type)
            strictness = query.get("fieldValidation", "")
            unknown = partial(self._unknown, found, body)
            if verb == "patch":
                doubled = bodies.repeated_in_patch(raw, body, patch_type, strictness, unknown)
            elif not verb.startswith("delete"):
                doubled = bodies.repeated(raw, body, strictness, unknown)
        request = ApiRequest(
            verb,
            found.group,
            found.version,
            found.plural,
            namespace=found.namespace,
            name=found.name,
            subresource=found.subresource,
            body=body,
            patch_type=patch_type,
            options=query,
            agent=agent,
        )
        return request, doubled

    def _unknown(self, found: routes.Route, body: Any) -> list[str]:
        """Give the fields of a body that its kind does not have."""
        served = self._core.registry.find(found.group, found.version, found.plural)
        if served is None or served.schema is None or found.subresource or not isinstance(body, dict):
            return []
        try:
            return served.schema.prune(orjson.loads(orjson.dumps(body)), is_sorted=served.is_custom)
        except BadRequestError:
            return []  # of another type altogether; what is doubled is told

    async def _listed(
        self, page: Page, found: routes.Route, query: Mapping[str, str], form: negotiation.Form
    ) -> bytes:
        """Give a page in its shape."""
        served = self._core.registry.get(found.group, found.version, found.plural)
        if not form.shape:
            return table.plain_list(served, page)
        if form.shape == "PartialObjectMetadata":
            raise _wrong_shape(form, f"a list (*{served.list_kind})")

        def shaped() -> bytes:
            if form.shape == "PartialObjectMetadataList":
                return table.partial_list(page, version=form.version)
            include = table.include_object(query.get("includeObject", ""))
            meta = table.page_meta(page)
            now = self._core.clock()
            return table.table(served.columns, page.items, meta, now, include=include, version=form.version)

        return await asyncio.to_thread(shaped) if len(page.items) > _LONG_ITEMS else shaped()

    def _shaped(
        self,
        answer: Answer,
        served: Served | None,
        found: routes.Route,
        query: Mapping[str, str],
        form: negotiation.Form,
    ) -> bytes:
        """Give one object in its shape; a Status has only its own."""
        if not form.shape or answer.body.startswith(b'{"kind":"Status"'):
            return answer.body
        if form.shape == "PartialObjectMetadataList":
            kind = served.resource.kind if served is not None else orjson.loads(answer.body).get("kind")
            raise _wrong_shape(form, f"not a list (*{kind})")
        if form.shape == "PartialObjectMetadata":
            return table.partial(answer.body, version=form.version)
        if served is None:  # the answer to a review
            raise negotiation.no_table()
        revision = orjson.loads(answer.body)["metadata"].get("resourceVersion", "")
        include = table.include_object(query.get("includeObject", ""))
        meta = {"resourceVersion": revision}
        columns = scale.COLUMNS if found.subresource == "scale" else served.columns
        return table.table(
            columns, [answer.body], meta, self._core.clock(), include=include, version=form.version
        )

    def _labels(self, asked: _Asked) -> RequestLabels:
        """Give what the request is counted under."""
        found, verb = asked.route, asked.verb
        if found is None or verb is None:
            return labels.of_document(asked.scope["method"], asked.scope["path"])
        served = self._core.registry.find(found.group, found.version, found.plural)
        resource = served.resource if served is not None else self._review(found)
        if resource is None:
            return labels.of_document(asked.scope["method"], "")
        return labels.of_resource(
            resource, verb, found, options=asked.query, content_type=asked.headers.get("content-type", "")
        )

    def _review(self, found: routes.Route) -> Resource | None:
        wanted = (found.group, found.version, found.plural)
        for resource in self._dispatcher.reviews:
            if (resource.group, resource.version, resource.plural) == wanted:
                return resource
        return None

    @staticmethod
    async def _refuse(send: Send, error: ApiError, asked: _Asked) -> int:
        if isinstance(error, routes.NoPageError):
            return await answering.miss(send)
        form = negotiation.status_form(asked.headers.get("accept", ""))
        try:
            return await answering.refuse(send, error, asked.manner(form))
        except NotAcceptableError:  # no protobuf for it after all
            return await answering.refuse(send, error)


def _wanted(asked: _Asked) -> Wanted:
    """Give what a request wants, as far as its address says.

    Raises:
        MethodNotAllowedError: HTTP has such a method, resources have not.
    """
    found, method = asked.route, asked.scope["method"]
    if found is None or not found.plural:
        return (method.lower() if method != "HEAD" else "get", "", "", "", "", asked.scope["path"])
    asked.verb = routes.verb(method, found, asked.query)
    is_namespace = found.plural == "namespaces" and not found.group
    namespace = found.name if is_namespace else found.namespace
    return (asked.verb, found.group, found.plural, found.subresource, namespace, "")


def _wrong_shape(form: negotiation.Form, what: str) -> NotAcceptableError:
    return NotAcceptableError(f"you requested {form.shape}, but the requested object is {what}")


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give headers by lower-case name; repeated ones joined by newlines."""
    found: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]}\n{text}" if name in found else text
    return found
