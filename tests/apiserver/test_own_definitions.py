"""Roadbed's own definitions are installed on trust, so here is where they earn it."""

import pytest

from roadbed.apimachinery.cel_check import check_rules
from roadbed.apimachinery.structural import check_structural
from roadbed.apis import load_crds
from roadbed.apiserver.crd import compile_schema
from roadbed.apiserver.crdstrategy import CrdStrategy

CRDS = list(load_crds())


@pytest.mark.parametrize("crd", CRDS, ids=lambda crd: crd["metadata"]["name"])
def test_the_definition_would_be_accepted_from_anyone(crd):
    strategy = CrdStrategy(lambda group: {}, lambda: "2026-01-01T00:00:00Z")
    stored = [each["name"] for each in crd["spec"]["versions"] if each["storage"]]
    assert strategy.validate({**crd, "status": {"storedVersions": stored}}, None) == []
    for version in crd["spec"]["versions"]:
        openapi = version["schema"]["openAPIV3Schema"]
        assert check_structural(openapi, "schema") == []
        assert check_rules(openapi, "schema") == []
        assert compile_schema(openapi)


def test_trust_ends_with_the_block():
    strategy = CrdStrategy(lambda group: {}, lambda: "2026-01-01T00:00:00Z")
    (version,) = CRDS[0]["spec"]["versions"]
    broken = {**version, "schema": {"openAPIV3Schema": {"type": "string"}}}
    crd = {**CRDS[0], "spec": {**CRDS[0]["spec"], "versions": [broken]}}
    crd["status"] = {"storedVersions": [version["name"]]}
    with strategy.trusting():
        assert strategy.validate(crd, None) == []
    where = "spec.validation.openAPIV3Schema.type"
    assert {cause.field for cause in strategy.validate(crd, None)} == {where}
