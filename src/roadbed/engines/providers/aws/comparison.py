"""What differs between the values a user wants and those that AWS tells, field by field of the table.

Pure; called by the external client at every observation and before every update. A field that the user leaves open
never differs. Absent and empty mean the same to AWS, so they are equal here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roadbed.apis.aws import Field, Kind, Trait

OWNER_TAG = "roadbed.dev/uid"  # finds what an interrupted creation left; not part of the object's own tags
SHOWN = 200  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Change:
    """One field to change; values are those of the forProvider field."""

    field: Field
    before: Any
    after: Any

    def __str__(self) -> str:
        """Say it for a log or a condition."""
        return f"{self.field.name}: {_shown(self.before)} to {_shown(self.after)}"


def changes(kind: Kind, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[Change]:
    """Give what would have to change, in the table's order."""
    result: list[Change] = []
    for field in kind.inputs():
        if field.has(Trait.WRITE_ONLY | Trait.UNSUPPORTED) or field.name not in wanted:
            continue
        before, after = found.get(field.name), wanted[field.name]
        if not equal(field, after, before):
            result.append(Change(field, before, after))
    return result


def late_values(kind: Kind, found: Mapping[str, Any]) -> dict[str, Any]:
    """Give what AWS decided that a user could have: the computed fields that have a value."""
    return {
        field.name: found[field.name]
        for field in kind.inputs()
        if field.has(Trait.COMPUTED)
        and not _empty(found.get(field.name))
        and not _is_default(found[field.name])
    }


def _is_default(value: Any) -> bool:
    # RDS names its own groups default:postgres-17 and default.postgres17. Written into the spec they would pin an
    # engine version that nobody chose: the next upgrade, or a creation elsewhere, would be refused for it.
    return isinstance(value, str) and value.startswith(("default:", "default."))


def unsupported(kind: Kind, wanted: Mapping[str, Any]) -> list[str]:
    """Give the fields that are set although this provider does not do them."""
    names: list[str] = []
    for field in kind.inputs():
        if field.has(Trait.UNSUPPORTED):
            given = [field.name, field.secret_ref_name, field.ref_name, field.selector_name]
            names.extend(name for name in given if not _empty(wanted.get(name)))
    return names


def equal(field: Field, wanted: Any, found: Any) -> bool:
    """Say whether two values of a field mean the same."""
    if _empty(wanted) and _empty(found):
        return True
    match field.type:
        case "number":
            return found is not None and float(wanted) == float(found)
        case "set":
            return sorted(wanted or ()) == sorted(found or ())
        case "map":
            return visible_tags(wanted or {}) == visible_tags(found or {})
        case "object":
            inner, other = one(wanted), one(found)
            named = [f for f in field.fields if f.name in inner]
            return all(equal(f, inner[f.name], other.get(f.name)) for f in named)
        case "string" if field.has(Trait.FOLDED):
            return str(wanted).lower() == str(found).lower()
        case _:
            return bool(wanted == found)


def one(value: Any) -> dict[str, Any]:
    """Give the object in a field that older versions wrap in a list of one."""
    if isinstance(value, list):
        value = value[0] if value else {}
    return dict(value) if isinstance(value, dict) else {}


def visible_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Give the tags that are the user's: not AWS's own, not our mark."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:") and key != OWNER_TAG}


def by_name(pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Give AWS's list of Key and Value as a map."""
    return {pair["Key"]: pair.get("Value", "") for pair in pairs}


def as_pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags as AWS's list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {}) or (value == 0 and value is not True)


def _shown(value: Any) -> str:
    if _empty(value) and value is not False and value != 0:
        return "nothing"
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
