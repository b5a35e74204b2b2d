"""What the Python clients work on: a namespace and a definition each."""

import copy
import uuid
from pathlib import Path

import pytest
import yaml

DEFINITION = Path(__file__).with_name("kettles.yaml")


@pytest.fixture
def namespace():
    """The name of a namespace that nobody else uses; the test makes it."""
    return f"python-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def definition():
    """A definition of kettles in a group of the test's own."""
    crd = copy.deepcopy(yaml.safe_load(DEFINITION.read_text()))
    crd["spec"]["group"] = f"g{uuid.uuid4().hex[:8]}.example.org"
    crd["metadata"]["name"] = f"kettles.{crd['spec']['group']}"
    return crd
