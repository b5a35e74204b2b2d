"""`roadbed delete`: what goes is named, the order spares what others need, and the wait says what holds it."""

from roadbed.apis.core import CONFIGMAPS
from roadbed.interfaces.cli.documents import to_yaml


async def test_what_goes_along_is_named_and_the_wait_sees_the_end(shop, make):
    await shop.create(
        make.part("Instance", "server", external="i-1", Ready=True),
        make.database("orders", ("Instance", "server"), ("Network", "gone"), Ready=True),
    )
    done = await shop.run("delete", "database/orders", "-n", "shop")
    assert done.out.splitlines() == [
        "database.platform.example.org/orders is being deleted, and with it",
        "  instance.cloud.example.org/server (i-1)",
        "database.platform.example.org/orders deleted",
    ]
    assert await shop.get(make.database("orders")) is None


async def test_files_are_deleted_last_made_first(shop, make):
    documents = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}},
        make.crd("Flag", "team.example.org", "composite"),
        {
            "apiVersion": "team.example.org/v1",
            "kind": "Flag",
            "metadata": {"name": "on", "namespace": "team"},
        },
        make.config("settings", namespace="team"),
    ]
    path = shop.write("all.yaml", "---\n".join(to_yaml(each) for each in documents))
    await shop.run("apply", "-f", path)
    done = await shop.run("delete", "-f", path, "--no-wait")
    order = [line.split()[0].partition("/")[0] for line in done.out.splitlines() if "being deleted" in line]
    assert order == [
        "flag.team.example.org",
        "configmap",
        "customresourcedefinition.apiextensions.k8s.io",
        "namespace",
    ]


async def test_a_dry_run_only_says_what_would_go(shop, make):
    await shop.create(make.config("settings"), make.database("orders"))
    done = await shop.run("delete", "namespace/shop", "--dry-run=server")
    assert "namespace/shop would be deleted (server dry run), and with it" in done.out
    assert "  configmap/settings" in done.out
    assert "  database.platform.example.org/orders" in done.out
    assert await shop.client.find(CONFIGMAPS, "settings", "shop")


async def test_a_definition_takes_its_objects_along_by_name(shop, make):
    await shop.create(make.database("orders"))
    done = await shop.run("delete", "crd/databases.platform.example.org", "--dry-run=server")
    assert "  database.platform.example.org/orders in shop" in done.out


async def test_a_finalizer_that_holds_an_object_is_named(shop, make):
    held = make.config("held")
    held["metadata"]["finalizers"] = ["example.org/wait"]
    await shop.create(held)
    done = await shop.run("delete", "cm/held", "-n", "shop", "--no-wait")
    assert done.code == 0
    late = await shop.run("delete", "cm/held", "-n", "shop", "--timeout", "0s", code=1)
    assert "error: not gone after 0 s, configmap/held: being deleted, held by example.org/wait" in late.err


async def test_what_is_not_there_is_an_error_unless_ignored(shop, make):
    done = await shop.run("delete", "cm/nope", "-n", "shop", code=4)
    assert 'error: delete failed, configmap/nope: configmaps "nope" not found' in done.err
    await shop.run("delete", "cm/nope", "-n", "shop", "--ignore-not-found")
    unserved = {"apiVersion": "example.org/v1", "kind": "Nothing", "metadata": {"name": "x"}}
    path = shop.write("x.yaml", to_yaml(unserved))
    await shop.run("delete", "-f", path, code=4)
    await shop.run("delete", "-f", path, "--ignore-not-found")


async def test_a_whole_type_goes_only_when_asked_for(shop, make):
    await shop.create(make.config("one", tier="a"), make.config("two"))
    done = await shop.run("delete", "cm", "-n", "shop", code=2)
    assert "--all" in done.err
    await shop.run("delete", "cm", "-n", "shop", "-l", "tier=a")
    assert [obj["metadata"]["name"] for obj in await shop.client.list(CONFIGMAPS, "shop")] == ["two"]
    await shop.run("delete", "cm", "-n", "shop", "--all")
    assert (await shop.run("delete", "cm", "-n", "shop", "--all")).err == "No resources found\n"
    await shop.run("delete", code=2)
