"""Asking the catalog: lists, facets, relations, and nothing beyond what may be seen."""

import pytest

from roadbed.portal.catalog import EVERYTHING, Access, Catalog, Query, Ref
from roadbed.portal.catalog.folder import Found
from roadbed.portal.index import Database, Predicate


def found(kind, name, number=0, namespace="default", **spec):
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "tags": ["pci"] if name == "orders" else []},
        "spec": {"type": "service", "lifecycle": "production", "owner": "team-a", **spec},
    }
    return Found(entity, f"{name}.yaml", number)


SHOP = [
    found("Component", "orders", providesApis=["orders-api"], dependsOn=["resource:db"]),
    found(
        "Component",
        "web",
        owner="team-b",
        type="website",
        lifecycle="experimental",
        consumesApis=["orders-api"],
    ),
    found("API", "orders-api", type="openapi"),
    found("Resource", "db", type="database", namespace="data"),
]


def names(page):
    return [entry.ref.name for entry in page.entries]


async def test_lists_are_narrowed_by_facets_and_text_and_sorted(catalog):
    await catalog.replace("one", SHOP)
    assert names(await catalog.list(Query(), EVERYTHING)) == ["db", "orders", "orders-api", "web"]
    assert names(await catalog.list(Query({"kind": ["component"]}), EVERYTHING)) == ["orders", "web"]
    assert names(
        await catalog.list(
            Query({"kind": ["component", "api"], "owner": ["group:default/team-a"]}), EVERYTHING
        )
    ) == ["orders", "orders-api"]
    assert names(await catalog.list(Query(text="ORD pci"), EVERYTHING)) == ["orders"]
    assert names(await catalog.list(Query(text="%"), EVERYTHING)) == []
    assert names(await catalog.list(Query(order="-name"), EVERYTHING)) == [
        "web",
        "orders-api",
        "orders",
        "db",
    ]


async def test_pages_follow_each_other_without_gap_or_repeat(catalog):
    await catalog.replace("one", [found("Component", f"c{number:03}") for number in range(25)])
    seen = []
    for offset in range(0, 30, 10):
        page = await catalog.list(Query(limit=10, offset=offset), EVERYTHING)
        assert page.total == 25
        seen += names(page)
    assert seen == [f"c{number:03}" for number in range(25)]


async def test_a_facet_counts_what_its_own_choice_would_add(catalog):
    await catalog.replace("one", SHOP)
    page = await catalog.list(Query({"kind": ["component"]}), EVERYTHING)
    assert dict(page.facets["kind"]) == {"component": 2, "api": 1, "resource": 1}
    assert dict(page.facets["type"]) == {"service": 1, "website": 1}


@pytest.mark.parametrize("query", [Query({"nonsense": ["x"]}), Query(order="document")])
async def test_an_unknown_facet_or_order_is_refused(catalog, query):
    with pytest.raises(ValueError, match="choose one of"):
        await catalog.list(query, EVERYTHING)


async def test_relations_are_seen_from_both_ends_and_may_lead_nowhere(catalog):
    await catalog.replace("one", SHOP)
    of_api = {
        (link.type, str(link.target), link.entry is not None)
        for link in await catalog.relations(Ref("api", "default", "orders-api"), EVERYTHING)
    }
    assert of_api == {
        ("apiProvidedBy", "component:default/orders", True),
        ("apiConsumedBy", "component:default/web", True),
        ("ownedBy", "group:default/team-a", False),
    }


async def test_what_a_source_no_longer_gives_is_gone_with_its_relations(catalog):
    await catalog.replace("one", SHOP)
    await catalog.replace("one", SHOP[2:])
    assert names(await catalog.list(Query(), EVERYTHING)) == ["db", "orders-api"]
    types = {link.type for link in await catalog.relations(Ref("api", "default", "orders-api"), EVERYTHING)}
    assert types == {"ownedBy"}


async def test_the_first_source_keeps_a_name(catalog):
    await catalog.replace("one", SHOP[:1])
    taken = await catalog.replace(
        "two", [found("Component", "orders", type="other"), found("Component", "more")]
    )
    assert taken == {Ref("component", "default", "orders"): "one"}
    assert (await catalog.find(Ref("component", "default", "orders"), EVERYTHING)).type == "service"
    await catalog.keep_sources(["two"])
    assert names(await catalog.list(Query(), EVERYTHING)) == ["more"]


async def test_the_uid_stays_when_everything_else_changes(catalog):
    await catalog.replace("one", SHOP)
    before = await catalog.find(Ref("component", "default", "orders"), EVERYTHING)
    await catalog.replace("one", [])
    await catalog.replace("two", [found("Component", "orders", type="other")])
    after = await catalog.find(Ref("component", "default", "orders"), EVERYTHING)
    assert after.uid == before.uid == after.entity["metadata"]["uid"]
    assert after.type == "other"


async def test_access_limits_lists_counts_and_relations_alike(catalog):
    await catalog.replace("one", SHOP)
    apis = Access(Predicate(allowed=(("default", "apis", ()),)))
    page = await catalog.list(Query(), apis)
    assert (names(page), page.total, dict(page.facets["kind"])) == (["orders-api"], 1, {"api": 1})
    assert await catalog.find(Ref("component", "default", "orders"), apis) is None
    assert all(
        link.entry is None for link in await catalog.relations(Ref("api", "default", "orders-api"), apis)
    )
    one = Access(Predicate(allowed=(("default", "", ("web",)), ("data", "resources", ()))))
    assert names(await catalog.list(Query(), one)) == ["db", "web"]
    nothing = Access(Predicate())
    assert nothing.is_empty
    assert (await catalog.list(Query(), nothing)).total == 0


async def test_a_hidden_entity_is_not_given_away_by_what_it_declares(catalog):
    await catalog.replace("one", SHOP)
    apis = Access(Predicate(allowed=(("default", "apis", ()),)))
    links = await catalog.relations(Ref("api", "default", "orders-api"), apis)
    assert [(link.type, str(link.target)) for link in links] == [("ownedBy", "group:default/team-a")]


async def test_the_index_survives_a_restart_and_is_dropped_when_its_shape_changes(tmp_path, monkeypatch):
    path = tmp_path / "index.db"
    for shape, expected in ((1, 0), (1, 4), (2, 0)):
        monkeypatch.setattr("roadbed.portal.index.database.SHAPE", shape)
        database = Database(path)
        await database.open()
        catalog = Catalog(database)
        assert (await catalog.list(Query(), EVERYTHING)).total == expected
        await catalog.replace("one", SHOP)
        await database.close()
