"""What fsck finds in a store that was damaged or left behind in each of many ways, and that a sound one has nothing."""

import asyncio
import json
import sqlite3
import zlib
from contextlib import closing

import pytest

from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.core import CONFIGMAPS, SECRETS
from roadbed.interfaces.cli import PlatformError
from roadbed.storage import open_storage

pytestmark = pytest.mark.acceptance

GROUP = "fsck.example.org"


def ignore(_):
    pass


def definition():
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


@pytest.fixture
async def folder(tmp_path, serve, make):
    async with serve(tmp_path / "data") as served:
        owner = await served.client.create(CONFIGMAPS, make("owner"))
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "owner",
            "uid": owner["metadata"]["uid"],
        }
        await served.client.create(CONFIGMAPS, make("owned", owners=[reference]))
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "hunter2"}}
        await served.client.create(SECRETS, {**secret, "metadata": {"name": "s", "namespace": "default"}})
        await served.client.create(CUSTOMRESOURCEDEFINITIONS, definition())
    return tmp_path / "data"


@pytest.fixture
def edit(folder):
    """Change one stored object as no server would, with its checksum right."""

    def change(key, content):
        with closing(sqlite3.connect(folder / "roadbed.db")) as file:
            query = "SELECT revision, value FROM log WHERE key = ? ORDER BY revision DESC LIMIT 1"
            revision, value = file.execute(query, (key,)).fetchone()
            fresh = content(json.loads(value)) if callable(content) else content
            fresh = fresh if isinstance(fresh, bytes) else json.dumps(fresh).encode()
            file.execute(
                "UPDATE log SET value = ?, checksum = ? WHERE revision = ?",
                (fresh, zlib.crc32(fresh, zlib.crc32(key.encode())), revision),
            )
            file.commit()

    return change


async def add(folder, key, obj):
    """Store an object as a server does, with nobody having checked it."""
    storage = await open_storage(f"sqlite://{folder}/roadbed.db")

    def encode(revision):
        return json.dumps({**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}).encode()

    await storage.create(key, encode)
    await storage.close()


def configmap(name, namespace="default", uid="1", **meta):
    meta = {"name": name, "namespace": namespace, "uid": uid, **meta}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def findings(maintenance, folder):
    report = maintenance.check(folder, ignore)
    return report, [(each.severity, each.place, each.problem) for each in report.findings]


async def test_a_sound_store_has_no_findings_beside_a_running_server(folder, maintenance, serve):
    async with serve(folder) as served:
        report = await asyncio.to_thread(maintenance.check, folder, ignore)
        assert report.findings == ()
        assert report.is_sound
        assert report.objects == len(served.storage.scan(""))
        assert report.revision == served.storage.revision


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "it is no JSON"),
        (b"[]", "it is no object"),
        (lambda obj: {**obj, "kind": ""}, "is no Kubernetes object"),
        (lambda obj: {**obj, "metadata": {**obj["metadata"], "name": "x"}}, "of another place, default/x"),
        (lambda obj: {**obj, "metadata": {**obj["metadata"], "uid": ""}}, "has no uid"),
        (lambda obj: {**obj, "metadata": {**obj["metadata"], "resourceVersion": "7"}}, "says revision 7"),
    ],
)
async def test_an_object_that_does_not_decode_or_fit_its_place_is_damage(
    folder, maintenance, edit, content, said
):
    edit("/core/configmaps/default/owned", content)
    report, found = findings(maintenance, folder)
    assert not report.is_sound
    [(severity, place, problem)] = found
    assert (severity, place) == ("error", "/core/configmaps/default/owned")
    assert said in problem


async def test_changed_bytes_fail_their_checksum(folder, maintenance):
    with closing(sqlite3.connect(folder / "roadbed.db")) as file:
        file.execute("UPDATE log SET value = X'7B7D' WHERE key = '/core/configmaps/default/owned'")
        file.commit()
    _, found = findings(maintenance, folder)
    assert any("/core/configmaps/default/owned fails its checksum" in problem for _, _, problem in found)


async def test_pages_that_were_written_over_are_damage_and_no_crash(folder, maintenance):
    path = folder / "roadbed.db"
    content = bytearray(path.read_bytes())
    for start in range(4_096 * 3, len(content) - 4_096, 4_096 * 4):
        content[start : start + 2_000] = b"\xaa" * 2_000
    path.write_bytes(content)
    try:
        report, _ = findings(maintenance, folder)
    except PlatformError as error:
        assert "it is damaged" in error.message  # noqa: PT017 - either answer will do
    else:
        assert not report.is_sound


async def test_a_secret_that_does_not_open_is_named_and_never_shown(folder, maintenance):
    key = (folder / "secrets.key").read_text().split()
    (folder / "secrets.key").write_text(f"{key[0]} {'0' * 64}\n")
    _, found = findings(maintenance, folder)
    assert [place for _, place, _ in found] == ["/core/secrets/default/s"]
    (folder / "secrets.key").unlink()
    _, found = findings(maintenance, folder)
    assert "there is no secrets.key" in found[0][2]
    assert not (folder / "secrets.key").exists(), "looking must not make a key"
    assert "hunter2" not in str(found)


async def test_what_nobody_can_reach_is_told(folder, maintenance):
    await add(folder, "/gone.example.org/sparks/default/a", configmap("a"))
    await add(folder, "/core/configmaps/nowhere/b", configmap("b", "nowhere", uid="2"))
    report, found = findings(maintenance, folder)
    assert report.is_sound
    assert {(place, problem.split(":")[0]) for _, place, problem in found} == {
        ("/gone.example.org/sparks/default/a", "belongs to no served resource"),
        ("/core/configmaps/nowhere/b", "is in namespace nowhere, which does not exist"),
    }


async def test_owners_that_are_gone_or_elsewhere_and_doubled_uids_are_told(folder, maintenance):
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "none"}
    await add(folder, "/core/configmaps/default/a", configmap("a", ownerReferences=[reference]))
    elsewhere = configmap("b", "kube-system", uid="2", ownerReferences=[{**reference, "uid": "1"}])
    await add(folder, "/core/configmaps/kube-system/b", elsewhere)
    await add(folder, "/core/configmaps/default/c", configmap("c", uid="2"))
    report, found = findings(maintenance, folder)
    told = {place: problem for _, place, problem in found}
    assert "which does not exist" in told["/core/configmaps/default/a"]
    assert "of namespace default, which is not its own" in told["/core/configmaps/kube-system/b"]
    assert "has the uid of /core/configmaps/kube-system/b" in told["/core/configmaps/default/c"]
    assert not report.is_sound


async def test_a_definition_whose_stored_versions_are_wrong_is_told(folder, maintenance, edit):
    key = f"/apiextensions.k8s.io/customresourcedefinitions/widgets.{GROUP}"
    widget = {
        "apiVersion": f"{GROUP}/v0",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "default", "uid": "9"},
    }
    await add(folder, f"/{GROUP}/widgets/default/w", widget)
    edit(key, lambda obj: {**obj, "status": {**obj["status"], "storedVersions": ["v1alpha1"]}})
    _, found = findings(maintenance, folder)
    assert [problem for _, place, problem in found if place == key] == [
        "status.storedVersions holds 'v1alpha1', which spec.versions does not",
        "has instances stored as 'v0', which spec.versions does not hold",
    ]
    edit(key, lambda obj: {**obj, "status": {**obj["status"], "storedVersions": []}})
    _, found = findings(maintenance, folder)
    assert any("lists no status.storedVersions" in problem for _, place, problem in found if place == key)


async def test_a_folder_without_a_store_says_so(tmp_path, maintenance):
    with pytest.raises(PlatformError, match="there is no such file"):
        maintenance.check(tmp_path, ignore)


async def test_compaction_shrinks_a_stopped_store_and_keeps_what_lives(folder, maintenance, serve, make):
    async with serve(folder) as served:
        for number in range(60):
            patch = {"data": {"x": str(number) * 3_000}}
            await served.client.patch(CONFIGMAPS, "owner", patch, namespace="default")
        live = {record.key: record.value for record in served.storage.scan("")}
        with pytest.raises(PlatformError, match="has it open") as refused:
            await asyncio.to_thread(maintenance.compact, folder, ignore)
        assert refused.value.hint.startswith("stop the platform and run this again")
        assert {record.key: record.value for record in served.storage.scan("")} == live
    report = maintenance.compact(folder, ignore)
    assert report.after_bytes < report.before_bytes / 2
    storage = await open_storage(f"sqlite://{folder}/roadbed.db")
    assert {record.key: record.value for record in storage.scan("")} == live
    assert storage.compacted == storage.revision == report.revision
    await storage.close()
    with pytest.raises(PlatformError, match="there is no such file"):
        maintenance.compact(folder / "none", ignore)
