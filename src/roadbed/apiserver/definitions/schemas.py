"""The published types of definitions, made fit for decoding: a schema of schemas that knows every member.

``builtin`` resolves the references of the CustomResourceDefinition kind here. The published document hides
what may be a schema or something else (``items``, ``additionalProperties``); so that unknown members are
told wherever they stand, these are given the members of a schema here. What must be set is left to
``judging``, which says it as Kubernetes does.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from roadbed.apis import kubernetes

PREFIX: Final = "#/components/schemas/io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_PROPS: Final = "JSONSchemaProps"
_OR_SOMETHING: Final = ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray")


@functools.cache
def definition_part(name: str) -> dict[str, Any]:
    """Give the schema of one type of ``apiextensions.k8s.io/v1``."""
    if name in _OR_SOMETHING:
        # No type, as it may be a list, a truth value or a schema; a schema's members where it is one.
        found = {"properties": definition_part(_PROPS)["properties"]}
        return {**found, "items": {"$ref": PREFIX + _PROPS}} if name == _OR_SOMETHING[0] else found
    found = kubernetes.load().resolve(PREFIX + name)
    return {member: value for member, value in found.items() if member != "required"}
