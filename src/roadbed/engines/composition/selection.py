"""Which Composition, and which of its revisions, a composite uses.

Pure, called by the composite reconciler with what is cached. Crossplane picks at random among several
Compositions that match; here it is always the first by name, and the user is told.

Source: Crossplane's composition selectors and revision fetcher (precedence and messages).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.conditions import find_condition
from roadbed.apimachinery.objects import labels_of, name_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Label

from . import revisions


class SelectionError(Exception):
    """No Composition or revision can be used; the message says why and what to do."""


class UndecidedError(SelectionError):
    """Nobody has said yet whether the revision's pipeline can run: it was made a moment ago."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A name, and what to tell the user about how it was found (empty if there is nothing new)."""

    name: str
    note: str = ""


def composition(
    composite: Object, machinery: Mapping[str, Any], definition: Object, candidates: Iterable[Object]
) -> Choice:
    """Choose the Composition: enforced, referred to, the default, or selected by labels.

    Raises:
        SelectionError: none is compatible with the composite.
    """
    spec = definition.get("spec") or {}
    current = str((machinery.get("compositionRef") or {}).get("name") or "")
    enforced = str((spec.get("enforcedCompositionRef") or {}).get("name") or "")
    if enforced:
        return Choice(enforced, "" if current == enforced else "Enforced composition has been selected")
    if current:
        return Choice(current)
    selector = machinery.get("compositionSelector")
    default = str((spec.get("defaultCompositionRef") or {}).get("name") or "")
    if default and not selector:
        return Choice(default, "Default composition has been selected")
    return _matching(composite, (selector or {}).get("matchLabels") or {}, candidates)


def revision(
    composite: Object, machinery: Mapping[str, Any], chosen: Object | None, candidates: Iterable[Object]
) -> Object:
    """Choose the revision: the one referred to if updates are manual, else the newest that matches.

    ``chosen`` is the Composition, None where it does not exist; ``candidates`` are its revisions.

    Raises:
        SelectionError: there is none, it is for another kind, or its pipeline is not valid (yet).
    """
    current = str((machinery.get("compositionRevisionRef") or {}).get("name") or "")
    known = list(candidates)
    if current and machinery.get("compositionUpdatePolicy") == "Manual":
        found = next((item for item in known if name_of(item) == current), None)
        if found is None:
            raise SelectionError(
                f'cannot get CompositionRevision "{current}", which compositionRevisionRef names: '
                "refer to one that exists, or set compositionUpdatePolicy to Automatic"
            )
    else:
        found = _latest(machinery, chosen, known)
    _check(composite, found)
    return found


def is_for(composition_or_revision: Object, composite: Object) -> bool:
    """Say whether a Composition or revision composes this kind of composite."""
    reference = (composition_or_revision.get("spec") or {}).get("compositeTypeRef") or {}
    return bool(
        reference.get("kind") == composite.get("kind")
        and reference.get("apiVersion") == composite.get("apiVersion")
    )


def _matching(composite: Object, labels: Mapping[str, str], candidates: Iterable[Object]) -> Choice:
    found = sorted(
        name_of(item)
        for item in candidates
        if is_for(item, composite) and labels.items() <= labels_of(item).items()
    )
    if not found:
        wanted = f"{composite.get('apiVersion')} {composite.get('kind')}"
        asked = f" and labels {dict(labels)}" if labels else ""
        raise SelectionError(
            f"no compatible Compositions found: create a Composition with compositeTypeRef {wanted}{asked}"
        )
    if len(found) == 1:
        return Choice(found[0])
    return Choice(
        found[0],
        f"{len(found)} Compositions match ({', '.join(found)}); took {found[0]}, the first by name. "
        "Set compositionRef or compositionSelector to decide otherwise.",
    )


def _latest(machinery: Mapping[str, Any], chosen: Object | None, known: list[Object]) -> Object:
    name = str((machinery.get("compositionRef") or {}).get("name") or "")
    if chosen is None:
        raise SelectionError(
            f'cannot get Composition "{name}": create it, or refer to another one in compositionRef'
        )
    labels: Mapping[str, str] = {}
    if machinery.get("compositionUpdatePolicy") == "Automatic":
        labels = (machinery.get("compositionRevisionSelector") or {}).get("matchLabels") or {}
    matching = [item for item in known if labels.items() <= labels_of(item).items()]
    found = revisions.latest(chosen, matching)
    if found is None:
        asked = f" with labels {dict(labels)}" if labels else ""
        raise SelectionError(f'no compatible CompositionRevisions found{asked} for Composition "{name}"')
    return found


def _check(composite: Object, found: Object) -> None:
    if not is_for(found, composite):
        reference = (found.get("spec") or {}).get("compositeTypeRef") or {}
        raise SelectionError(
            f'referenced composition is not compatible with this composite resource: "{name_of(found)}" '
            f"composes {reference.get('apiVersion')} {reference.get('kind')}, "
            f"this is {composite.get('apiVersion')} {composite.get('kind')}"
        )
    valid = find_condition(found, "ValidPipeline") or {}
    if valid.get("status") != "True":
        family = SelectionError if valid.get("status") == "False" else UndecidedError
        raise family(
            f"selected CompositionRevision {name_of(found)} does not have a valid function pipeline: "
            f"{valid.get('message') or 'pipeline status unknown'}"
        )


def composition_of(revision_object: Object) -> str:
    """Give the name of the Composition that a revision is of."""
    return labels_of(revision_object).get(Label.COMPOSITION_NAME, "")
