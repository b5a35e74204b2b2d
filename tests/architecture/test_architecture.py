"""The house's own rules: sizes, faces, names, and that nothing is offered without a word and a test."""

import ast
import dataclasses
import functools
import logging
import re
from pathlib import Path

import pytest

from roadbed.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "roadbed"
MODULES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "base", "impl", "info", "data"}

pytestmark = pytest.mark.timeout(30)  # the first test reads every module for all

MODULE_LINES = 600
FUNCTION_LINES = 80
PARAMETERS = 7
FACE_NAMES = 16


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def nodes(path: Path):
    """The functions and keywords of a module; walking all modules for each test would take seconds."""
    wanted = ast.FunctionDef | ast.AsyncFunctionDef | ast.keyword
    return [node for node in ast.walk(tree(path)) if isinstance(node, wanted)]


def functions(path: Path):
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_module_is_longer_than_its_bound():
    sizes = {relative(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES} == {}


def test_no_function_is_longer_than_its_bound():
    long = {
        f"{relative(path)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in functions(path)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }
    assert long == {}


def test_no_function_takes_more_parameters_than_its_bound():
    # Protocol-shaped wire calls keep their options by keyword; a command's options are its interface.
    wide = {}
    for path in MODULES:
        if path.is_relative_to(SOURCE / "interfaces" / "cli"):
            continue
        for node in functions(path):
            arguments = node.args
            names = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            count = len([name for name in names if name not in {"self", "cls"}])
            if count > PARAMETERS:
                wide[f"{relative(path)}:{node.name}"] = count
    assert wide == {}


def test_no_face_offers_more_names_than_its_bound():
    wide = {}
    for path in SOURCE.rglob("__init__.py"):
        for node in tree(path).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                names = ast.literal_eval(node.value)
                if len(names) > FACE_NAMES:
                    wide[relative(path)] = len(names)
    assert wide == {}


def test_no_module_has_a_name_that_says_nothing():
    named = {relative(path) for path in MODULES if FORBIDDEN_WORDS & set(path.stem.split("_"))}
    assert named == set()


def test_every_module_starts_with_its_story():
    silent = {relative(path) for path in MODULES if not ast.get_docstring(tree(path))}
    assert silent == set()


def test_faces_are_imported_across_rooms():
    """A room's engine or projection is reached through its face or its plugin, never through its modules."""
    pattern = re.compile(r"from roadbed\.(engines|portal)\.(\w+)\.(\w+)")
    inside = []
    for path in MODULES:
        for match in pattern.finditer(path.read_text()):
            room = SOURCE / match[1] / match[2]
            if not path.is_relative_to(room) and match[3] not in {"plugin", "sandbox"}:
                inside.append(f"{relative(path)}: {match[0]}")
    assert inside == []


@pytest.mark.parametrize("setting", [field.name for field in dataclasses.fields(Settings)])
def test_every_setting_is_documented_and_tested(setting):
    option = setting.replace("_", "-")
    documents = "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    assert f"--{option}" in documents, f"--{option} is in no page of docs/"
    assert setting in tests or option in tests, f"no test sets {setting}"


def test_lock_files_name_no_host():
    locks = [ROOT / "requirements.lock", *SOURCE.rglob("package-lock.json")]
    locks = [lock for lock in locks if "node_modules" not in lock.parts]
    hosts = {relative(lock): re.findall(r"https?://[^\s\"']+", lock.read_text()) for lock in locks}
    # A lock may name a project's page for funding; it must not name where packages come from.
    tarballs = {
        name: [url for url in urls if url.endswith(".tgz") or "/simple" in url]
        for name, urls in hosts.items()
    }
    assert {name: urls for name, urls in tarballs.items() if urls} == {}


def test_every_example_has_a_page_manifests_and_a_check():
    for example in sorted((ROOT / "examples").iterdir()):
        assert (example / "README.md").is_file(), example
        assert list(example.glob("*.yaml")), example
        assert (example / "check").stat().st_mode & 0o100, example


def test_no_log_line_takes_a_word_that_logging_keeps_for_itself():
    """``extra={"name": …}`` raises KeyError at the very moment something has gone wrong."""
    reserved = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
    taken = []
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
                keys = {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
                taken += [f"{relative(path)}:{node.value.lineno}: {key}" for key in keys & reserved]
    assert taken == []
