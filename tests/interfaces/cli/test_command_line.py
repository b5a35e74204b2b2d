"""The command as a whole: help, wrong usage, surprises, and that every command is documented and tested."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from roadbed.interfaces.cli import main
from roadbed.interfaces.cli.commands import command

ROOT = Path(__file__).parents[3]


def run(capsys, *words):
    code = main(list(words), platforms=None)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_names_every_command(capsys, words):
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert all(f"  {name} " in out for name in command().commands)


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("bogus",), "error: no such command 'bogus'", "hint: roadbed --help"),
        (("get", "--nope"), "error: no such option: --nope", "hint: roadbed get --help"),
        (("up", "--api-port", "70000"), "error: invalid value for '--api-port'", "hint: roadbed up --help"),
        (("init",), "error: missing argument 'DIR'", "hint: roadbed init --help"),
    ],
)
def test_wrong_usage_exits_2_with_the_help_to_ask_for(capsys, words, error, hint):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith(error)
    assert err.splitlines()[-1] == hint


def test_a_surprise_leaves_its_traceback_in_a_file_and_none_on_the_screen(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def broken(options):
        raise RuntimeError("out of nowhere")

    code = main(["up", "--in-memory"], platforms=broken)
    err = capsys.readouterr().err
    assert code == 1
    assert "Traceback" not in err
    assert "error: this is a defect in Roadbed: RuntimeError: out of nowhere" in err
    (kept,) = tmp_path.iterdir()
    assert str(kept) in err
    assert "in broken" in kept.read_text()


@pytest.mark.timeout(20)
def test_the_face_and_the_help_import_nothing_heavy():
    program = """
import sys
import roadbed.interfaces.cli
heavy = {"typer", "rich", "dulwich", "lightkube", "httpx2", "yaml", "uvicorn", "boto3"} & set(sys.modules)
assert not heavy, heavy
from roadbed.interfaces.cli import main
assert main(["--help"], platforms=None) == 0
heavy = {"dulwich", "lightkube", "httpx2", "uvicorn", "boto3", "rich.console"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=15)


@pytest.mark.timeout(20)
def test_a_reader_that_has_seen_enough_is_no_failure_of_ours():
    program = "from roadbed.interfaces.cli import main; import sys; sys.exit(main(['up', '--help'], platforms=None))"
    writer = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    writer.stdout.close()
    err = writer.stderr.read()
    writer.stderr.close()
    writer.wait(15)
    assert err == ""


def test_the_reference_page_is_made_from_the_command():
    page = runpy.run_path(str(ROOT / "tools" / "cli_reference.py"))["page"]()
    assert (ROOT / "docs" / "reference" / "cli.md").read_text() == page, "run tools/cli_reference.py"


@pytest.mark.parametrize("name", sorted(command().commands))
def test_every_command_is_run_by_a_test(name):
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert f'run("{name}"' in tests or f'main(["{name}"' in tests
