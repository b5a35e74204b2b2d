"""The functions Kubernetes adds that are about versions, named formats, JSON patches and typed lists.

``cel_library`` declares them beside its own. Values with methods are maps of one text under a tag, as there.
``format.x().validate(text)`` gives an optional value in CEL, which functions here cannot give: ``rewriting`` turns
it into one of a list.

Sources: k8s.io/apiserver/pkg/cel/library/{semverlib,format,jsonpatch}.go; github.com/blang/semver.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from roadbed.apimachinery import names
from roadbed.apimachinery.formats import check_of

from .equality import same, together

SEMVER: Final = "\x01semver"
FORMAT: Final = "\x01format"
Version = tuple[int, int, int, tuple[str, ...]]

_PART: Final = r"(?:0|[1-9][0-9]*)"
_TAIL: Final = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_STRICT: Final = re.compile(rf"({_PART})\.({_PART})\.({_PART}){_TAIL}")
_LOOSE: Final = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{_TAIL}")


class Declare(Protocol):
    """Declares a function or a method: name, result type, parameter types, implementation."""

    def __call__(
        self, name: str, result: Any, parameters: Sequence[Any], impl: Callable[..., Any], /
    ) -> None: ...


def declare(kinds: Any, function: Declare, method: Declare) -> None:
    """Declare every function of this module; ``kinds`` are the runtime's types."""
    text, number, truth = kinds.STRING, kinds.INT, kinds.BOOL
    tagged, items = kinds.Map(text, text), kinds.List(kinds.DYN)
    for parameters in ([text], [text, truth]):
        function("semver", tagged, parameters, lambda *given: {SEMVER: _checked(*given)})
        function("isSemver", truth, parameters, _is_version)
    for index, part in enumerate(("major", "minor", "patch")):
        method(part, number, [tagged], functools.partial(_part, index))
    for name in FORMATS:
        function(f"format.{name}", tagged, [], functools.partial(_format, name))
    function("format.named", tagged, [text], _named)
    method("__validate", kinds.List(text), [tagged, text], _validated)
    function("lists.range", kinds.List(number), [number], lambda count: list(range(count)))
    method("slice", items, [items, number, number], _slice)
    method("flatten", items, [items], _flat)
    method("flatten", items, [items, number], _flat)
    method("distinct", items, [items], _distinct)
    method("sort", items, [items], sorted)
    method("reverse", items, [items], lambda each: list(each)[::-1])
    function("__number", kinds.DYN, [kinds.DYN], lambda value: value)
    function("__sortedBy", items, [items, items], _sorted_by)
    function("__keys", items, [kinds.DYN], _keys)
    function("__zipped", kinds.Map(kinds.DYN, kinds.DYN), [items, items], _zipped)
    function("__merged", kinds.Map(kinds.DYN, kinds.DYN), [items], _merged)
    function("__same", truth, [kinds.DYN, kinds.DYN, text], same)
    function("__joined", items, [kinds.DYN, kinds.DYN, text], together)


def escape_key(key: str) -> str:
    """Give a key as a step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def version(text: str, loosely: bool = False) -> Version:
    """Read a semantic version; loosely allows a ``v``, leading zeros and missing parts.

    Raises:
        ValueError: it is none.
    """
    found = (_LOOSE if loosely else _STRICT).fullmatch(text)
    before = () if found is None or not found.group(4) else tuple(found.group(4).split("."))
    if found is None or any(each.isdigit() and len(each) > 1 and each[0] == "0" for each in before):
        raise ValueError(f"{text!r} is not a semantic version")
    major, minor, patch = (int(each or 0) for each in found.groups()[:3])
    return major, minor, patch, before


def compared(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    """Give -1, 0 or 1 as one version is before, at or after another."""
    first, second = (version(each[SEMVER]) for each in (one, other))
    if first[:3] != second[:3]:
        return -1 if first[:3] < second[:3] else 1
    if not first[3] or not second[3]:
        return (not first[3]) - (not second[3])
    left, right = ([_rank(part) for part in each[3]] for each in (first, second))
    return (left > right) - (left < right)


def _rank(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdigit() else (1, 0, part)


def _checked(text: str, loosely: bool = False) -> str:
    major, minor, patch, before = version(text, loosely)
    return f"{major}.{minor}.{patch}" + (f"-{'.'.join(before)}" if before else "")


def _is_version(text: str, loosely: bool = False) -> bool:
    try:
        version(text, loosely)
    except ValueError:
        return False
    return True


def _part(index: int, value: Mapping[str, str]) -> int:
    if SEMVER not in value:
        raise ValueError("no such overload")
    major, minor, patch, _ = version(value[SEMVER])
    return (major, minor, patch)[index]


def _prefixed(rule: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    return lambda text: rule(f"{text[:-1]}a" if text.endswith("-") else text)


def _published(name: str) -> Callable[[str], list[str]]:
    def judge(text: str) -> list[str]:
        check = check_of(name)
        return [] if check is None or check(text) else [f"invalid {name}"]

    return judge


def _label_value(text: str) -> list[str]:
    return [each.message.partition(": ")[2] for each in names.validate_labels({"a": text})]


def _qualified(text: str) -> list[str]:
    return [each.message.partition(": ")[2] for each in names.validate_labels({text: ""})]


FORMATS: Final[Mapping[str, Callable[[str], list[str]]]] = {
    "dns1123Label": names.dns_label_errors,
    "dns1123Subdomain": names.dns_subdomain_errors,
    "dns1035Label": names.dns1035_label_errors,
    "dns1123LabelPrefix": _prefixed(names.dns_label_errors),
    "dns1123SubdomainPrefix": _prefixed(names.dns_subdomain_errors),
    "dns1035LabelPrefix": _prefixed(names.dns1035_label_errors),
    "qualifiedName": _qualified,
    "labelValue": _label_value,
    "uri": _published("uri"),
    "uuid": _published("uuid"),
    "byte": _published("byte"),
    "date": _published("date"),
    "datetime": _published("datetime"),
}


def _format(name: str) -> dict[str, str]:
    return {FORMAT: name}


def _named(name: str) -> dict[str, str]:
    return {FORMAT: name} if name in FORMATS else {}


def _validated(form: Mapping[str, str], text: str) -> list[str]:
    if FORMAT not in form:
        raise ValueError("no such overload")
    return FORMATS[form[FORMAT]](text)


def _slice(items: Sequence[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise ValueError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise ValueError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise ValueError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return list(items[start:end])


def _flat(items: Sequence[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise ValueError("level must be non-negative")
    found: list[Any] = []
    for each in items:
        is_list = isinstance(each, Sequence) and not isinstance(each, str | bytes)
        found += _flat(each, depth - 1) if is_list and depth else [each]
    return found


def _distinct(items: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for each in items:
        if each not in found:
            found.append(each)
    return found


def _sorted_by(items: Sequence[Any], keys: Sequence[Any]) -> list[Any]:
    order = sorted(range(len(keys)), key=lambda at: keys[at])
    return [items[at] for at in order]


def _keys(container: Any) -> list[Any]:
    return list(container) if isinstance(container, Mapping) else list(range(len(container)))


def _zipped(keys: Sequence[Any], values: Sequence[Any]) -> dict[Any, Any]:
    return dict(zip(keys, values, strict=True))


def _merged(maps: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for each in maps:
        for key, value in each.items():
            if key in found:
                raise ValueError(f"insert failed: key {key} already exists")
            found[key] = value
    return found
