"""Which form an answer takes: its encoding, and the object itself, a Table or metadata only. Pure.

``asgi`` asks once a request, ``documents`` for what is no resource. Accept headers repeat, so each text is read
once. Clauses count as Kubernetes counts them, two oddities included: a weight of 0 refuses nothing, and built-in
kinds (served by another router there) know no ``application/*``. One thing differs: where a client takes JSON as
gladly as protobuf it gets JSON, which we hold ready, in place of whichever it named first.

Source: k8s.io/apiserver/pkg/endpoints/handlers/negotiation and go-restful's ``matchesAccept``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from roadbed.apimachinery.errors import NotAcceptableError

Encoding = Literal["json", "yaml", "protobuf"]
Shape = Literal["", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES: Final[Mapping[str, Encoding]] = {JSON: "json", YAML: "yaml", PROTOBUF: "protobuf"}
STREAMED: Final = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
DISCOVERY: Final = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_SHAPES: Final[Mapping[str, Shape]] = {
    shape: shape for shape in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
}
_VERSIONS: Final = ("v1", "v1beta1")
_HUMANS: Final = ("curl", "Wget", "Mozilla/5.0")  # by the start of User-Agent: their answers are indented
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written. ``shape`` empty means the object or list itself; ``version`` is the shape's."""

    encoding: Encoding = "json"
    shape: Shape = ""
    version: str = "v1"
    is_pretty: bool = False
    is_aggregated: bool = False  # discovery in one document

    @property
    def media_type(self) -> str:
        """The Content-Type of an answer in this form."""
        return next(name for name, encoding in MEDIA_TYPES.items() if encoding == self.encoding)


PLAIN: Final = Form()
PRETTY: Final = Form(is_pretty=True)


@dataclass(frozen=True, slots=True)
class _Clause:
    """One clause of an Accept header."""

    type: str
    subtype: str
    weight: float
    parameters: Mapping[str, str]

    def fits(self, media_type: str) -> bool:
        type_, _, subtype = media_type.partition("/")
        if self.type == "*" and self.subtype == "*":
            return True
        return self.type == type_ and self.subtype in (subtype, "*")


@lru_cache(maxsize=256)
def form_of(accept: str, *, is_watch: bool = False, is_custom: bool = False) -> Form:
    """Give the form for an object, a list or a watch.

    Raises:
        NotAcceptableError: no clause can be had.
    """
    if not accept or accept == JSON:
        return PLAIN
    supported = tuple(MEDIA_TYPES)
    if not is_custom and not _routes(accept, (*supported, *STREAMED) if is_watch else supported):
        raise _unroutable((*supported, *STREAMED) if is_watch else supported)
    found = [form for form in _forms(accept, is_custom=is_custom) if form is not None]
    if not found:
        raise _none_of(supported)
    form = _best(found)
    if is_watch and form.encoding == "yaml":
        raise _none_of(STREAMED)
    return PLAIN if form == PLAIN else form


@lru_cache(maxsize=256)
def document_form(accept: str, *, is_discovery_root: bool = False, has_protobuf: bool = True) -> Form:
    """Give the form for a document about the server; only ``/api`` and ``/apis`` aggregate.

    Raises:
        NotAcceptableError: no clause can be had.
    """
    if not accept or accept == JSON:
        return PLAIN
    supported = tuple(MEDIA_TYPES) if has_protobuf else (JSON,)
    if not _routes(accept, supported):
        raise _unroutable(supported)
    for clause in _clauses(accept):
        for media_type in supported:
            if media_type == PROTOBUF and clause.type == "*":
                continue
            if not clause.fits(media_type):
                continue
            found = _document(clause, MEDIA_TYPES[media_type], is_discovery_root=is_discovery_root)
            if found is not None:
                return PLAIN if found == PLAIN else found
    raise _none_of(supported)


@lru_cache(maxsize=256)
def status_form(accept: str) -> Form:
    """Give the form for a Status that refuses: what was asked for, or indented JSON where that can't be had."""
    if not accept or accept == JSON:
        return PLAIN
    found = [form for form in _forms(accept, is_custom=False) if form is not None and not form[1].shape]
    return _best(found) if found else PRETTY


def wants_pretty(form: Form, query: Mapping[str, str], agent: str) -> bool:
    """Say whether the answer is for eyes: ``pretty`` in Accept or address, or a client that people use."""
    if form.is_pretty:
        return True
    asked = query.get("pretty", "")
    return asked in _TRUE if asked else agent.startswith(_HUMANS)


def chosen(accept: str, supported: tuple[str, ...]) -> str:
    """Give the first of the supported media types that a client takes, the empty text for none."""
    if not accept:
        return supported[0]
    for clause in _clauses(accept):
        for media_type in supported:
            if clause.fits(media_type):
                return media_type
    return ""


def is_known(etag: str, if_none_match: str) -> bool:
    """Say whether the client has the document with this ETag; weak tags count, ``*`` is any."""
    if not if_none_match:
        return False
    tags = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return etag in tags or "*" in tags


def takes_gzip(accept_encoding: str) -> bool:
    """Say whether a client that sent this Accept-Encoding takes gzip; weights are not read, as in Kubernetes."""
    return any(part.strip() == "gzip" for part in accept_encoding.split(","))


def _forms(accept: str, *, is_custom: bool) -> Iterator[tuple[float, Form] | None]:
    for clause in _clauses(accept):
        for media_type, encoding in MEDIA_TYPES.items():
            if clause.fits(media_type):
                form = _object(clause, encoding, is_custom=is_custom)
                yield None if form is None else (clause.weight, form)


def _best(found: list[tuple[float, Form]]) -> Form:
    """Give the first form, but JSON before protobuf where both are as welcome."""
    weight, form = found[0]
    if form.encoding != "protobuf":
        return form
    as_welcome = (
        other
        for each, other in found
        if other.encoding == "json" and other.shape == form.shape and each >= weight
    )
    return next(as_welcome, form)


def _object(clause: _Clause, encoding: Encoding, *, is_custom: bool) -> Form | None:
    """Read the parameters that concern an object; None where they ask for what there is not."""
    parameters = clause.parameters
    if parameters.get("stream", "watch") not in ("", "watch") or parameters.get("sv"):
        return None
    is_pretty = parameters.get("pretty") == "1"
    if not any(name in parameters for name in ("as", "g", "v")):
        return None if encoding == "protobuf" and is_custom else Form(encoding, is_pretty=is_pretty)
    shape = _SHAPES.get(parameters.get("as", ""))
    version = parameters.get("v", "")
    if shape is None or parameters.get("g") != "meta.k8s.io" or version not in _VERSIONS:
        return None
    if shape == "Table" and encoding == "protobuf":
        return None
    return Form(encoding, shape, version, is_pretty)


def _document(clause: _Clause, encoding: Encoding, *, is_discovery_root: bool) -> Form | None:
    parameters = clause.parameters
    if parameters.get("stream", "watch") not in ("", "watch"):
        return None
    is_pretty = parameters.get("pretty") == "1"
    asked = tuple(parameters.get(name) for name in ("g", "v", "as"))
    if asked == (None, None, None):
        return Form(encoding, is_pretty=is_pretty)
    if is_discovery_root and asked == ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"):
        return Form(encoding, is_pretty=is_pretty, is_aggregated=True)
    return None


def _clauses(accept: str) -> list[_Clause]:
    """Read the clauses, by weight, then the definite before the wild."""
    found = []
    for part in accept.split(","):
        media_type, *rest = part.split(";")
        type_, _, subtype = (each.strip() for each in media_type.partition("/"))
        if not subtype:
            if type_ != "*":
                continue
            subtype = "*"
        if "/" in subtype:
            continue
        weight = 1.0
        parameters: dict[str, str] = {}
        for pair in rest:
            name, _, value = (each.strip() for each in pair.partition("="))
            if not value or "=" in value:
                continue
            if name == "q":
                weight = _weight(value)
            else:
                parameters[name] = value
        found.append(_Clause(type_, subtype, weight, parameters))
    return sorted(found, key=lambda clause: (-clause.weight, clause.type == "*", clause.subtype == "*"))


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if weight == weight else 0.0  # noqa: PLR0124 - NaN has no place in an order


def _routes(accept: str, supported: tuple[str, ...]) -> bool:
    """Say whether the router of built-in kinds lets this pass: by the bare types."""
    types = {clause.partition(";")[0].strip() for clause in accept.split(",")}
    return "*/*" in types or not types.isdisjoint(supported)


def _unroutable(supported: tuple[str, ...]) -> NotAcceptableError:
    error = NotAcceptableError(f"406: Not Acceptable\n\nAvailable representations: {', '.join(supported)}")
    error.has_details = True
    return error


def no_table() -> NotAcceptableError:
    """Refuse to show as a Table what has no columns."""
    return _none_of(tuple(MEDIA_TYPES))


def _none_of(supported: tuple[str, ...]) -> NotAcceptableError:
    return NotAcceptableError(f"only the following media types are accepted: {', '.join(supported)}")
