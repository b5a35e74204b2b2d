"""What pages show, asked of a real API server."""

import pytest

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import User
from roadbed.interfaces.web.portal import NAVIGATION
from roadbed.portal.catalog import Query
from roadbed.portal.catalog.folder import Found

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(10)]

DATABASES = Resource("platform.example.org", "v1alpha1", "databases", "Database")
BUCKETS = Resource("s3.aws.m.upbound.io", "v1beta1", "buckets", "Bucket")


@pytest.mark.parametrize("path", [entry.path for entry in NAVIGATION])
async def test_every_entry_of_the_rail_leads_to_a_page(site, path):
    browser = await site.signed_in()
    answer = await browser.get(path)
    assert answer.status_code == 200
    assert f'href="{path}" data-key' in answer.text
    assert 'aria-current="page"' in answer.text


async def test_the_gallery_shows_every_state_of_health(site):
    page = (await (await site.signed_in()).get("/settings/gallery")).text
    for state in ("healthy", "progressing", "degraded", "missing", "suspended", "unknown"):
        assert f"health is-{state}" in page
    assert "should be less than or equal to 1000" in page


async def test_no_page_carries_an_inline_script_or_style(site):
    await site.order("inline", buckets=1)
    browser = await site.signed_in()
    for path in ("/", "/create/platform.example.org/v1alpha1/Database", "/settings/gallery", "/resources"):
        page = (await browser.get(path)).text
        assert "<script>" not in page
        assert " style=" not in page
        assert " onclick=" not in page


async def test_lists_say_why_an_ordered_thing_is_stuck_from_the_deepest_cause(site):
    await site.order("stuck", buckets=1)
    await site.condition(DATABASES, "stuck", Synced="True ReconcileSuccess", Ready="False Creating")
    await site.condition(BUCKETS, "stuck-0", Synced="False ReconcileError the bucket name is taken")
    browser = await site.signed_in()
    listed = (await browser.get("/resources?q=stuck&namespace=shop")).text
    assert "Bucket stuck-0: the bucket name is taken" in listed
    assert "Bucket stuck-0: the bucket name is taken" in (await browser.get("/")).text


async def test_a_list_can_be_narrowed_by_state_kind_and_text(site):
    await site.order("calm", buckets=0)
    await site.condition(DATABASES, "calm", Synced="True ReconcileSuccess", Ready="True Available")
    browser = await site.signed_in()
    assert "/shop/calm" in (await browser.get("/resources?state=healthy&q=calm")).text
    assert "/shop/calm" not in (await browser.get("/resources?state=degraded&q=calm")).text
    assert "/shop/calm" in (await browser.get("/resources?kind=databases.platform.example.org")).text
    assert "Nothing matches" in (await browser.get("/resources?q=no-such-thing")).text
    assert "No such kind" in (await browser.get("/resources?kind=nothings.example.org")).text


async def test_an_unknown_page_is_a_page_without_a_traceback(site):
    answer = await (await site.signed_in()).get("/nowhere")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


async def test_a_missing_object_is_named(site):
    answer = await (await site.signed_in()).get("/c/local/platform.example.org/v1alpha1/Database/shop/nope")
    assert answer.status_code == 404
    assert "nope" in answer.text


async def test_another_cluster_and_another_kind_are_refused_by_name(site):
    browser = await site.signed_in()
    other = await browser.get("/c/elsewhere/platform.example.org/v1alpha1/Database/shop/x")
    assert (other.status_code, "elsewhere" in other.text) == (404, True)
    kind = await browser.get("/c/local/example.org/v1/Nothing/shop/x")
    assert (kind.status_code, "no kind" in kind.text) == (404, True)


async def test_an_error_of_ours_is_a_page_that_tells_nothing_of_the_inside(site, monkeypatch, caplog):
    async def broken(self, access):
        raise RuntimeError("the inside")

    monkeypatch.setattr(type(site.catalog), "namespaces", lambda self: broken(self, None))
    answer = await (await site.signed_in()).get("/catalog")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "the inside" not in answer.text
    assert "the inside" in caplog.text


async def test_a_person_without_rights_sees_who_can_grant_them(site):
    browser = await site.signed_in(User("nobody-special"))
    home = (await browser.get("/")).text
    assert "You may not list databases.platform.example.org" in home
    assert "Ask a cluster admin" in home
    create = (await browser.get("/create")).text
    assert "Not allowed" in create
    assert "You may not see any entities" in (await browser.get("/catalog")).text


async def test_an_object_that_may_not_be_seen_is_a_403_page(site):
    await site.order("private")
    answer = await (await site.signed_in(User("nobody-special"))).get(
        "/c/local/platform.example.org/v1alpha1/Database/shop/private"
    )
    assert answer.status_code == 403
    assert "You may not see this" in answer.text
    assert "nobody-special" in answer.text


async def test_text_from_objects_is_escaped(site):
    await site.order("escaped", spec={"tags": {"x": "<img src=x>"}})
    browser = await site.signed_in()
    page = (await browser.get("/c/local/platform.example.org/v1alpha1/Database/shop/escaped?tab=yaml")).text
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;" in page


async def test_a_secrets_values_are_never_on_a_page(site):
    secrets = Resource("", "v1", "secrets", "Secret")
    await site.client.create(
        secrets,
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "creds",
                "namespace": "shop",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"},
            },
            "stringData": {"password": "hunter2"},
        },
    )
    page = (await (await site.signed_in()).get("/c/local/core/v1/Secret/shop/creds?tab=yaml")).text
    assert "password" in page
    assert "hunter2" not in page
    assert "aHVudGVyMg" not in page


async def test_the_catalog_lists_filters_and_shows_entities(site):
    await site.catalog.replace(
        "test", [Found(entity, "all.yaml", number) for number, entity in enumerate(ENTITIES)]
    )
    browser = await site.signed_in()
    listed = (await browser.get("/catalog")).text
    assert "Orders service" in listed
    only = (await browser.get("/catalog?kind=api", headers={"HX-Request": "true"})).text
    assert "<html" not in only
    assert "Orders service" not in only
    assert "orders-api" in only
    assert "Nothing matches" in (await browser.get("/catalog?q=zzz")).text
    entity = (await browser.get("/catalog/component/default/orders")).text
    assert "/catalog/api/default/orders-api" in entity
    assert "team-shop" in entity
    api = (await browser.get("/catalog/api/default/orders-api?tab=api")).text
    assert "List orders" in api
    assert "javascript:" not in entity
    mine = (await browser.get("/")).text
    assert "Orders service" in mine
    assert (await browser.get("/catalog/component/default/nope")).status_code == 404
    assert "orders-api" in (await browser.get("/search?q=orders")).text
    assert (await site.catalog.list(Query(), (await _access(site)))).total == len(ENTITIES)


async def test_entities_obey_rbac(site):
    await site.catalog.replace(
        "test", [Found(entity, "all.yaml", number) for number, entity in enumerate(ENTITIES)]
    )
    rules = [{"apiGroups": ["backstage.io"], "resources": ["apis"], "verbs": ["list"]}]
    await site.grant("reader", rules, namespace="default")
    browser = await site.signed_in(User("reader"))
    listed = (await browser.get("/catalog")).text
    assert "orders-api" in listed
    assert "Orders service" not in listed
    assert (await browser.get("/catalog/component/default/orders")).status_code == 404


async def _access(site):
    from roadbed.portal.catalog import access_of

    return await access_of(site.client, await site.catalog.namespaces())


ENTITIES = [
    {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "orders", "title": "Orders service", "links": [{"url": "javascript:alert(1)"}]},
        "spec": {
            "type": "service",
            "lifecycle": "production",
            "owner": "team-shop",
            "providesApis": ["orders-api"],
        },
    },
    {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "API",
        "metadata": {"name": "orders-api"},
        "spec": {
            "type": "openapi",
            "lifecycle": "production",
            "owner": "team-shop",
            "definition": "openapi: 3.0.0\npaths: {/orders: {get: {summary: List orders}}}",
        },
    },
]
