"""The secret that holds a composite's connection details, as patch-and-transform composes it.

Called by ``patch_and_transform`` for composites that have no connection secret of their own (all but the
legacy ones). Values are only ever encoded here, never shown.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery import fieldpath
from roadbed.apimachinery.objects import name_of, namespace_of
from roadbed.apimachinery.request import Object

from . import patches
from .inputs import Reader, invalid

_ALLOWED = ("FromCompositeFieldPath", "CombineFromComposite")


@dataclass(frozen=True, slots=True)
class SecretTemplate:
    """Where the secret goes: fixed names, and patches that may change them."""

    name: str = ""
    namespace: str = ""
    patches: tuple[patches.Patch, ...] = ()


def parse(reader: Reader | None) -> SecretTemplate:
    """Parse ``writeConnectionSecretToRef``.

    Raises:
        InputError: a patch is wrong, or of a type that has no meaning here.
    """
    if reader is None:
        return SecretTemplate()
    parsed = []
    for patch in reader.children("patches"):
        kind = patch.text("type") or patches.FROM_COMPOSITE
        if kind not in _ALLOWED:
            raise invalid(patch.at("type"), kind, "unsupported patch type")
        parsed.append(patches.parse(patch))
    return SecretTemplate(reader.text("name"), reader.text("namespace"), tuple(parsed))


def reference(template: SecretTemplate, composite: Object) -> dict[str, Any]:
    """Give name and namespace of the secret: the composite's own wish, the input's, or one made up.

    Raises:
        fieldpath.FieldPathError, transforms.TransformError: a patch fails and is not optional.
    """
    wish = (composite.get("spec") or {}).get("writeConnectionSecretToRef")
    if isinstance(wish, dict):
        found = {"name": wish.get("name", ""), "namespace": wish.get("namespace", "")}
    elif template.name or template.namespace:
        found = {"name": template.name, "namespace": template.namespace}
    else:
        found = {"name": f"{name_of(composite)}-connection", "namespace": namespace_of(composite)}
    for patch in template.patches:
        try:
            patches.apply(patch, composite, found)
        except fieldpath.FieldNotFoundError:
            if patch.is_required or patch.template is not None:
                raise
    return found


def encode(details: Mapping[str, bytes]) -> dict[str, str]:
    """Give a Secret's ``data``."""
    return {name: base64.b64encode(value).decode() for name, value in sorted(details.items())}
