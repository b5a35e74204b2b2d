"""`roadbed tree`, `describe`, `events`: what an object is made of, what is said of it, what happened to it."""

import base64
import json

import pytest


@pytest.fixture
async def stuck(shop, make):
    """An order of three: one is well, one failed, one waits for another; a fourth is not there yet."""
    await shop.create(
        make.part("Network", "net", external="net-1", Synced=True, Ready=True),
        make.part(
            "Instance",
            "server",
            Synced=("ReconcileError", "quota exceeded\nfor db.t3.micro"),
            Ready=("Creating", ""),
        ),
        make.part(
            "Instance", "replica", Synced=("ReconcileError", "cannot resolve references: no server yet")
        ),
        make.database(
            "orders",
            ("Network", "net"),
            ("Instance", "server"),
            ("Instance", "replica"),
            Synced=True,
            Ready=("Creating", "Unready resources: server"),
        ),
    )
    return shop


def event(name, reason, message, *, kind="Database", count=1, uid=""):
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{reason.lower()}", "namespace": "shop"},
        "involvedObject": {"kind": kind, "namespace": "shop", "name": name, "uid": uid},
        "type": "Warning" if "Fail" in reason else "Normal",
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": "2025-01-02T03:04:05Z",
        "lastTimestamp": "2025-01-02T03:04:05Z",
    }


async def test_a_tree_shows_every_part_and_ends_with_the_deepest_cause(stuck):
    out = (await stuck.run("tree", "database/orders", "-n", "shop")).out
    lines = out.splitlines()
    assert lines[0].split() == ["NAME", "SYNCED", "READY", "EXTERNAL-NAME", "REASON"]
    assert lines[1].startswith("database/orders ")
    assert "├─ network/net" in lines[2]
    assert lines[2].split()[-3:] == ["True", "True", "net-1"]
    assert "ReconcileError: quota exceeded for db.t3.micro" in lines[3]
    assert lines[-1] == "instance/server: ReconcileError: quota exceeded for db.t3.micro"


async def test_a_tree_as_json_has_the_same_parts(stuck):
    root = json.loads((await stuck.run("tree", "database", "orders", "-n", "shop", "-o", "json")).out)
    assert [child["name"] for child in root["children"]] == ["net", "server", "replica"]
    assert root["children"][0]["externalName"] == "net-1"
    assert root["children"][1]["synced"] == "False"


async def test_a_part_that_is_not_there_yet_is_said_so(shop, make):
    unknown = {"apiVersion": "nowhere.example.org/v1", "kind": "Thing", "name": "x"}
    order = make.database("orders", ("Instance", "server"))
    order["spec"]["crossplane"]["resourceRefs"].append(unknown)
    await shop.create(order)
    out = (await shop.run("tree", "database/orders", "-n", "shop")).out
    assert "instance/server" in out
    assert "not created yet" in out
    assert "no kind 'Thing' is served" in out


async def test_what_is_under_way_is_told_before_what_only_waits_for_it(shop, make):
    await shop.create(
        make.part(
            "Instance", "server", Synced=("ReconcileError", "cannot resolve references: no network yet")
        ),
        make.part("Network", "net", Synced=True, Ready=("Creating", "")),
        make.database("orders", ("Instance", "server"), ("Network", "net"), Ready=("Creating", "")),
    )
    out = (await shop.run("tree", "database/orders", "-n", "shop")).out
    assert out.splitlines()[-1] == "network/net: Creating"


async def test_a_reference_back_to_the_top_does_not_go_round(shop, make):
    order = make.database("orders")
    order["spec"]["crossplane"]["resourceRefs"] = [
        {"apiVersion": "platform.example.org/v1", "kind": "Database", "name": "orders"}
    ]
    await shop.create(order)
    out = (await shop.run("tree", "database/orders", "-n", "shop")).out
    assert out.count("database/orders ") == 1


async def test_describe_tells_metadata_spec_conditions_and_events(stuck, make):
    uid = (await stuck.get(make.database("orders")))["metadata"]["uid"]
    await stuck.create(
        event("orders", "ComposeFail", "it failed", count=3, uid=uid),
        event("orders", "Older", "of another orders", uid="gone"),
    )
    out = (await stuck.run("describe", "database", "orders", "-n", "shop")).out
    assert "Name:" in out
    assert "Kind:           Database (platform.example.org/v1)" in out
    assert "  size: small" in out
    assert "Unready resources: server" in out
    assert "it failed (x3)" in out
    assert "of another orders" not in out
    everything = (await stuck.run("describe", "instances", "-n", "shop")).out
    assert everything.count("Name:") == 2


async def test_describe_never_shows_what_a_secret_holds(shop):
    secret = base64.b64encode(b"hunter2").decode()
    await shop.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": "shop"},
            "data": {"password": secret},
        }
    )
    out = (await shop.run("describe", "secret/login", "-n", "shop")).out
    assert "password: 7 bytes" in out
    assert secret not in out
    assert "hunter2" not in out


async def test_events_are_listed_about_one_object_or_all(shop):
    await shop.create(
        event("orders", "Composed", "done"),
        event("cart", "Failed", "broken", kind="Instance"),
    )
    out = (await shop.run("events", "-n", "shop")).out
    assert out.splitlines()[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert "database/orders" in out
    assert "instance/cart" in out
    about = (await shop.run("events", "--for", "database/orders", "-n", "shop")).out
    assert "done" in about
    assert "broken" not in about
    assert (await shop.run("events", "-A")).out.splitlines()[0].startswith("NAMESPACE")
    assert len(json.loads((await shop.run("events", "-n", "shop", "-o", "json")).out)["items"]) == 2
    assert (await shop.run("events", "-n", "default")).err == "No events found in default namespace.\n"


async def test_one_object_means_one(shop):
    await shop.run("tree", "databases", code=2)
    await shop.run("tree", "database/nope", "-n", "shop", code=4)
    assert (
        "error: describe failed, databases/nope"
        in (await shop.run("describe", "database/nope", "-n", "shop", code=4)).err
    )
