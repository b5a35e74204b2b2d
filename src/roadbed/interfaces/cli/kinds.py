"""From words to kinds: what ``get databases``, ``get db``, ``get managed`` mean on this server.

Read from discovery once per command. A word is a plural, singular, short name or kind, with a group and a
version where it must be told apart (``instances.rds.aws.m.upbound.io``), or a category.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from roadbed.apimachinery.gvk import GVK, Resource

from .failures import NOT_FOUND, Failure


class Kinds:
    """The kinds that a server serves; the first of equal names wins, as its discovery orders them."""

    def __init__(self, served: Iterable[Resource]) -> None:
        self._served = list(served)

    def find(self, word: str) -> list[Resource]:
        """Give what a word means: one resource, or all of a category.

        Raises:
            Failure: the server knows no such word.
        """
        name, _, rest = word.lower().partition(".")
        found = self._named(name, rest) or self._of_category(word)
        if not found:
            raise Failure(
                f'the server has no resource type "{word}"', hint=self._suggestion(name), code=NOT_FOUND
            )
        return found

    def nearest(self, wanted: GVK) -> str:
        """Give the hint for whoever asked for a kind that is not served."""
        served = {each.gvk for each in self._served}
        same = sorted(each.api_version for each in served if each.kind == wanted.kind)
        if same:
            return f"{wanted.kind} is served in {' and '.join(same)}: correct apiVersion"
        by_name = {each.kind.lower(): each for each in sorted(served, key=str, reverse=True)}
        close = [by_name[name] for name in difflib.get_close_matches(wanted.kind.lower(), by_name, n=3)]
        if close:
            return f"did you mean {' or '.join(f'{each.kind} in {each.api_version}' for each in close)}?"
        return "apply the definition that serves it first: a CompositeResourceDefinition or CustomResourceDefinition"

    def _named(self, name: str, rest: str) -> list[Resource]:
        matching = [resource for resource in self._served if name in _names(resource)]
        if rest:
            version, _, group = rest.partition(".")
            exact = [each for each in matching if (each.version, each.group) == (version, group)]
            of_group = [each for each in matching if each.group == rest]
            # Kubernetes takes the beginning of a group's name for the group where none has that name.
            matching = exact or of_group or [each for each in matching if each.group.startswith(rest)]
        return matching[:1]

    def _of_category(self, word: str) -> list[Resource]:
        found: dict[tuple[str, str], Resource] = {}
        for resource in self._served:
            if word in resource.categories and "list" in resource.verbs:
                found.setdefault((resource.group, resource.plural), resource)
        return list(found.values())

    def _suggestion(self, word: str) -> str:
        known = {name for resource in self._served for name in _names(resource)}
        close = difflib.get_close_matches(word, sorted(known), n=3)
        return f"did you mean {' or '.join(close)}?" if close else "its definition may not be installed here"


def shown(resource: Resource) -> str:
    """Give the kind as output names it: ``database.platform.example.org``."""
    kind = resource.kind.lower()
    return f"{kind}.{resource.group}" if resource.group else kind


def typed(resource: Resource, name: str) -> str:
    """Give an object as a person types it: ``database/orders``."""
    return f"{resource.singular or resource.kind.lower()}/{name}"


def _names(resource: Resource) -> Sequence[str]:
    return (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names)
