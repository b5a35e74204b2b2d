"""Every example is ordered, checked and taken down on a running platform, as its README says."""

from pathlib import Path

import pytest

EXAMPLES = sorted(path for path in (Path(__file__).parents[2] / "examples").iterdir() if path.is_dir())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_example_does_what_it_says(platform, example):
    platform.run(str(example / "check"), timeout=150)
    left = platform.roadbed("get", "managed", "-A", check=False)
    assert "No resources found" in left.stderr, left.stdout
