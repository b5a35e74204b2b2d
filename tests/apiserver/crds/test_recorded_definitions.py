"""Definitions, malformed and odd ones above all, are answered as the real API server answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.acceptance

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "cases.yaml").read_text())
ANSWERS = json.loads((HERE / "answers.json").read_text())


A_SERVER = 12  # cases; starting one for each would take most of the time


@pytest.mark.parametrize("first", range(0, len(CASES), A_SERVER))
async def test_definitions_are_answered_as_the_real_server_answers(first: int, replay: Any) -> None:
    cases: list[dict[str, Any]] = CASES[first : first + A_SERVER]
    found = {case["name"]: await replay(case) for case in cases}
    assert found == {case["name"]: ANSWERS[case["name"]] for case in cases}
