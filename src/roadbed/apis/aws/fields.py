"""How one AWS kind is written down: a table of fields, from which schema, requests and comparison follow.

Read by ``schema`` (CustomResourceDefinitions) and by the provider engine (what to send, what to compare,
what may be filled in). Pure values. Names are those of the Upbound providers; ``api`` is the parameter
of the AWS API where the two map one to one, and empty where the engine's adapter maps by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import Literal

from roadbed.apimachinery.gvk import GVK, Resource

FieldType = Literal["string", "number", "boolean", "list", "set", "map", "object", "objects"]


class Trait(Flag):
    """What is special about a field; an ordinary one can be set, read back and changed."""

    PLAIN = 0
    IMMUTABLE = auto()  # changing it would need another external resource
    COMPUTED = auto()  # AWS fills it when the user leaves it open; late initialisation may copy it
    WRITE_ONLY = auto()  # can't be read back, so it takes no part in comparison
    FOLDED = auto()  # AWS changes its case
    OBSERVED = auto()  # only in status.atProvider
    UNSUPPORTED = auto()  # part of the kind's schema; the provider refuses objects that set it
    NEEDED = auto()  # must be in forProvider or initProvider for the object to be created or updated
    SENSITIVE = auto()  # the spec holds <name>SecretRef, the value is in a Secret, never in status


@dataclass(frozen=True, slots=True)
class Target:
    """Which kind's objects may fill a field; ``extract`` is the external name or a path below atProvider."""

    service: str
    kind: str
    extract: str = "external-name"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of ``spec.forProvider`` (and ``initProvider``) or of ``status.atProvider``.

    ``refs`` names the reference field where it is not ``<name>Ref``. ``wrapped`` tells that the legacy
    v1beta1 shape has a list of one object here.
    """

    name: str
    type: FieldType = "string"
    api: str = ""
    traits: Trait = Trait.PLAIN
    doc: str = ""
    target: Target | None = None
    ref: str = ""
    selector: str = ""
    fields: tuple[Field, ...] = ()
    wrapped: bool = False

    def has(self, trait: Trait) -> bool:
        """Say whether the field has this trait."""
        return bool(self.traits & trait)

    @property
    def many(self) -> bool:
        """Say whether it holds several values."""
        return self.type in {"list", "set"}

    @property
    def ref_name(self) -> str:
        """The field with the name(s) of referenced objects."""
        return self.ref or f"{self.name}Ref"

    @property
    def selector_name(self) -> str:
        """The field with the label selector for referenced objects."""
        return self.selector or f"{self.name}Selector"

    @property
    def secret_ref_name(self) -> str:
        """Where a sensitive field's Secret is named."""
        return f"{self.name}SecretRef"


@dataclass(frozen=True, slots=True)
class Kind:
    """One AWS kind in both of its forms: namespaced (``*.aws.m.upbound.io``) and cluster-scoped.

    ``legacy_versions`` are the versions of the cluster-scoped form, the stored one last. ``named`` kinds take
    the object's name as the external name; for others the cloud (or the adapter) makes one.
    """

    service: str
    kind: str
    plural: str
    doc: str
    fields: tuple[Field, ...]
    legacy_versions: tuple[str, ...] = ("v1beta1",)
    named: bool = False
    tagged: bool = True

    def group(self, *, legacy: bool) -> str:
        """Give the API group of one form."""
        return f"{self.service}.aws.upbound.io" if legacy else f"{self.service}.aws.m.upbound.io"

    def resource(self, *, legacy: bool) -> Resource:
        """Give the resource of one form, at the version that is stored."""
        return Resource(
            self.group(legacy=legacy),
            self.legacy_versions[-1] if legacy else "v1beta1",
            self.plural,
            self.kind,
            namespaced=not legacy,
            singular=self.kind.lower(),
            categories=("crossplane", "managed", "aws"),
            subresources=("status",),
        )

    def inputs(self) -> tuple[Field, ...]:
        """Give the fields that a user may set."""
        return tuple(field for field in self.fields if not field.has(Trait.OBSERVED))

    def field(self, name: str) -> Field:
        """Give a field by name; KeyError for one that is not in the table."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.kind} has no field {name}")


def target_gvk(target: Target, *, legacy: bool) -> GVK:
    """Give the kind that a reference points to, in the same form as the referring object."""
    group = f"{target.service}.aws.upbound.io" if legacy else f"{target.service}.aws.m.upbound.io"
    return GVK(group, "v1beta1", target.kind)


REGION = Field(
    "region",
    traits=Trait.IMMUTABLE,
    doc="Region is the region you'd like your resource to be created in.",
)
TAGS = Field("tags", "map", doc="Key-value map of resource tags.")
TAGS_ALL = Field("tagsAll", "map", traits=Trait.OBSERVED, doc="All tags of the resource.")
ID = Field("id", traits=Trait.OBSERVED, doc="The identifier by which AWS knows the resource.")
ARN = Field("arn", traits=Trait.OBSERVED, doc="The Amazon Resource Name.")
