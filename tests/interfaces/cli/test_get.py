"""`roadbed get`: the server's tables, objects as text, selections, and what is said when there is nothing."""

import asyncio
import json

import pytest

from roadbed.apimachinery.yamlload import load_value


@pytest.fixture
async def configs(shop, make):
    await shop.create(make.config("orders", team="shop"), make.config("cart"))
    return shop


async def test_a_list_is_the_servers_own_table(configs):
    done = await configs.run("get", "configmaps", "-n", "shop")
    head, *rows = done.out.splitlines()
    assert head.split() == ["NAME", "DATA", "AGE"]
    assert [row.split()[:2] for row in rows] == [["cart", "2"], ["orders", "2"]]
    assert done.err == ""


async def test_all_namespaces_adds_a_column_and_names_are_words_of_any_form(configs):
    everywhere = (await configs.run("get", "cm", "-A", "-l", "team=shop")).out
    assert [line.split()[:2] for line in everywhere.splitlines()] == [
        ["NAMESPACE", "NAME"],
        ["shop", "orders"],
    ]
    for word in ("configmap/orders", "ConfigMap/orders", "cm/orders"):
        assert "orders" in (await configs.run("get", word, "-n", "shop")).out


async def test_a_category_shows_every_kind_of_it_with_its_group(shop, make):
    await shop.create(make.part("Instance", "one"), make.part("Network", "two"))
    out = (await shop.run("get", "managed", "-n", "shop")).out
    assert "instance.cloud.example.org/one" in out
    assert "network.cloud.example.org/two" in out
    names = (await shop.run("get", "instances,networks", "-n", "shop", "-o", "name")).out.splitlines()
    assert names == ["instance.cloud.example.org/one", "network.cloud.example.org/two"]


async def test_yaml_and_json_can_be_applied_again(configs):
    text = (await configs.run("get", "cm", "orders", "-n", "shop", "-o", "yaml")).out
    assert load_value(text)["data"] == {"size": "1e3", "agreed": "y"}
    assert "managedFields" not in text
    listed = json.loads((await configs.run("get", "cm", "-n", "shop", "-o", "json")).out)
    assert listed["kind"] == "List"
    assert [item["metadata"]["name"] for item in listed["items"]] == ["cart", "orders"]
    kept = await configs.run("get", "cm/orders", "-n", "shop", "-o", "json", "--show-managed-fields")
    assert "managedFields" in json.loads(kept.out)["metadata"]


async def test_nothing_found_is_said_on_stderr_and_is_no_failure(shop):
    done = await shop.run("get", "configmaps", "-n", "shop")
    assert (done.out, done.err) == ("", "No resources found in shop namespace.\n")
    assert (await shop.run("get", "managed", "-A")).err == "No resources found\n"


async def test_what_is_missing_is_named_beside_what_is_there(configs):
    done = await configs.run("get", "cm", "orders", "nope", "-n", "shop", code=4)
    assert "orders" in done.out
    assert 'error: get failed, configmaps/nope: configmaps "nope" not found\nhint:' in done.err


async def test_an_unknown_type_gets_a_suggestion(shop):
    done = await shop.run("get", "databaze", code=4)
    assert 'error: the server has no resource type "databaze"' in done.err
    assert "hint: did you mean database" in done.err


SENSELESS = [
    ("cm", "-o", "xml"),
    ("cm/a", "cm"),
    ("cm,ns", "name"),
    ("cm", "a", "-l", "x=y"),
    ("cm", "a", "-A"),
    ("cm,ns", "-w"),
    ("cm/", "-A"),
    ("managed/x",),
]


async def test_words_that_make_no_sense_are_a_usage_error(shop):
    for words in SENSELESS:
        done = await shop.run("get", *words, code=2)
        assert done.err.startswith("error: "), words
        assert "hint: " in done.err, words


async def test_a_watch_prints_what_is_there_and_then_changes(configs, make, monkeypatch):
    written = asyncio.Queue(maxsize=100)
    loop = asyncio.get_running_loop()

    class Stdout:
        def write(self, text):
            loop.call_soon_threadsafe(written.put_nowait, text)

        def flush(self):
            pass

        def isatty(self):
            return False

    async def until(word):
        async with asyncio.timeout(1.5):
            while word not in (text := await written.get()):
                pass
        return text

    from roadbed.interfaces.cli.commands import get as command
    from roadbed.interfaces.cli.invocation import Invocation
    from roadbed.interfaces.cli.selection import targets
    from roadbed.interfaces.cli.session import open_session

    monkeypatch.setattr(command.sys, "stdout", Stdout())
    async with open_session(Invocation(platforms=None)) as session:
        query = command.Query(session, "shop", {}, "")
        (target,) = await targets(session, ["configmaps"])
        following = asyncio.create_task(command._Following(query, target).run())
        await until("orders")
        await configs.create(make.config("late"))
        assert "late" in await until("late")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
