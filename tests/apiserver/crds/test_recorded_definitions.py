"""Definitions, malformed and odd ones above all, are answered as the real API server answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "cases.yaml").read_text())
ANSWERS = json.loads((HERE / "answers.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_a_definition_is_answered_as_the_real_server_answers(case: dict[str, Any], replay: Any) -> None:
    assert await replay(case) == ANSWERS[case["name"]]
