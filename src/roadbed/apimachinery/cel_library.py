"""The CEL environment of validation rules: Google's C++ runtime with the functions Kubernetes adds.

``cel`` compiles in it. The runtime is loaded on first use, as it costs 14 MB and tens of milliseconds.
Functions are pure and run on the thread that evaluates. Values with methods (quantities, URLs, IP
addresses) can't be types of their own in this runtime: they are maps of one text under a tag key, which
no JSON key can collide with in practice. Two-variable comprehensions are rewritten before an expression comes
here (``expressions.expanded``). What is not here does not compile, so a definition that uses it is refused rather
than half checked.

Source: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-list-library
"""

from __future__ import annotations

import datetime as dt
import functools
import ipaddress
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import re2
from google.protobuf import duration_pb2

from .expressions import library

URL: Final = "\x01url"
IP: Final = "\x01ip"
CIDR: Final = "\x01cidr"
QUANTITY: Final = "\x01quantity"

_SUFFIXES: Final = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal("1e3"),
    "M": Decimal("1e6"),
    "G": Decimal("1e9"),
    "T": Decimal("1e12"),
    "P": Decimal("1e15"),
    "E": Decimal("1e18"),
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_QUANTITY: Final = re2.compile(
    r"^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i))?$"
)


@functools.cache
def runtime() -> Any:
    """Give the runtime's module, imported on first use."""
    from cel_expr_python import cel

    return cel


@functools.cache
def extensions() -> list[Any]:
    """Give what every environment is extended with."""
    from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings

    return [
        ext_strings.ExtStrings(2),  # the version that Kubernetes has
        ext_optional.ExtOptional(),
        ext_bindings.ExtBindings(),
        runtime().CelExtension("kubernetes", _declarations()),
    ]


@functools.cache
def patching() -> Any:
    """Give what expressions of mutating policies have besides, for their JSON patches."""
    cel = runtime()
    text = cel.Type.STRING
    escape = cel.Overload("k8s_jsonpatch_escape_key", text, [text], False, library.escape_key)
    return cel.CelExtension("kubernetes.jsonpatch", [cel.FunctionDecl("jsonpatch.escapeKey", [escape])])


def environment(variables: Mapping[str, Any], pool: Any = None) -> Any:
    """Give an environment with these variables; ``pool`` describes the message types among them."""
    return runtime().NewEnv(pool, variables=dict(variables), extensions=extensions())


def _declarations() -> list[Any]:
    cel = runtime()
    kinds = cel.Type
    items, tagged = kinds.List(kinds.DYN), kinds.Map(kinds.STRING, kinds.STRING)
    text, number, truth = kinds.STRING, kinds.INT, kinds.BOOL
    overloads: dict[str, list[Any]] = {}

    def method(name: str, result: Any, parameters: Sequence[Any], impl: Callable[..., Any]) -> None:
        known = overloads.setdefault(name, [])
        known.append(cel.Overload(f"k8s_{name}_{len(known)}", result, list(parameters), True, impl))

    def function(name: str, result: Any, parameters: Sequence[Any], impl: Callable[..., Any]) -> None:
        known = overloads.setdefault(name, [])
        label = name.replace(".", "_")
        known.append(cel.Overload(f"k8s_fn_{label}_{len(known)}", result, list(parameters), False, impl))

    impl: Callable[..., Any]
    for name, impl in _LISTS.items():
        method(name, truth if name == "isSorted" else kinds.DYN, [items], impl)
    method("sum", kinds.DYN, [items], _sum)
    method("indexOf", number, [items, kinds.DYN], _index)
    method("lastIndexOf", number, [items, kinds.DYN], _last_index)
    for name, impl in _SETS.items():
        function(f"sets.{name}", truth, [items, items], impl)
    method("find", text, [text, text], _find)
    method("findAll", kinds.List(text), [text, text], _find_all)
    method("findAll", kinds.List(text), [text, text, number], _find_all)

    for tag, name, check, parse in _PARSERS:
        function(name, tagged, [text], functools.partial(_tagged, tag, parse))
        function(check, truth, [text], functools.partial(_parses, parse))
    for name, (impl, is_number) in _URL_PARTS.items():
        method(name, number if is_number else text, [tagged], impl)
    method("getQuery", kinds.Map(text, kinds.List(text)), [tagged], lambda url: parse_qs(_url(url).query))
    for name, impl in _IP_FACTS.items():
        method(name, truth, [tagged], impl)
    method("family", number, [tagged], lambda ip: _ip(ip).version)
    function("ip.isCanonical", truth, [text], lambda each: str(_parse_ip(each)) == each)
    method("prefixLength", number, [tagged], lambda net: _net(net).prefixlen)
    method("masked", tagged, [tagged], lambda net: {CIDR: str(_net(net))})
    method("ip", tagged, [tagged], lambda net: {IP: net[CIDR].split("/")[0]})
    for each in (text, tagged):
        method("containsIP", truth, [tagged, each], _contains_ip)
        method("containsCIDR", truth, [tagged, each], _contains_cidr)

    for name, impl in _QUANTITY_COMPARISONS.items():
        method(name, number if name == "compareTo" else truth, [tagged, tagged], impl)
    for name, impl in _QUANTITY_SUMS.items():
        method(name, tagged, [tagged, tagged], impl)
        method(name, tagged, [tagged, number], impl)
    function("sign", number, [tagged], lambda each: _compared(_amount(each), Decimal(0)))
    method("isInteger", truth, [tagged], lambda each: _is_integer(_amount(each)))
    method("asInteger", number, [tagged], _as_integer)
    library.declare(kinds, function, method)
    function("string", text, [tagged], _shown)
    method("asApproximateFloat", kinds.DOUBLE, [tagged], lambda each: float(_amount(each)))
    return [cel.FunctionDecl(name, found) for name, found in overloads.items()]


def _orderable(items: Sequence[Any]) -> Sequence[Any]:
    if not items:
        raise ValueError("called on empty list")
    return items


_LISTS: Final[dict[str, Callable[[Any], Any]]] = {
    "min": lambda items: min(_orderable(items)),
    "max": lambda items: max(_orderable(items)),
    "isSorted": lambda items: all(one <= other for one, other in itertools.pairwise(items)),
}


def _sum(items: Sequence[Any]) -> Any:
    found = functools.reduce(operator.add, items) if items else 0
    if not isinstance(found, dt.timedelta):
        return found
    span = duration_pb2.Duration()
    span.FromTimedelta(found)
    return span


_SETS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "contains": lambda one, other: all(each in one for each in other),
    "equivalent": lambda one, other: all(each in one for each in other) and all(e in other for e in one),
    "intersects": lambda one, other: any(each in one for each in other),
}


def _shown(value: Mapping[str, str]) -> str:
    for tag in (IP, CIDR):
        if tag in value:
            return value[tag]
    raise ValueError("no such overload")


def _index(items: Sequence[Any], wanted: Any) -> int:
    return next((at for at, each in enumerate(items) if each == wanted), -1)


def _last_index(items: Sequence[Any], wanted: Any) -> int:
    return next((at for at in range(len(items) - 1, -1, -1) if items[at] == wanted), -1)


def _pattern(text: str) -> Any:
    try:
        return re2.compile(text)
    except re2.error as error:
        raise ValueError(f"invalid regex {text!r}: {error}") from error


def _find(text: str, pattern: str) -> str:
    found = _pattern(pattern).search(text)
    return found.group(0) if found else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found = [each.group(0) for each in _pattern(pattern).finditer(text)]
    return found if most < 0 else found[:most]


def _tagged(tag: str, parse: Callable[[str], Any], text: str) -> dict[str, str]:
    return {tag: str(parse(text))}


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _parse_url(text: str) -> str:
    parts = urlsplit(text)
    if not parts.scheme and not text.startswith("/"):
        raise ValueError(
            f'URL parse error during conversion from string: parse "{text}": invalid URI for request'
        )
    _ = parts.port  # raises ValueError
    return text


def _parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(text)
    if isinstance(found, ipaddress.IPv6Address) and (found.ipv4_mapped or found.scope_id):
        raise ValueError(f'IP Address "{text}" parse error: IPv4-mapped and zoned addresses are not allowed')
    return found


def _parse_cidr(text: str) -> str:
    if "/" not in text:
        raise ValueError(f'network address parse error during conversion from string: no "/" in {text!r}')
    ipaddress.ip_network(text, strict=False)
    return text


def _parse_quantity(text: str) -> str:
    found = _QUANTITY.match(text)
    if not found:
        raise ValueError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    try:
        amount = Decimal(found.group(1) + (found.group(2) or "")) * _SUFFIXES[found.group(3) or ""]
    except InvalidOperation as error:
        raise ValueError(f"unable to parse quantity {text!r}") from error
    return str(amount.normalize())


_PARSERS: Final[tuple[tuple[str, str, str, Callable[[str], Any]], ...]] = (
    (URL, "url", "isURL", _parse_url),
    (IP, "ip", "isIP", _parse_ip),
    (CIDR, "cidr", "isCIDR", _parse_cidr),
    (QUANTITY, "quantity", "isQuantity", _parse_quantity),
)


def _of(tag: str, value: Mapping[str, str]) -> str:
    if tag not in value:
        raise ValueError("no such overload")
    return value[tag]


def _url(value: Mapping[str, str]) -> SplitResult:
    return urlsplit(_of(URL, value))


def _hostname(url: Mapping[str, str]) -> str:
    host = _url(url).netloc.rpartition("@")[2]
    return host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]


_URL_PARTS: Final[dict[str, tuple[Callable[[Any], Any], bool]]] = {
    "getScheme": (lambda url: _url(url).scheme, False),
    "getHost": (lambda url: _url(url).netloc.rpartition("@")[2], False),
    "getHostname": (_hostname, False),
    "getPort": (lambda url: str(_url(url).port or ""), False),
    "getEscapedPath": (lambda url: _url(url).path, False),
}


def _ip(value: Mapping[str, str]) -> Any:
    return ipaddress.ip_address(_of(IP, value))


_IP_FACTS: Final[dict[str, Callable[[Any], bool]]] = {
    "isUnspecified": lambda ip: _ip(ip).is_unspecified,
    "isLoopback": lambda ip: _ip(ip).is_loopback,
    "isLinkLocalMulticast": lambda ip: _ip(ip) in _LINK_LOCAL_MULTICAST[_ip(ip).version],
    "isLinkLocalUnicast": lambda ip: _ip(ip).is_link_local,
    "isGlobalUnicast": lambda ip: (
        not (_ip(ip).is_multicast or _ip(ip).is_loopback or _ip(ip).is_link_local or _ip(ip).is_unspecified)
    ),
}
_LINK_LOCAL_MULTICAST: Final[dict[int, Any]] = {
    4: ipaddress.ip_network("224.0.0.0/24"),
    6: ipaddress.ip_network("ff02::/16"),
}


def _net(value: Mapping[str, str]) -> Any:
    return ipaddress.ip_network(_of(CIDR, value), strict=False)


def _contains_ip(net: Mapping[str, str], ip: Any) -> bool:
    return (_parse_ip(ip) if isinstance(ip, str) else _ip(ip)) in _net(net)


def _contains_cidr(net: Mapping[str, str], other: Any) -> bool:
    outer = _net(net)
    inner = ipaddress.ip_network(other, strict=False) if isinstance(other, str) else _net(other)
    return outer.version == inner.version and bool(inner.subnet_of(outer))


def _amount(value: Any) -> Decimal:
    return Decimal(value) if isinstance(value, int) else Decimal(_of(QUANTITY, value))


def _compared(one: Decimal, other: Decimal) -> int:
    return (one > other) - (one < other)


def _is_integer(amount: Decimal) -> bool:
    return amount == amount.to_integral_value() and -(2**63) <= amount < 2**63


def _as_integer(value: Any) -> int:
    amount = _amount(value)
    if not _is_integer(amount):
        raise ValueError("cannot convert value to integer")
    return int(amount)


def _order(one: Any, other: Any) -> int:
    """Compare two quantities or two versions."""
    if isinstance(one, Mapping) and library.SEMVER in one and library.SEMVER in other:
        return library.compared(one, other)
    return _compared(_amount(one), _amount(other))


_QUANTITY_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "isLessThan": lambda one, other: _order(one, other) < 0,
    "isGreaterThan": lambda one, other: _order(one, other) > 0,
    "compareTo": _order,
}
_QUANTITY_SUMS: Final[dict[str, Callable[[Any, Any], dict[str, str]]]] = {
    "add": lambda one, other: {QUANTITY: str((_amount(one) + _amount(other)).normalize())},
    "sub": lambda one, other: {QUANTITY: str((_amount(one) - _amount(other)).normalize())},
}
