"""`roadbed status`, `version`, `kubeconfig`, `token`, `init`: the platform itself, and one of your own."""

import asyncio
import json
import subprocess

import pytest

from roadbed.apimachinery.objects import gvk_of
from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import Listener
from roadbed.interfaces.cli import Addresses, PlatformError, write_reference
from roadbed.interfaces.cli.localplatform import portal_of, write_addresses


def portal(status, text):
    async def answer(scope, receive, send):
        assert scope["path"] == "/readyz"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return Listener(answer, host="127.0.0.1", port=0, tls=None)


def addresses(terminal, port):
    text = (terminal.folder / "kubeconfig").read_text()
    server = next(line.split()[-1] for line in text.splitlines() if "server:" in line)
    return Addresses(server, f"http://127.0.0.1:{port}", "", terminal.folder / "kubeconfig")


async def test_status_asks_both_ports_and_counts(shop, make):
    await shop.create(
        make.part("Instance", "good", Synced=True, Ready=True),
        make.part("Instance", "bad", Synced=("ReconcileError", "no")),
        make.database("new"),
    )
    listener = portal(200, "ok")
    await listener.start()
    note = write_addresses(addresses(shop, listener.port))
    out = (await shop.run("status")).out
    report = json.loads((await shop.run("status", "-o", "json")).out)
    await listener.stop()
    assert "kubernetes" in out
    assert f"http://127.0.0.1:{listener.port}" in out
    assert {"kind": "instance.cloud.example.org", "category": "managed", "ready": 1, "notReady": 1} in report[
        "resources"
    ]
    assert report["portal"]["ready"]
    assert note.name == "addresses.json"


async def test_status_says_what_is_not_ready_and_exits_1(shop):
    listener = portal(503, "not ready: engines: controllers are starting\n")
    await listener.start()
    write_addresses(addresses(shop, listener.port))
    done = await shop.run("status", code=1)
    await listener.stop()
    assert "not ready: engines: controllers are starting" in done.out
    gone = await shop.run("status", code=1)
    assert "cannot reach it" in gone.out


async def test_another_servers_portal_is_not_taken_for_ours(terminal):
    write_addresses(addresses(terminal, 1))
    kubeconfig = terminal.folder / "kubeconfig"
    assert portal_of(kubeconfig, "https://elsewhere:6443") == ""
    (terminal.folder / "addresses.json").write_text("{")
    assert portal_of(kubeconfig, "https://elsewhere:6443") == ""
    assert "No composites" in (await terminal.run("status")).out


async def test_a_server_that_is_gone_is_told_in_words(terminal, tmp_path, capsys):
    config = (tmp_path / "kubeconfig").read_text()
    server = next(line.split()[-1] for line in config.splitlines() if "server:" in line)
    (tmp_path / "dead").write_text(config.replace(server, "https://127.0.0.1:1"))
    done = await terminal.run("--kubeconfig", tmp_path / "dead", "get", "ns", code=1)
    assert "error: get failed: cannot reach the API server at https://127.0.0.1:1" in done.err
    assert "hint: start a platform with `roadbed up`" in done.err


async def test_versions_are_of_the_command_and_of_the_server(terminal):
    out = (await terminal.run("version")).out
    assert out.startswith("client  0.")
    assert "server  v1." in out
    found = json.loads((await terminal.run("version", "-o", "json")).out)
    assert found["server"]["major"] == "1"
    only = json.loads((await terminal.run("version", "--client", "-o", "json")).out)
    assert set(only) == {"client"}
    alone = await terminal.run("version", "--kubeconfig", "/nope")
    assert "server  not known" in alone.err


async def test_the_kubeconfig_in_use_is_named_or_printed(terminal, monkeypatch):
    path = terminal.folder / "kubeconfig"
    assert (await terminal.run("kubeconfig")).out == f"{path}\n"
    assert (await terminal.run("kubeconfig", "--raw")).out == path.read_text()
    monkeypatch.setenv("KUBECONFIG", f"/nope:{path}")
    assert (await terminal.run("kubeconfig")).out == f"{path}\n"
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("ROADBED_DATA_DIR", str(terminal.folder))
    assert (await terminal.run("kubeconfig")).out == f"{path}\n"
    missing = await terminal.run("kubeconfig", "--kubeconfig", "/nope", code=4)
    assert "error: cannot read the kubeconfig, /nope: No such file or directory" in missing.err


async def test_contexts_are_chosen_before_or_after_the_command(terminal):
    assert (await terminal.run("--context", "roadbed", "get", "ns")).code == 0
    assert (await terminal.run("get", "ns", "--context", "roadbed")).code == 0
    done = await terminal.run("get", "ns", "--context", "other", code=1)
    assert "error: get failed: cannot use kubeconfig" in done.err


async def test_a_token_is_the_callers_and_lives_as_long_as_asked(terminal):
    done = await terminal.run("token", "--expires", "5m")
    assert len(done.out.splitlines()) == 1
    assert "valid until" in done.err
    token = json.loads((await terminal.run("token", "-o", "json")).out)["token"]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = await terminal.client.ask(await terminal.client.resource_for(gvk_of(review)), review)
    assert answer["status"]["authenticated"]
    assert "roadbed:admins" in answer["status"]["user"]["groups"]
    refused = await terminal.run("token", "--expires", "1s", code=1)
    assert "expirationSeconds" in refused.err


async def test_what_rbac_denies_exits_5(terminal, make):
    token = json.loads((await terminal.run("token", "-o", "json")).out)["token"]
    import yaml

    config = yaml.safe_load((terminal.folder / "kubeconfig").read_text())
    config["users"] = [{"name": "roadbed", "user": {"token": f"{token}x"}}]
    path = terminal.write("other", yaml.safe_dump(config))
    wrong = await terminal.run("get", "cm", "--kubeconfig", path, code=5)
    assert "error: get failed" in wrong.err
    config["users"] = [{"name": "roadbed", "user": {"as": "nobody", "token": token}}]
    config["users"] = [{"name": "roadbed", "user": {}}]
    path.write_text(yaml.safe_dump(config))
    denied = await terminal.run("get", "cm", "-n", "default", "--kubeconfig", path, code=5)
    assert 'User "system:anonymous" cannot' in denied.err
    assert "RoleBinding" in denied.err
    assert await terminal.client.list(CONFIGMAPS, "default") == []


async def test_init_writes_a_repository_with_one_clean_commit(terminal, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "my platform"
    done = await terminal.run("init", folder)
    assert str(folder) in done.out
    assert (folder / "apis" / "database" / "definition.yaml").is_file()

    def git(*words):
        return subprocess.run(
            ["git", "-C", folder, *words], capture_output=True, text=True, check=True
        ).stdout

    log = await asyncio.to_thread(git, "log", "--format=%an <%ae> %s")
    assert log == "Roadbed <roadbed@localhost> Start from Roadbed's reference platform\n"
    assert await asyncio.to_thread(git, "status", "--porcelain") == ""
    again = await terminal.run("init", folder, code=1)
    assert "it is not an empty folder" in again.err
    assert list(tmp_path.glob(".my platform*")) == []


def test_the_reference_platform_needs_a_folder_that_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlatformError, match=r"cannot write a platform to .*file"):
        write_reference(tmp_path / "file")
    with pytest.raises(PlatformError, match=r"File exists|Not a directory"):
        write_reference(tmp_path / "file" / "below")
    (tmp_path / "empty").mkdir()
    write_reference(tmp_path / "empty")
    assert (tmp_path / "empty" / ".git").is_dir()
