"""`roadbed apply`: order, words about what happened, waiting, dry runs, conflicts, files that are no manifests."""

import io
import json
from contextlib import aclosing

import orjson

from roadbed.apimachinery.objects import gvk_of
from roadbed.apis.core import CONFIGMAPS, NAMESPACES
from roadbed.interfaces.cli.documents import to_yaml

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {size: small}
"""


async def test_objects_are_created_then_unchanged_then_configured(shop):
    path = shop.write("settings.yaml", CONFIG)
    assert (await shop.run("apply", "-f", path, "-n", "shop")).out == "configmap/settings created\n"
    assert (await shop.run("apply", "-f", path, "-n", "shop")).out == "configmap/settings unchanged\n"
    path.write_text(CONFIG.replace("small", "large"))
    assert (await shop.run("apply", "-f", path, "-n", "shop")).out == "configmap/settings configured\n"
    found = await shop.client.get(CONFIGMAPS, "settings", "shop")
    assert found["data"] == {"size": "large"}
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} == {"roadbed-cli"}


async def test_a_folder_is_applied_in_the_order_that_works(terminal, make):
    terminal.write("all/a-order.yaml", to_yaml(make.database("orders")))
    terminal.write(
        "all/b/definition.json", orjson.dumps(make.crd("Database", "platform.example.org")).decode()
    )
    terminal.write("all/c.yml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
    terminal.write("all/.git/ignored.yaml", "not: an object")
    terminal.write("all/README.md", "not an object either")
    done = await terminal.run("apply", "-f", terminal.folder / "all")
    assert done.out.splitlines() == [
        "namespace/shop created",
        "customresourcedefinition.apiextensions.k8s.io/databases.platform.example.org created",
        "database.platform.example.org/orders created",
    ]
    flat = await terminal.run("apply", "-f", terminal.folder / "all", "--no-recursive")
    assert len(flat.out.splitlines()) == 2


async def test_stdin_and_lists_are_read(shop, make, monkeypatch):
    listed = {"apiVersion": "v1", "kind": "List", "items": [make.config("one"), make.config("two")]}
    monkeypatch.setattr("sys.stdin", io.StringIO(to_yaml(listed)))
    done = await shop.run("apply", "-f", "-", "-o", "name")
    assert done.out == "configmap/one\nconfigmap/two\n"


async def test_waiting_ends_when_the_object_is_ready(shop, make):
    path = shop.write("db.yaml", to_yaml(make.database("orders")))
    running = shop.start("apply", "--wait", "--timeout", "5s", "-f", path)
    databases = await shop.client.resource_for(gvk_of(make.database()))
    async with aclosing(shop.client.watch(databases, "shop")) as events:
        await anext(events)
    await shop.set_status(make.database("orders"), make.conditions(Synced=True, Ready=("Creating", "")))
    await shop.set_status(make.database("orders"), make.conditions(Synced=True, Ready=True))
    done = await running
    assert (done.code, done.err) == (0, "everything is ready\n")


async def test_a_wait_that_takes_too_long_names_the_deepest_reason(shop, make):
    await shop.create(
        make.part(
            "Instance",
            "server",
            Synced=("ReconcileError", "access denied for key AKIA"),
            Ready=("Creating", ""),
        )
    )
    order = make.database("orders", ("Instance", "server"))
    path = shop.write("db.yaml", to_yaml(order))
    done = await shop.run("apply", "--wait", "--timeout", "0s", "-f", path, code=1)
    assert "error: not ready after 0 s, database/orders: instance/server: ReconcileError: access" in done.err
    assert "hint: `roadbed tree database/orders -n shop`" in done.err


async def test_a_definition_that_was_turned_down_is_not_waited_for(shop, make):
    await shop.create(make.crd("Gadget", "platform.example.org"))
    second = make.crd("Gizmo", "platform.example.org")
    second["spec"]["names"]["kind"] = "Gadget"
    done = await shop.run("apply", "-f", shop.write("crd.yaml", to_yaml(second)), code=1)
    assert "error: not accepted, customresourcedefinition/gizmos.platform.example.org: " in done.err
    assert "hint: correct it and apply it again" in done.err


async def test_a_dry_run_changes_nothing(shop):
    path = shop.write("settings.yaml", CONFIG)
    done = await shop.run("apply", "-f", path, "-n", "shop", "--dry-run=server")
    assert done.out == "configmap/settings created (server dry run)\n"
    assert await shop.client.find(CONFIGMAPS, "settings", "shop") is None
    shown = await shop.run("apply", "-f", path, "-n", "shop", "--dry-run=server", "-o", "json")
    assert json.loads(shown.out)["data"] == {"size": "small"}


async def test_a_field_of_another_manager_is_a_conflict_until_forced(shop, make):
    theirs = {**make.config("settings"), "data": {"size": "large"}}
    await shop.client.apply(CONFIGMAPS, theirs, manager="hpa")
    path = shop.write("settings.yaml", CONFIG)
    done = await shop.run("apply", "-f", path, "-n", "shop", code=1)
    assert "error: apply failed, ConfigMap settings" in done.err
    assert "hpa" in done.err
    assert "--force-conflicts" in done.err
    await shop.run("apply", "-f", path, "-n", "shop", "--force-conflicts")
    assert (await shop.client.get(CONFIGMAPS, "settings", "shop"))["data"] == {"size": "small"}


async def test_one_failure_does_not_stop_the_rest(shop, make):
    wrong = make.database("wrong")
    wrong["spec"]["size"] = "enormous"
    unknown = {"apiVersion": "example.org/v1", "kind": "Nothing", "metadata": {"name": "x"}}
    documents = [wrong, unknown, make.config("right")]
    path = shop.write("mixed.yaml", "---\n".join(to_yaml(each) for each in documents))
    done = await shop.run("apply", "-f", path, code=1)
    assert done.out == "configmap/right created\n"
    assert "spec.size" in done.err
    assert "no kind 'Nothing' is served" in done.err


async def test_a_namespace_given_twice_must_be_the_same(shop, make):
    path = shop.write("settings.yaml", to_yaml(make.config("settings")))
    done = await shop.run("apply", "-f", path, "-n", "other", code=2)
    assert "it is in namespace shop, not other" in done.err
    assert await shop.client.find(NAMESPACES, "other") is None


BAD = [
    ("a: [", "line"),
    ("a: 1\na: 2", 'key "a" already set'),
    ("size: small", "apiVersion and kind are missing"),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}", "no metadata.name"),
    ("apiVersion: a/b/c\nkind: X\nmetadata: {name: x}", "apiVersion"),
]


async def test_a_bad_file_is_named_before_anything_is_sent(shop):
    good = shop.write("a.yaml", CONFIG)
    for text, why in BAD:
        bad = shop.write("b.yaml", text)
        done = await shop.run("apply", "-f", good, "-f", bad, "-n", "shop", code=1)
        assert str(bad) in done.err, text
        assert why in done.err, text
        assert await shop.client.find(CONFIGMAPS, "settings", "shop") is None, text
    empty = await shop.run("apply", "-f", shop.write("c.yaml", ""), code=1)
    assert "no object in it" in empty.err


async def test_paths_that_are_no_files_say_so(shop):
    assert "No such file" in (await shop.run("apply", "-f", "/nope.yaml", code=1)).err
    assert (
        "takes files and folders" in (await shop.run("apply", "-f", "https://example.org/x.yaml", code=2)).err
    )
    assert "--dry-run" in (await shop.run("apply", "-f", "x", "--dry-run=client", code=2)).err
    assert "duration" in (await shop.run("apply", "-f", "x", "--timeout=soon", code=2)).err
