"""`roadbed backup`, `restore`, `fsck`, `compact`: what they print and how they end; the work itself is tested elsewhere."""

import asyncio
import json

import pytest

from roadbed.interfaces.cli import main
from roadbed.maintenance import FolderMaintenance
from roadbed.storage import open_storage


@pytest.fixture
def folder(tmp_path):
    async def fill():
        storage = await open_storage(f"sqlite://{tmp_path}/data/roadbed.db")

        def encode(revision):
            meta = {"name": "default", "uid": "1", "resourceVersion": str(revision)}
            return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}).encode()

        await storage.create("/core/namespaces/default", encode)
        await storage.close()

    asyncio.run(fill())
    return tmp_path / "data"


@pytest.fixture
def run(capsys):
    def running(*words, code=0):
        found = main(list(map(str, words)), platforms=None, maintenance=FolderMaintenance)
        told = capsys.readouterr()
        assert found == code, told.err
        return told

    return running


def test_a_folder_is_backed_up_restored_checked_and_compacted(folder, tmp_path, run):
    file, again = tmp_path / "b.tar", tmp_path / "again"
    out = run("backup", file, "--data-dir", folder).out
    assert f"{file}: 1 objects at revision 1" in out
    assert "holds roadbed.db" in out
    out = run("restore", file, "--data-dir", again).out
    assert f"roadbed up --data-dir {again}" in out
    assert "sound; 1 objects" in run("fsck", "--data-dir", again).out
    assert "before" in run("compact", "--data-dir", again).out


def test_programs_get_json(folder, tmp_path, run):
    report = json.loads(run("backup", tmp_path / "b.tar", "--data-dir", folder, "-o", "json").out)
    assert (report["objects"], report["revision"], report["members"]) == (1, 1, ["roadbed.db"])
    report = json.loads(run("fsck", "--data-dir", folder, "-o", "json").out)
    assert report["findings"] == []
    run("fsck", "--data-dir", folder, "-o", "table", code=2)


def test_damage_ends_with_1_and_says_what_to_do(folder, run):
    path = folder / "roadbed.db"
    path.write_bytes(path.read_bytes().replace(b'"uid": "1"', b'"uid": "2"'))
    out = run("fsck", "--data-dir", folder, code=1).out
    assert "error:" in out
    assert "fails its checksum" in out
    assert "restore a backup" in out


def test_what_cannot_be_done_is_an_error_with_a_hint(tmp_path, run):
    err = run("backup", tmp_path / "b.tar", "--data-dir", tmp_path, code=1).err
    assert "it holds no store" in err
    assert "hint: name the folder of `roadbed up`" in err
