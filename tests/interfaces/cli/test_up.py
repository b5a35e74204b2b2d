"""`roadbed up`: what it hands to the platform, what it says, how it stops."""

import json
import logging
import os
import signal

import pytest

from roadbed.interfaces.cli import Addresses, PlatformError, main
from roadbed.interfaces.cli.logs import LineFormatter


class Standin:
    """A platform of the test's own: the command must not know more of it than the Protocol says."""

    def __init__(self, folder, *, error=None, ready=True):
        self.folder = folder
        self.error = error
        self.ready = ready
        self.options = None
        self.stopped = 0
        self.note = None

    def __call__(self, options):
        self.options = options
        return self

    async def start(self):
        import asyncio

        if self.error:
            raise self.error
        # The signal arrives once the command waits: either for us, or after it has said that we are ready.
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        if not self.ready:
            await asyncio.Event().wait()
        return Addresses(
            "https://127.0.0.1:6443",
            "http://127.0.0.1:7007",
            "http://127.0.0.1:7007/signin?token=abc",
            self.folder / "my kubeconfig",
            ("sandbox cloud: nothing real is created",),
            1.44,
        )

    async def stop(self):
        self.stopped += 1
        self.note = json.loads((self.folder / "addresses.json").read_text())


@pytest.fixture(autouse=True)
def quiet_logging():
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def test_options_reach_the_platform(tmp_path, capsys):
    platform = Standin(tmp_path)
    words = [
        "--data-dir",
        str(tmp_path),
        "--host",
        "::1",
        "--api-port",
        "0",
        "--portal-port",
        "1",
        "--no-demo",
        "--event-ttl",
        "30m",
        "--webhook-service=shop/judge=https://127.0.0.1:9443",
        "--webhook-service=shop/judge:8443=https://[::1]:9444/",
    ]
    assert main(["up", *words, "--in-memory", "-v"], platforms=platform) == 0
    options = platform.options
    assert (options.data_dir, options.host) == (tmp_path, "::1")
    assert (options.api_port, options.portal_port) == (0, 1)
    assert (options.demo, options.in_memory) == (False, True)
    assert options.event_ttl_s == 1_800
    assert options.webhook_services == {"shop/judge": "127.0.0.1:9443", "shop/judge:8443": "[::1]:9444"}


def test_the_data_folder_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ROADBED_DATA_DIR", str(tmp_path))
    platform = Standin(tmp_path)
    assert main(["up"], platforms=platform) == 0
    assert platform.options.data_dir == tmp_path
    assert platform.options.demo


def test_it_says_how_to_reach_it_and_stops_gracefully(tmp_path, capsys):
    platform = Standin(tmp_path)
    assert main(["up", "--data-dir", str(tmp_path)], platforms=platform) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  Roadbed is ready in 1.4 s"
    assert lines[1].split()[:2] == ["portal", "http://127.0.0.1:7007/signin?token=abc"]
    assert lines[2] == f"  kubernetes  export KUBECONFIG='{tmp_path}/my kubeconfig'"
    assert lines[3] == "  sandbox cloud: nothing real is created"
    assert lines[-1] == "stopped"
    assert platform.stopped == 1
    assert platform.note == {"api": "https://127.0.0.1:6443", "portal": "http://127.0.0.1:7007"}
    assert not (tmp_path / "addresses.json").exists()


def test_a_second_signal_does_not_wait(tmp_path, capsys, monkeypatch):
    import asyncio

    exits = []
    ended = asyncio.Event()

    class Slow(Standin):
        async def stop(self):
            os.kill(os.getpid(), signal.SIGINT)
            await ended.wait()

    def leave(code):
        exits.append(code)
        ended.set()

    monkeypatch.setattr("roadbed.interfaces.cli.commands.up.os._exit", leave)
    main(["up", "--data-dir", str(tmp_path)], platforms=Slow(tmp_path))
    assert exits == [130]
    assert "stopped at once" in capsys.readouterr().out


def test_a_signal_before_it_is_ready_ends_the_start(tmp_path, capsys):
    assert main(["up", "--data-dir", str(tmp_path)], platforms=Standin(tmp_path, ready=False)) == 0
    assert capsys.readouterr().out == "stopped before it was ready\n"


def test_what_keeps_it_from_starting_is_said_with_the_next_step(tmp_path, capsys):
    error = PlatformError(
        "cannot listen on 127.0.0.1:6443: another process has the port", "choose another port"
    )
    assert main(["up"], platforms=Standin(tmp_path, error=error)) == 1
    assert capsys.readouterr().err == (
        "error: cannot listen on 127.0.0.1:6443: another process has the port\nhint: choose another port\n"
    )


def test_a_log_record_is_one_line_with_its_facts():
    record = logging.makeLogRecord(
        {"name": "roadbed.x", "levelname": "WARNING", "msg": "not\nsynced", "kind": "Database", "why": "a b"}
    )
    line = LineFormatter(tracebacks=False).format(record)
    assert line.endswith('warning roadbed.x: not\\nsynced kind=Database why="a b"')


def test_a_traceback_shows_only_when_asked_for():
    import sys

    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    assert LineFormatter(tracebacks=False).format(record).endswith('error="ValueError: broken"')
    assert "Traceback" in LineFormatter(tracebacks=True).format(record)
