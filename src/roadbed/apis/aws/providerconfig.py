"""The AWS provider configs: whose account, which credentials, which endpoint.

Three kinds with one ``spec``: namespaced ProviderConfig, ClusterProviderConfig, and the legacy
cluster-scoped ProviderConfig. What the provider does not do (``upbound``, ``webIdentity``, …) stays in the
schema, so that manifests validate, and is refused by name when used.
"""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.gvk import Resource

GROUP = "aws.m.upbound.io"
LEGACY_GROUP = "aws.upbound.io"

PROVIDER_CONFIGS = Resource(GROUP, "v1beta1", "providerconfigs", "ProviderConfig", namespaced=True)
CLUSTER_PROVIDER_CONFIGS = Resource(
    GROUP, "v1beta1", "clusterproviderconfigs", "ClusterProviderConfig", namespaced=False
)
LEGACY_PROVIDER_CONFIGS = Resource(
    LEGACY_GROUP, "v1beta1", "providerconfigs", "ProviderConfig", namespaced=False
)

_STRING: dict[str, Any] = {"type": "string"}
_BOOLEAN: dict[str, Any] = {"type": "boolean"}

CONDITIONS: dict[str, Any] = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "required": ["lastTransitionTime", "reason", "status", "type"],
        "properties": {
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "message": _STRING,
            "observedGeneration": {"type": "integer", "format": "int64"},
            "reason": _STRING,
            "status": _STRING,
            "type": _STRING,
        },
    },
}


def definitions() -> list[dict[str, Any]]:
    """Give the three CustomResourceDefinitions."""
    return [
        _definition(resource)
        for resource in (PROVIDER_CONFIGS, CLUSTER_PROVIDER_CONFIGS, LEGACY_PROVIDER_CONFIGS)
    ]


def _definition(resource: Resource) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "categories": ["crossplane", "providerconfig", "aws"],
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
            },
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [
                        {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                        {
                            "name": "SOURCE",
                            "type": "string",
                            "jsonPath": ".spec.credentials.source",
                            "priority": 1,
                        },
                    ],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def _schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "How to reach an AWS account: credentials, and an endpoint when it is not AWS's own.",
        "required": ["spec"],
        "properties": {
            "apiVersion": _STRING,
            "kind": _STRING,
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "required": ["credentials"],
                "properties": {
                    "credentials": _credentials(),
                    "assumeRoleChain": _roles(),
                    "endpoint": _endpoint(),
                    "s3_use_path_style": {
                        **_BOOLEAN,
                        "description": "Address buckets as <endpoint>/<bucket>, as most doubles of S3 want it.",
                    },
                    "skip_credentials_validation": _BOOLEAN,
                    "skip_metadata_api_check": _BOOLEAN,
                    "skip_region_validation": _BOOLEAN,
                    "skip_requesting_account_id": _BOOLEAN,
                },
            },
            "status": {
                "type": "object",
                "properties": {"conditions": CONDITIONS, "users": {"type": "integer", "format": "int64"}},
            },
        },
    }


def _object(required: tuple[str, ...] = (), /, doc: str = "", **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if doc:
        schema["description"] = doc
    if required:
        schema["required"] = list(required)
    return schema


def _secret_key() -> dict[str, Any]:
    return _object(
        ("key", "name", "namespace"),
        "The Secret and its key, holding an AWS credentials file ([default] section).",
        key=_STRING,
        name=_STRING,
        namespace=_STRING,
    )


def _credentials() -> dict[str, Any]:
    token = _object(
        ("source",),
        fs=_object(("path",), path=_STRING),
        secretRef=_secret_key(),
        source={"type": "string", "enum": ["Secret", "Filesystem"]},
    )
    web_identity = _object(roleARN=_STRING, roleSessionName=_STRING, tokenConfig=token)
    return _object(
        ("source",),
        "Where the credentials come from.",
        source={
            "type": "string",
            "enum": ["None", "Secret", "IRSA", "WebIdentity", "PodIdentity", "Upbound"],
            "description": "Secret: secretRef. IRSA or PodIdentity: the process's own environment, "
            "profile or role. None, WebIdentity and Upbound are not supported.",
        },
        secretRef=_secret_key(),
        env=_object(("name",), name=_STRING),
        fs=_object(("path",), path=_STRING),
        webIdentity=web_identity,
        upbound=_object(webIdentity=web_identity),
    )


def _roles() -> dict[str, Any]:
    tag = _object(("key", "value"), key=_STRING, value=_STRING)
    role = _object(
        externalID=_STRING,
        roleARN=_STRING,
        tags={"type": "array", "items": tag},
        transitiveTagKeys={"type": "array", "items": _STRING},
    )
    return {"type": "array", "items": role, "description": "Roles to assume, one through the other."}


def _endpoint() -> dict[str, Any]:
    url = _object(
        ("type",),
        "Static: one address for every service. Dynamic: <protocol>://<service>.<region>.<host>.",
        type={"type": "string", "enum": ["Static", "Dynamic", "Auto"]},
        static=_STRING,
        dynamic=_object(
            ("host", "protocol"),
            host=_STRING,
            protocol={"type": "string", "enum": ["http", "https"]},
        ),
    )
    return _object(
        ("url",),
        "Where the AWS API is, when it is not AWS's own.",
        url=url,
        hostnameImmutable=_BOOLEAN,
        partitionId=_STRING,
        services={
            "type": "array",
            "items": _STRING,
            "description": "The services it is for; all when empty.",
        },
        signingMethod=_STRING,
        signingName=_STRING,
        signingRegion=_STRING,
        source={"type": "string", "enum": ["ServiceMetadata", "Custom"]},
    )
