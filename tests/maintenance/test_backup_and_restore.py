"""A backup is one moment of the store, whatever is written meanwhile; a restore is that moment and no other."""

import asyncio
import os
import re
import resource
import signal
import stat
import subprocess
import sys

import pytest

from roadbed.apimachinery.errors import ExpiredError
from roadbed.apimachinery.objects import revision_of
from roadbed.apis.core import CONFIGMAPS, SECRETS
from roadbed.interfaces.cli import PlatformError
from roadbed.storage import open_storage

pytestmark = pytest.mark.acceptance


def ignore(_):
    pass


async def in_thread(work, *arguments):
    return await asyncio.to_thread(work, *arguments)


async def test_a_backup_under_load_is_the_store_at_one_revision(tmp_path, maintenance):
    """Eight writers never pause; what comes back is exactly what the log held at the backup's revision."""
    storage = await open_storage(f"sqlite://{tmp_path}/data/roadbed.db")
    history, is_done = [], asyncio.Event()
    storage.subscribe(history.extend)

    async def write(writer):
        turn = 0
        while not is_done.is_set():
            key = f"/core/configmaps/default/{writer}-{turn % 50}"
            encode = lambda revision, key=key: f"{key}@{revision}".encode() * 20  # noqa: E731
            present = storage.get(key)
            if present is None:
                await storage.create(key, encode)
            elif turn % 7 == 0:
                await storage.delete(key, encode, expected=present.revision)
            else:
                await storage.update(key, encode, expected=present.revision)
            turn += 1

    async with asyncio.TaskGroup() as tasks:
        for writer in range(8):
            tasks.create_task(write(writer))
        while storage.revision < 500:
            await asyncio.sleep(0)
        report = await in_thread(maintenance.backup, tmp_path / "data", tmp_path / "b.tar", ignore)
        written_meanwhile = storage.revision - report.revision
        is_done.set()
    await storage.close()

    await in_thread(maintenance.restore, tmp_path / "b.tar", tmp_path / "again", ignore)
    expected = {}
    for event in history:
        if event.revision <= report.revision:
            expected.pop(event.key, None)
            if not event.is_delete:
                expected[event.key] = (event.revision, event.value)
    restored = await open_storage(f"sqlite://{tmp_path}/again/roadbed.db")
    assert {record.key: (record.revision, record.value) for record in restored.scan("")} == expected
    assert report.objects == len(expected) > 0
    assert written_meanwhile > 0, "nothing was written while the backup ran, so this proved nothing"
    await restored.close()


async def test_after_a_restore_old_watches_end_and_no_revision_repeats(tmp_path, maintenance, serve, make):
    async with serve(tmp_path / "data") as first:
        await first.client.create(CONFIGMAPS, make("kept", x="1"))
        secret = {"kind": "Secret", "apiVersion": "v1", "stringData": {"password": "hunter2"}}
        await first.client.create(SECRETS, {**secret, "metadata": {"name": "s", "namespace": "default"}})
        await in_thread(maintenance.backup, tmp_path / "data", tmp_path / "b.tar", ignore)
        lost = await first.client.create(CONFIGMAPS, make("lost"))
    await in_thread(maintenance.restore, tmp_path / "b.tar", tmp_path / "again", ignore)
    async with serve(tmp_path / "again") as second:
        assert await second.client.find(CONFIGMAPS, "lost", "default") is None
        opened = await second.client.get(SECRETS, "s", "default")
        assert opened["data"]["password"] == "aHVudGVyMg=="
        with pytest.raises(ExpiredError):
            async for _ in second.client.watch(CONFIGMAPS, after=revision_of(lost)):
                pass
        page = await second.client.read_all(CONFIGMAPS)
        changed = await second.client.patch(CONFIGMAPS, "kept", {"data": {"x": "2"}}, namespace="default")
        assert int(revision_of(changed)) > int(page.revision) > int(revision_of(lost))
        async for kind, seen in second.client.watch(CONFIGMAPS, after=page.revision):
            assert (kind, seen["data"]["x"]) == ("MODIFIED", "2")
            break


async def test_a_backup_holds_keys_for_its_owner_alone_and_says_what_it_leaves_out(
    tmp_path, maintenance, serve
):
    async with serve(tmp_path / "data"):
        (tmp_path / "data" / "kubeconfig").write_text("")
        (tmp_path / "data" / "platform").mkdir()
        report = await in_thread(maintenance.backup, tmp_path / "data", tmp_path / "b.tar", ignore)
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    assert {"roadbed.db", "secrets.key", "token.key", "pki/ca.key", "pki/ca.crt"} <= set(report.members)
    assert [left.split(":")[0] for left in report.left_out] == ["kubeconfig", "platform"]
    await in_thread(maintenance.restore, tmp_path / "b.tar", tmp_path / "again", ignore)
    for name in report.members:
        if name != "roadbed.db":
            assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "data" / name).read_bytes()
            assert stat.S_IMODE((tmp_path / "again" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700


@pytest.fixture
async def backup(tmp_path, maintenance, serve, make):
    async with serve(tmp_path / "data") as served:
        await served.client.create(CONFIGMAPS, make("kept", x="1"))
    await in_thread(maintenance.backup, tmp_path / "data", tmp_path / "b.tar", ignore)
    return tmp_path / "b.tar"


@pytest.mark.parametrize("part", [0.0, 0.001, 0.02, 0.5, 0.99])
async def test_a_cut_backup_is_refused_and_leaves_nothing(tmp_path, maintenance, backup, part):
    whole = backup.read_bytes()
    cut = tmp_path / "cut.tar"
    # Two empty blocks end a tar and are filled up to 10 KiB; what is cut here lies before them.
    cut.write_bytes(whole[: int(part * (len(whole) - 10_240))])
    with pytest.raises(PlatformError, match=r"cut\.tar.*nothing was restored"):
        maintenance.restore(cut, tmp_path / "again", ignore)
    assert not (tmp_path / "again").exists()
    assert not list(tmp_path.glob(".again*"))


async def test_one_changed_bit_is_found(tmp_path, maintenance, backup):
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 1
    backup.write_bytes(content)
    with pytest.raises(PlatformError, match=r"roadbed\.db fails its checksum; nothing was restored"):
        maintenance.restore(backup, tmp_path / "again", ignore)


async def test_a_member_outside_the_folder_is_refused(tmp_path, maintenance, backup):
    content = backup.read_bytes().replace(b'"name": "token.key"', b'"name": "../oops.k"')
    backup.write_bytes(content)
    with pytest.raises(PlatformError, match="nothing was restored"):
        maintenance.restore(backup, tmp_path / "again", ignore)
    assert not (tmp_path / "oops.k").exists()


async def test_a_folder_that_holds_something_is_not_restored_into(tmp_path, maintenance, backup):
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "mine").write_text("x")
    with pytest.raises(PlatformError, match="not empty"):
        maintenance.restore(backup, tmp_path / "again", ignore)
    assert (tmp_path / "again" / "mine").read_text() == "x"


async def test_a_backup_takes_no_files_place_and_needs_a_store(tmp_path, maintenance, backup):
    before = backup.read_bytes()
    with pytest.raises(PlatformError, match="it exists"):
        maintenance.backup(tmp_path / "data", backup, ignore)
    assert backup.read_bytes() == before
    with pytest.raises(PlatformError, match="holds no store"):
        maintenance.backup(tmp_path / "elsewhere", tmp_path / "c.tar", ignore)


async def test_a_newer_format_and_a_newer_schema_are_named(tmp_path, maintenance, backup):
    content = backup.read_bytes()
    backup.write_bytes(re.sub(rb'"format": 1', b'"format": 9', content, count=1))
    with pytest.raises(PlatformError, match="format 9 and this Roadbed knows 1"):
        maintenance.restore(backup, tmp_path / "again", ignore)


@pytest.mark.acceptance
@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
async def test_a_full_disk_leaves_nothing_of_a_backup(tmp_path, backup, part):
    """The kernel refuses the bytes beyond a limit, at three different moments of the backup."""
    limit_bytes = int(part * backup.stat().st_size)

    def bound():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    (tmp_path / "out").mkdir()
    command = [
        sys.executable,
        "-m",
        "roadbed",
        "backup",
        "--data-dir",
        tmp_path / "data",
        tmp_path / "out" / "b.tar",
    ]
    done = await in_thread(
        lambda: subprocess.run(
            command, preexec_fn=bound, capture_output=True, text=True, check=False, env=os.environ
        )
    )
    assert done.returncode == 1, done.stdout
    assert "error:" in done.stderr
    assert "nothing is left of it" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
