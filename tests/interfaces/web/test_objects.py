"""The page of one object: state, tree, details, deletion, and its live stream."""

import asyncio

import pytest

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import User
from roadbed.apis.core import EVENTS
from roadbed.interfaces.web.tree import MOST_DEPTH, grow

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(10)]

DATABASES = Resource(
    "platform.example.org",
    "v1alpha1",
    "databases",
    "Database",
    singular="database",
    categories=("composite",),
)
BUCKETS = Resource("s3.aws.m.upbound.io", "v1beta1", "buckets", "Bucket")
PARTIAL = {"HX-Request": "true"}


def path(name):
    return f"/c/local/platform.example.org/v1alpha1/Database/shop/{name}"


async def csrf_of(browser):
    page = (await browser.get("/settings")).text
    return page.partition('name="csrf" value="')[2].partition('"')[0]


async def test_the_first_thing_said_is_the_deepest_cause(site):
    await site.order("deep", buckets=2)
    await site.condition(DATABASES, "deep", Synced="True ReconcileSuccess", Ready="False Creating")
    await site.condition(BUCKETS, "deep-0", Synced="True ReconcileSuccess", Ready="True Available")
    await site.condition(BUCKETS, "deep-1", Synced="False ReconcileError no such region eu-nowhere-1")
    page = (await (await site.signed_in()).get(path("deep"))).text
    banner = page.partition('id="state"')[2].partition('class="object')[0]
    assert "no such region eu-nowhere-1" in banner
    assert "Bucket deep-1" in banner


async def test_a_composed_object_that_is_gone_is_a_missing_node(site):
    await site.order("half", buckets=1)
    await site.client.delete(BUCKETS, "half-0", "shop")
    page = (await (await site.signed_in()).get(path("half"))).text
    assert "Bucket half-0 does not exist" in page
    assert "is-missing" in page


async def test_a_reference_to_a_kind_that_is_not_served_says_what_to_install(site):
    references = [{"apiVersion": "example.org/v1", "kind": "Gone", "name": "x"}]
    await site.order("unserved", spec={"crossplane": {"resourceRefs": references}})
    page = (await (await site.signed_in()).get(path("unserved"))).text
    assert "No kind Gone is served in example.org/v1" in page


async def test_a_part_leads_back_to_what_it_is_part_of(site):
    made = await site.order("whole", buckets=1)
    owner = {
        "apiVersion": DATABASES.api_version,
        "kind": "Database",
        "name": "whole",
        "uid": made["metadata"]["uid"],
    }
    await site.client.patch(BUCKETS, "whole-0", {"metadata": {"ownerReferences": [owner]}}, namespace="shop")
    page = (
        await (await site.signed_in()).get("/c/local/s3.aws.m.upbound.io/v1beta1/Bucket/shop/whole-0")
    ).text
    assert f'part of <a href="{path("whole")}">Database whole</a>' in page


async def test_references_in_a_circle_end(site):
    references = [{"apiVersion": DATABASES.api_version, "kind": "Database", "name": "circle"}]
    made = await site.order("circle", spec={"crossplane": {"resourceRefs": references}})
    root = await grow(site.client, DATABASES, made)
    assert sum(1 for _ in root.walk()) <= MOST_DEPTH


async def test_what_may_not_be_seen_is_a_node_that_says_so(site):
    await site.order("guarded", buckets=1)
    rules = [{"apiGroups": ["platform.example.org"], "resources": ["databases"], "verbs": ["get", "list"]}]
    await site.grant("half-blind", rules, namespace="shop")
    page = (await (await site.signed_in(User("half-blind"))).get(path("guarded"))).text
    assert "You may not see it" in page
    assert "buckets.s3.aws.m.upbound.io" in page
    assert 'disabled title="You may not delete' in page


async def test_details_show_conditions_events_field_owners_and_yaml(site):
    made = await site.order("detailed", buckets=1)
    await site.condition(DATABASES, "detailed", Ready="False Creating waiting for the bucket")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e1", "namespace": "shop"},
        "involvedObject": {
            "kind": "Database",
            "name": "detailed",
            "namespace": "shop",
            "uid": made["metadata"]["uid"],
        },
        "type": "Warning",
        "reason": "ComposeResources",
        "message": "cannot compose the bucket",
        "count": 3,
    }
    await site.client.create(EVENTS, event)
    browser = await site.signed_in()
    for tab, said in (
        ("conditions", "waiting for the bucket"),
        ("events", "cannot compose the bucket"),
        ("fields", "spec.engine"),
        ("yaml", "resourceRefs"),
    ):
        part = (await browser.get(f"{path('detailed')}/detail?tab={tab}", headers=PARTIAL)).text
        assert said in part, tab
        assert "<html" not in part
    assert "managedFields" not in part
    other = (
        await browser.get(f"{path('detailed')}/detail?select=Bucket-shop-detailed-0-1", headers=PARTIAL)
    ).text
    assert "detailed-0" in other


async def test_the_question_before_a_deletion_names_what_goes_with_it(site):
    await site.order("doomed", buckets=2)
    name = {"metadata": {"annotations": {"crossplane.io/external-name": "bucket-in-the-world"}}}
    await site.client.patch(BUCKETS, "doomed-0", name, namespace="shop")
    dialog = (await (await site.signed_in()).get(f"{path('doomed')}/delete", headers=PARTIAL)).text
    for said in ("2 resources", "doomed-0", "doomed-1", "bucket-in-the-world", "Type <code>doomed</code>"):
        assert said in dialog


async def test_deleting_needs_the_name_and_the_object_that_was_seen(site):
    made = await site.order("leaving")
    browser = await site.signed_in()
    form = {"csrf": await csrf_of(browser), "uid": made["metadata"]["uid"], "name": "wrong"}
    assert "Type leaving to confirm" in (await browser.post(f"{path('leaving')}/delete", data=form)).text
    other = {**form, "name": "leaving", "uid": "another-uid"}
    refused = await browser.post(f"{path('leaving')}/delete", data=other)
    assert refused.status_code == 422
    assert await site.client.find(DATABASES, "leaving", "shop") is not None
    done = await browser.post(f"{path('leaving')}/delete", data={**form, "name": "leaving"}, headers=PARTIAL)
    assert done.headers["hx-redirect"].startswith("/resources")
    assert await site.client.find(DATABASES, "leaving", "shop") is None


async def test_the_details_of_an_object_that_went_say_so(site):
    await site.order("went")
    browser = await site.signed_in()
    assert "spec" in (await browser.get(f"{path('went')}/detail?tab=yaml", headers=PARTIAL)).text
    await site.client.delete(DATABASES, "went", "shop")
    answer = await browser.get(f"{path('went')}/detail?tab=yaml", headers=PARTIAL)
    assert (answer.status_code, "It is gone" in answer.text) == (200, True)


async def test_an_object_that_finalizers_hold_keeps_its_page(site):
    made = await site.order("held")
    patch = {"metadata": {"finalizers": ["example.org/hold"]}}
    await site.client.patch(DATABASES, "held", patch, namespace="shop")
    browser = await site.signed_in()
    form = {"csrf": await csrf_of(browser), "uid": made["metadata"]["uid"], "name": "held"}
    answer = await browser.post(f"{path('held')}/delete", data=form, headers=PARTIAL)
    assert answer.headers["hx-redirect"] == path("held")
    assert "Being deleted, waiting for example.org/hold" in (await browser.get(path("held"))).text


class Stream:
    """Reads server-sent events from the application itself, as a browser that stays."""

    def __init__(self, app, url, cookies):
        self.app = app
        self.gone = asyncio.Event()
        self.sent = asyncio.Queue(1000)
        self.status = None
        self.text = ""
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        where, _, query = url.partition("?")
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"127.0.0.1:7007"), (b"cookie", cookie.encode())],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("127.0.0.1", 7007),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }

    async def __aenter__(self):
        self.task = asyncio.create_task(self.app(self.scope, self.receive, self.send))
        return self

    async def __aexit__(self, *_):
        self.gone.set()
        await asyncio.wait_for(self.task, 5)

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            await self.sent.put(message.get("body", b"").decode())

    async def until(self, text):
        async with asyncio.timeout(5):
            while text not in self.text:
                self.text += await self.sent.get()


async def test_the_tree_turns_green_without_a_reload(site):
    await site.order("living", buckets=1)
    browser = await site.signed_in()
    async with Stream(site.app, f"{path('living')}/live", browser.cookies) as stream:
        await stream.until("event: tree")
        await site.condition(BUCKETS, "living-0", Synced="True ReconcileSuccess", Ready="True Available")
        await stream.until("is-healthy")
        await site.condition(DATABASES, "living", Synced="True ReconcileSuccess", Ready="True Available")
        await stream.until("Ready: 1 resource in place.")
        await site.client.delete(DATABASES, "living", "shop")
        await stream.until("event: gone")


async def test_the_list_follows_what_is_created(site):
    browser = await site.signed_in()
    async with Stream(site.app, "/resources/live?q=newborn", browser.cookies) as stream:
        await stream.until("event: rows")
        await site.order("newborn")
        await stream.until("/shop/newborn")


async def test_the_list_follows_for_somebody_with_rights_in_one_namespace(site):
    rules = [
        {"apiGroups": ["platform.example.org"], "resources": ["databases"], "verbs": ["list", "watch", "get"]}
    ]
    await site.grant("watcher", rules, namespace="shop")
    browser = await site.signed_in(User("watcher"))
    async with Stream(site.app, "/resources/live?q=localborn", browser.cookies) as stream:
        await stream.until("event: rows")
        await site.order("localborn")
        await stream.until("/shop/localborn")


async def test_streams_end_with_the_portal(site):
    browser = await site.signed_in()
    async with Stream(site.app, "/resources/live", browser.cookies) as stream:
        await stream.until("event: rows")
        portal = site.app._portal
        portal.stopping.set()
        await asyncio.wait_for(stream.task, 5)
        portal.stopping.clear()
    assert portal.streams == 0


async def test_a_stream_needs_a_session(site):
    async with Stream(site.app, "/resources/live", {}) as stream:
        await stream.until("Sign in")
    assert stream.status == 401
