"""The paths that are of no kind: the version, discovery's lists, one for each built-in group, and the OIDC documents.

Pure; used by ``serving``, which makes a v3 document of each and adds them all to v2.

Source: the routes of k8s.io/apiserver/pkg/endpoints/discovery and pkg/server/routes, as /openapi/v3 lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_META: Final = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1."
_INFO: Final = "#/components/schemas/io.k8s.apimachinery.pkg.version.Info"
_JSON: Final = "application/json"
_OBJECTS: Final = (_JSON, "application/vnd.kubernetes.protobuf", "application/yaml")
_TEXT: Final = {"type": "string"}


def paths(groups: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Give, by the name of its v3 document, each path with what is done there; ``groups`` are the built-in ones."""
    found = {
        ".well-known/openid-configuration": _get(
            "WellKnown", "getServiceAccountIssuerOpenIDConfiguration", {_JSON: _TEXT}
        ),
        "api": _get("core", "getCoreAPIVersions", _listed("APIVersions")),
        "apis": _get("apis", "getAPIVersions", _listed("APIGroupList")),
        "openid/v1/jwks": _get(
            "openid", "getServiceAccountIssuerOpenIDKeyset", {"application/jwk-set+json": _TEXT}
        ),
        "version": _get("version", "getCodeVersion", {_JSON: {"$ref": _INFO}}),
    }
    for group in groups:
        tag = _camel(group.removesuffix(".k8s.io").split("."))
        found[f"apis/{group}"] = _get(tag, f"get{tag[0].upper()}{tag[1:]}APIGroup", _listed("APIGroup"))
    return {name: {f"/{name}/": {"get": operation}} for name, operation in found.items()}


def _listed(kind: str) -> dict[str, Any]:
    return {media_type: {"$ref": f"{_META}{kind}"} for media_type in _OBJECTS}


def _get(tag: str, operation: str, schemas: Mapping[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    responses = {"200": {"description": "OK", "content": content}, "401": {"description": "Unauthorized"}}
    return {"tags": [tag], "operationId": operation, "responses": responses}


def _camel(words: list[str]) -> str:
    first, *rest = words
    return first + "".join(word.capitalize() for word in rest)
