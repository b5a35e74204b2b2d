"""The browser's part: small, built by the hook, pinned without naming a registry."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WEB = ROOT / "src/roadbed/interfaces/web"
LARGEST_SCRIPT = 200 * 1024


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_pins_every_package_and_names_no_host():
    lock = (WEB / "browser/package-lock.json").read_text()
    assert "://" not in re.sub(r'"url": "[^"]*"', "", lock)
    packages = {name: found for name, found in json.loads(lock)["packages"].items() if name}
    assert packages
    assert all(found.get("integrity") and "resolved" not in found for found in packages.values())


def test_the_script_is_small():
    assert (WEB / "static/portal.js").stat().st_size < LARGEST_SCRIPT


def test_built_files_are_those_of_the_sources(hook):
    """A stale bundle would be tested and shipped instead of what the sources say."""
    assert (WEB / "static" / hook.STAMP).read_text() == hook.digest_of(WEB / "browser")


def test_an_unchanged_source_is_not_built_again(hook, monkeypatch):
    monkeypatch.setattr(hook, "_run", lambda *_: pytest.fail("built again"))
    assert hook.build(ROOT) is False


def test_a_changed_source_is_built_again(hook, tmp_path, monkeypatch):
    sources = tmp_path / hook.WEB / "browser"
    sources.mkdir(parents=True)
    (sources / "package-lock.json").write_text("{}")
    ran = []

    def run(program, arguments, folder):
        ran.append(program)
        (folder / "node_modules").mkdir(exist_ok=True)

    monkeypatch.setattr(hook, "_run", run)
    assert hook.build(tmp_path) is True
    assert hook.build(tmp_path) is False
    (sources / "new.ts").write_text("1")
    assert hook.build(tmp_path) is True
    assert ran == ["npm", "node", "node"]


def test_every_icon_that_a_template_names_is_in_the_sprite():
    sprite = (WEB / "browser/icons.svg").read_text()
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    named = set()
    for template in (WEB / "templates").glob("*.html"):
        named |= set(re.findall(r"icon\('([a-z-]+)'[,)]", template.read_text()))
    assert named
    assert named <= known


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_ground(theme):
    text = (WEB / "browser/tokens.css").read_text()
    light, _, rest = text.partition(':root[data-theme="dark"]')
    block = light if theme == "light" else rest.partition("@media")[0]
    tokens = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    pairs = [
        (ink, ground)
        for ink in ("text", "quiet", "faint")
        for ground in ("ground", "surface", "sunken", "hover")
    ]
    pairs += [
        ("on-accent", "accent"),
        ("accent-text", "chosen"),
        ("degraded", "surface"),
        ("healthy", "surface"),
    ]
    pairs += [("degraded", "degraded-ground"), ("text", "stripe"), ("text", "chosen"), ("quiet", "chosen")]
    for ink, ground in pairs:
        bright, dark = sorted((luminance(tokens[ink]), luminance(tokens[ground])), reverse=True)
        ratio = (bright + 0.05) / (dark + 0.05)
        assert ratio >= 4.5, f"{ink} on {ground}: {ratio:.2f}"


def test_both_ways_into_the_dark_have_the_same_tokens():
    text = (WEB / "browser/tokens.css").read_text()
    chosen = text.partition(':root[data-theme="dark"] {')[2].partition("}")[0]
    system = text.partition(':root[data-theme="system"] {')[2].partition("}")[0]
    assert chosen.split() == system.split()
