"""`roadbed get`: the server's tables, objects as text, selections, and what is said when there is nothing."""

import json

import pytest
import yaml

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


def config(name, namespace="shop", **labels):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": {"size": "1e3", "yes": "y"},
    }


@pytest.fixture
async def shop(terminal):
    await terminal.create(NAMESPACE, config("orders", team="shop"), config("cart"))
    return terminal


async def test_a_list_is_the_servers_own_table(shop):
    done = await shop.run("get", "configmaps", "-n", "shop")
    head, *rows = done.out.splitlines()
    assert head.split() == ["NAME", "DATA", "AGE"]
    assert [row.split()[:2] for row in rows] == [["cart", "2"], ["orders", "2"]]
