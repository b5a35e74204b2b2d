"""Objects are taken, changed, ratcheted and refused as the real API server does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.acceptance

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "objects.yaml").read_text())
ANSWERS = json.loads((HERE / "objects-answers.json").read_text())


A_SERVER = 6  # cases


@pytest.mark.parametrize("first", range(0, len(CASES), A_SERVER))
async def test_objects_are_answered_as_the_real_server_answers(first: int, replay_objects: Any) -> None:
    cases: list[dict[str, Any]] = CASES[first : first + A_SERVER]
    found = {case["name"]: await replay_objects(case, first + at) for at, case in enumerate(cases)}
    assert found == {case["name"]: ANSWERS[case["name"]] for case in cases}
