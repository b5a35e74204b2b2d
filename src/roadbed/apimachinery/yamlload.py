"""Text to objects: YAML as Kubernetes reads it, JSON, and the bounds that keep a hostile body harmless.

Called for request bodies, manifests, templates. Builds values straight from the parser's events, so
that depth and alias growth are counted before anything is allocated. YAML 1.1 scalars (``yes`` is true,
``0777`` is 511), timestamps stay text, keys become text, and a key given twice is an error.

Sources: sigs.k8s.io/yaml and go.yaml.in/yaml/v2 (resolve.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson
import yaml

from .errors import BadRequestError

MAX_DEPTH: Final = 200  # JSON encoders give up at 254
MAX_ALIASED_VALUES: Final = 100_000  # nine lines of aliases can otherwise stand for a billion values

_PREFIX: Final = "tag:yaml.org,2002:"
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NOT_JSON: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INTEGER: Final = re.compile(r"[-+]?(?:0[bB][01]+|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_TAGGED: Final[dict[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "null": (type(None),),
}


def load_object(body: str | bytes) -> dict[str, Any]:
    """Read one object, YAML or JSON, as the body of a request.

    Raises:
        BadRequestError: not readable (with the line), more than one document, or not an object.
    """
    value = load_value(body)
    if not isinstance(value, dict):
        raise BadRequestError(f"expected an object with apiVersion and kind, found {_kind_of(value)}")
    return value


def load_value(body: str | bytes) -> Any:
    """Read one value, YAML or JSON; what begins with a bracket is read as JSON first.

    Raises:
        BadRequestError: not readable (with the line), or more than one document.
    """
    text = body.encode() if isinstance(body, str) else body
    if text.lstrip()[:1] in (b"{", b"["):
        try:
            return load_json(text)
        except BadRequestError:
            # YAML's flow style begins like JSON; if it is neither, the JSON error reads best.
            try:
                return _only(list(load_all(text)))
            except BadRequestError:
                return load_json(text)
    return _only(list(load_all(text)))


def load_json(body: bytes) -> Any:
    """Read one JSON value.

    Raises:
        BadRequestError: not JSON (with line and column), or nested deeper than 200.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"couldn't read the body as JSON: {error}") from error
    # Counting brackets is quick and never too low; only a suspicious body is walked.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    return value


def load_all(body: str | bytes) -> Iterator[Any]:
    """Yield the documents of a YAML stream, in order; empty ones are left out.

    Raises:
        BadRequestError: as ``load_documents``.
    """
    return (value for _, value in load_documents(body))


def load_documents(body: str | bytes) -> Iterator[tuple[int, Any]]:
    """Yield the documents of a YAML stream, each with the line that it begins on; empty ones are left out.

    Raises:
        BadRequestError: not YAML, a key twice, an unknown tag, too deep, or aliases that grow too
            large; the message names the line.
    """
    try:
        loader = yaml.CSafeLoader(body)
    except yaml.YAMLError as error:
        raise _unreadable(error) from error
    try:
        building = _Building(loader)
        while building.next_document():
            value = building.value()
            if value is not None:
                yield building.line, value
    except yaml.YAMLError as error:
        raise _unreadable(error) from error
    except UnicodeDecodeError as error:
        raise BadRequestError(f"couldn't read the body as YAML: it is not UTF-8: {error}") from error
    finally:
        loader.dispose()


def _only(documents: list[Any]) -> Any:
    if len(documents) > 1:
        raise BadRequestError(f"expected one YAML document, found {len(documents)}; send them one by one")
    return documents[0] if documents else None


class _Building:
    """Values from the events of one stream; anchors live as long as their document."""

    def __init__(self, loader: Any) -> None:
        self._events = loader
        self._anchors: dict[str, Any] = {}
        self._open: set[str] = set()
        self._aliased = 0
        self.line = 0

    def next_document(self) -> bool:
        """Go to the next document; false at the end of the stream."""
        while True:
            event = self._events.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                return True
            if isinstance(event, yaml.StreamEndEvent):
                return False

    def value(self) -> Any:
        """Build the document's value; ``line`` is where it begins."""
        event = self._events.get_event()
        self.line = event.start_mark.line + 1
        return self._build(event, 0)

    def _build(self, event: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _refused(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = value
            return value
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.anchor:
            self._open.add(event.anchor)
        if event.tag and event.tag.removeprefix(_PREFIX) not in ("map", "seq"):
            raise _refused(event, f"unknown tag {event.tag}")
        built = self._mapping(depth) if isinstance(event, yaml.MappingStartEvent) else self._sequence(depth)
        if event.anchor:
            self._open.discard(event.anchor)
            self._anchors[event.anchor] = built
        return built

    def _sequence(self, depth: int) -> list[Any]:
        built: list[Any] = []
        while not isinstance(event := self._events.get_event(), yaml.SequenceEndEvent):
            built.append(self._build(event, depth + 1))
        return built

    def _mapping(self, depth: int) -> dict[str, Any]:
        built: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := self._events.get_event(), yaml.MappingEndEvent):
            is_merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = "<<" if is_merge else _key(self._build(event, depth + 1), event)
            value = self._build(self._events.get_event(), depth + 1)
            if is_merge:
                for each in reversed(value if isinstance(value, list) else [value]):
                    if not isinstance(each, dict):
                        raise _refused(event, "map merge requires map or sequence of maps as the value")
                    merged.update(each)
            elif key in built:
                raise _refused(event, f'key "{key}" already set in map')
            else:
                built[key] = value
        return {**merged, **built} if merged else built

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor in self._open:
            raise _refused(event, f"anchor '{event.anchor}' value contains itself")
        if event.anchor not in self._anchors:
            raise _refused(event, f"unknown anchor '{event.anchor}' referenced")
        return self._copy(self._anchors[event.anchor], event, depth)

    def _copy(self, value: Any, event: Any, depth: int) -> Any:
        """Copy an aliased value, so that no two places of an object are one in memory."""
        self._aliased += 1
        if self._aliased > MAX_ALIASED_VALUES:
            raise _refused(event, f"aliases stand for more than {MAX_ALIASED_VALUES} values")
        if depth > MAX_DEPTH:
            raise _refused(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return {name: self._copy(each, event, depth + 1) for name, each in value.items()}
        if isinstance(value, list):
            return [self._copy(each, event, depth + 1) for each in value]
        return value


def _scalar(event: Any) -> Any:
    text: str = event.value
    tag = (event.tag or "").removeprefix(_PREFIX)
    if tag == "str" or (not event.implicit[0] and not tag) or tag in ("!", "binary"):
        return text
    if tag not in ("", "bool", "int", "float", "null", "timestamp"):
        raise _refused(event, f"unknown tag {event.tag}")
    if _NOT_JSON.fullmatch(text):
        raise _refused(event, f"{text} is not a JSON number")
    value = _plain(text)
    if type(value) not in _TAGGED.get(tag, (type(value),)):
        raise _refused(event, f"cannot decode `{text}` as a !!{tag}")
    return float(value) if tag == "float" else value


def _plain(text: str) -> Any:
    """Give what an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    if _INTEGER.fullmatch(digits):
        number = _integer(digits)
        return number if -(2**63) <= number < 2**64 else float(number)
    if _FLOAT.fullmatch(digits):
        number_f = float(digits)
        return text if number_f in (float("inf"), float("-inf")) else number_f
    return text


def _integer(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    magnitude = digits.lstrip("+-").lower()
    if magnitude.startswith(("0b", "0x", "0o")):
        return sign * int(magnitude, 0)
    return sign * int(magnitude, 8 if magnitude.startswith("0") else 10)


def _key(value: Any, event: Any) -> str:
    """Give a key as text, as it would stand in JSON."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    raise _refused(event, "a key must be a scalar")


def _refused(event: Any, words: str) -> BadRequestError:
    return BadRequestError(f"couldn't read the body as YAML: line {event.start_mark.line + 1}: {words}")


def _unreadable(error: yaml.YAMLError) -> BadRequestError:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return BadRequestError(f"couldn't read the body as YAML: {where}{problem}")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [each for holder in level if isinstance(holder, dict | list) for each in _inside(holder)]
        if not level:
            return
    raise BadRequestError(f"couldn't read the body as JSON: nested deeper than {MAX_DEPTH} levels")


def _inside(holder: dict[str, Any] | list[Any]) -> list[Any]:
    return list(holder.values()) if isinstance(holder, dict) else holder


def _kind_of(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "a list"
    return "a text" if isinstance(value, str) else "a single value"
