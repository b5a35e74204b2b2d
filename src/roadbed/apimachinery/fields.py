"""Field selectors: ``?fieldSelector=metadata.name=x,spec.foo!=y``.

Parsed here; which fields a kind lets one select by is the server's to know (``check`` refuses
the others).

Source: k8s.io/apimachinery/pkg/fields/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from .errors import BadRequestError

_TERM = re.compile(r"((?:[^!=]|!(?!=))*)(!=|==|=)(.*)", re.DOTALL)
_PIECES = re.compile(r"(?:[^\\,]|\\.|\\$)+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.?)|([,=])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One term: the field equals the value, or does not."""

    field: str
    value: str
    equals: bool = True

    def __str__(self) -> str:
        """Give the form that ``FieldSelector.parse`` reads."""
        return f"{self.field}{'=' if self.equals else '!='}{escape(self.value)}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must hold; none means everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> FieldSelector:
        r"""Read ``field=value`` terms; ``\,``, ``\=`` and ``\\`` stand for themselves in values.

        Raises:
            BadRequestError: a term without operator, or a wrong escape.
        """
        terms = []
        for piece in sorted(_PIECES.findall(text)):
            found = _TERM.fullmatch(piece)
            if found is None:
                raise BadRequestError(f"invalid selector: '{text}'; can't understand '{piece}'")
            name, operator, value = found.groups()
            value = unescape(value)
            if name or value:  # Kubernetes reads a bare operator as nothing at all
                terms.append(FieldRequirement(name, value, operator != "!="))
        return cls(tuple(terms))

    @property
    def is_everything(self) -> bool:
        """Say whether every object matches."""
        return not self.requirements

    def matches(self, values: Mapping[str, str]) -> bool:
        """Say whether an object with these field values is selected; an absent field reads as empty."""
        return all((values.get(term.field, "") == term.value) is term.equals for term in self.requirements)

    def exact(self, name: str) -> str | None:
        """Give the one value that ``name`` must have, or None where it may have several."""
        for term in self.requirements:
            if term.field == name and term.equals:
                return term.value
        return None

    def check(self, allowed: Collection[str], *, rename: Callable[[str], str] | None = None) -> None:
        """Refuse fields that the kind doesn't index.

        Raises:
            BadRequestError: a field is not in ``allowed``.
        """
        for term in self.requirements:
            if (rename(term.field) if rename else term.field) not in allowed:
                raise BadRequestError(f"field label not supported: {term.field}")

    def __str__(self) -> str:
        """Give the form that ``parse`` reads."""
        return ",".join(str(term) for term in self.requirements)


def escape(value: str) -> str:
    """Give ``value`` as it must stand in a selector."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def unescape(value: str) -> str:
    """Undo ``escape``.

    Raises:
        BadRequestError: a backslash before anything else, or a bare comma or equals sign.
    """

    def one(found: re.Match[str]) -> str:
        escaped, bare = found.groups()
        if bare:
            raise BadRequestError(f"invalid field selector: unescaped character in value: {ord(bare)}")
        if escaped not in ("\\", ",", "=") or not escaped:
            raise BadRequestError(f"invalid field selector: invalid escape sequence: \\{escaped}")
        return escaped

    return _ESCAPED.sub(one, value)
