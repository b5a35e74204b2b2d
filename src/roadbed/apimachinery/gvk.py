"""What a kind is called: group, version, kind, and the resource that serves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from .errors import BadRequestError

ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
REVIEW_VERBS: Final = ("create",)  # a question: answered, never stored


@dataclass(frozen=True, slots=True, order=True)
class GVK:
    """Group, version and kind; the core group is the empty string."""

    group: str
    version: str
    kind: str

    @classmethod
    def parse(cls, api_version: str, kind: str) -> GVK:
        """Split ``apiVersion`` (``v1`` or ``group/version``).

        Raises:
            BadRequestError: more than one slash, or an empty part.
        """
        parts = api_version.split("/")
        if len(parts) > 2 or not all(parts) or not kind:
            raise BadRequestError(
                f"cannot read apiVersion {api_version!r}, kind {kind!r}: want [group/]version"
            )
        return cls("" if len(parts) == 1 else parts[0], parts[-1], kind)

    @property
    def api_version(self) -> str:
        """The wire form of group and version."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Resource:
    """A served kind: where its objects live and what they are called.

    Two resources are equal when group, version and plural are; the rest is what discovery tells.
    """

    group: str
    version: str
    plural: str
    kind: str = field(compare=False)
    namespaced: bool = field(default=True, compare=False)
    singular: str = field(default="", compare=False)
    short_names: tuple[str, ...] = field(default=(), compare=False)
    categories: tuple[str, ...] = field(default=(), compare=False)
    verbs: tuple[str, ...] = field(default=(), compare=False)
    subresources: tuple[str, ...] = field(default=(), compare=False)

    @property
    def api_version(self) -> str:
        """The wire form of group and version."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def gvk(self) -> GVK:
        """The kind of the objects it serves."""
        return GVK(self.group, self.version, self.kind)

    @property
    def qualified(self) -> str:
        """``plural.group``, as messages and CRD names have it; only the plural in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural
