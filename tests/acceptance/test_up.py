"""Starting, stopping and starting again: what `roadbed up` promises, and how it says no."""

import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import yaml


def up(*arguments, timeout=60):
    """Run `roadbed up` that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "roadbed", "up", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def server_of(running):
    return yaml.safe_load(running.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]


def test_both_ports_say_that_they_are_ready(start_platform, tmp_path):
    running = start_platform(tmp_path / "data", "--no-demo")
    unverified = ssl._create_unverified_context()
    portal = re.match(r"http://[^/]+", running.signin_url)[0]
    assert urllib.request.urlopen(f"{portal}/readyz").status == 200
    assert urllib.request.urlopen(f"{server_of(running)}/readyz", context=unverified).status == 200
    assert stat.S_IMODE(running.kubeconfig.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert "sandbox" not in running.text
    status = json.loads(running.roadbed("status", "-o", "json").stdout)
    assert status["ready"] is True


def test_a_stranger_gets_nothing(start_platform, tmp_path):
    running = start_platform(tmp_path / "data", "--no-demo")
    unverified = ssl._create_unverified_context()
    for path, expected in (("/api/v1/secrets", 403), ("/apis", 403), ("/healthz", 200)):
        try:
            status = urllib.request.urlopen(f"{server_of(running)}{path}", context=unverified).status
        except urllib.error.HTTPError as error:
            status = error.code
        assert status == expected, path


def test_what_was_acknowledged_is_there_after_a_kill(start_platform, tmp_path):
    first = start_platform(tmp_path / "data", "--no-demo")
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"k": "sesame"},
    }
    first.roadbed("apply", "-f", "-", stdin=json.dumps(manifest))
    first.stop(signal.SIGKILL)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("roadbed.db*"))
    assert b"sesame" not in stored
    assert b"c2VzYW1l" not in stored, "secrets are sealed at rest"
    second = start_platform(tmp_path / "data", "--no-demo")
    found = json.loads(second.roadbed("get", "secret", "s", "-o", "json").stdout)
    assert found["data"] == {"k": "c2VzYW1l"}


def test_in_memory_leaves_only_the_kubeconfig(start_platform, tmp_path):
    running = start_platform(tmp_path / "data", "--no-demo", "--in-memory")
    running.roadbed("get", "namespaces")
    assert running.stop() == 0
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["kubeconfig"]


def test_a_stop_is_graceful_and_quick(start_platform, tmp_path):
    running = start_platform(tmp_path / "data", "--no-demo")
    assert running.stop(signal.SIGINT) == 0
    assert "Traceback" not in running.text


def test_a_busy_port_is_named_with_the_way_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        ended = up("--data-dir", str(tmp_path), "--api-port", str(port), "--portal-port", "0", "--no-demo")
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "--api-port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_process_on_the_folder_is_refused_by_name(start_platform, tmp_path):
    running = start_platform(tmp_path / "data", "--no-demo")
    ended = up("--data-dir", str(tmp_path / "data"), "--api-port", "0", "--portal-port", "0", "--no-demo")
    assert ended.returncode == 1
    assert str(running.process.pid) in ended.stderr
    running.roadbed("get", "namespaces")


def test_a_corrupted_store_is_refused_with_the_file_and_the_next_step(start_platform, tmp_path):
    start_platform(tmp_path / "data", "--no-demo").stop()
    store = tmp_path / "data" / "roadbed.db"
    content = bytearray(store.read_bytes())
    content[4096:20480] = os.urandom(16384)
    store.write_bytes(content)
    ended = up("--data-dir", str(tmp_path / "data"), "--api-port", "0", "--portal-port", "0", "--no-demo")
    assert ended.returncode == 1
    assert "roadbed.db" in ended.stderr
    assert "backup" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_host_that_others_can_reach_is_refused_without_tls(tmp_path):
    ended = up(
        "--data-dir", str(tmp_path / "data"), "--host", "0.0.0.0", "--api-port", "0", "--portal-port", "0"
    )
    assert ended.returncode == 1
    assert "TLS" in ended.stderr


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    ended = up("--data-dir", str(tmp_path / "file" / "data"), "--no-demo")
    assert ended.returncode == 1
    assert str(tmp_path / "file" / "data") in ended.stderr
    assert "--data-dir" in ended.stderr


def test_the_demonstration_is_a_repository_of_its_own(start_platform, tmp_path):
    running = start_platform(tmp_path / "data", "--demo")
    assert (tmp_path / "data" / "platform" / ".git").is_dir()
    assert "nothing real is created" in running.text
    listed = running.roadbed("get", "xrd", "-o", "name").stdout.split()
    assert len(listed) == 3
    Path(tmp_path / "data" / "platform" / "README.md").write_text("ours now")
    running.stop()
    start_platform(tmp_path / "data", "--demo")
    assert (tmp_path / "data" / "platform" / "README.md").read_text() == "ours now"
