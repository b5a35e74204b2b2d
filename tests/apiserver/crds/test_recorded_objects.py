"""Objects are taken, changed, ratcheted and refused as the real API server does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "objects.yaml").read_text())
ANSWERS = json.loads((HERE / "objects-answers.json").read_text())


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["name"] for case in CASES])
async def test_objects_are_answered_as_the_real_server_answers(number: int, replay_objects: Any) -> None:
    case: dict[str, Any] = CASES[number]
    assert await replay_objects(case, number) == ANSWERS[case["name"]]
