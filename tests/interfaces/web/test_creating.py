"""Create: the form, its YAML, the server's messages at their fields."""

import pytest

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import User

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(10)]

FORM = "/create/platform.example.org/v1alpha1/Database"
DATABASES = Resource("platform.example.org", "v1alpha1", "databases", "Database")
PARTIAL = {"HX-Request": "true"}


async def csrf_of(browser):
    page = (await browser.get("/settings")).text
    return page.partition('name="csrf" value="')[2].partition('"')[0]


async def test_what_is_offered_is_a_card_with_its_description(site):
    page = (await (await site.signed_in()).get("/create")).text
    assert FORM in page
    assert "A database that is backed up, patched and watched." in page
    assert "/Bucket" not in page


async def test_the_form_has_an_input_for_every_field_of_the_schema(site):
    page = (await (await site.signed_in()).get(FORM)).text
    for name in (
        "metadata.name",
        "metadata.namespace",
        "spec.engine",
        "spec.size",
        "spec.storageGB",
        "spec.protected",
    ):
        assert f'name="{name}"' in page
    assert "20 to 1000" in page
    assert "<option>shop</option>" in page
    assert "size: small" in page


async def test_a_sent_form_becomes_an_object_and_its_page(site):
    browser = await site.signed_in()
    sent = {
        "csrf": await csrf_of(browser),
        "metadata.name": "made",
        "metadata.namespace": "shop",
        "spec.engine": "postgres",
        "spec.size": "large",
        "spec.storageGB": "100",
        "spec.protected": "false",
        "spec.users[0].name": "app",
        "spec.users[0].role": "writer",
        "spec.tags{0}.key": "team",
        "spec.tags{0}.value": "shop",
    }
    answer = await browser.post(FORM, data=sent)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/c/local/platform.example.org/v1alpha1/Database/shop/made"
    made = await site.client.get(DATABASES, "made", "shop")
    assert made["spec"] == {
        "engine": "postgres",
        "size": "large",
        "storageGB": 100,
        "protected": False,
        "users": [{"name": "app", "role": "writer"}],
        "tags": {"team": "shop"},
    }


async def test_the_servers_messages_stand_at_their_fields(site):
    browser = await site.signed_in()
    sent = {
        "csrf": await csrf_of(browser),
        "metadata.name": "Bad Name",
        "metadata.namespace": "shop",
        "spec.engine": "postgres",
        "spec.storageGB": "5000",
        "spec.name": "UPPER",
    }
    answer = await browser.post(FORM, data=sent)
    assert answer.status_code == 422
    page = answer.text
    for path in ("spec.storageGB", "spec.name"):
        field = page.partition(f'name="{path}"')[2].partition("</div>")[0]
        assert 'aria-invalid="true"' in field.partition(">")[0]
        assert "Should" in field
    name = page.partition('name="metadata.name"')[2].partition("</div>")[0]
    assert "field-error" in name
    assert 'value="5000"' in page
    assert await site.client.find(DATABASES, "Bad Name", "shop") is None


async def test_a_name_that_is_taken_is_said_at_the_name(site):
    await site.order("taken")
    browser = await site.signed_in()
    sent = {
        "csrf": await csrf_of(browser),
        "metadata.name": "taken",
        "metadata.namespace": "shop",
        "spec.engine": "mysql",
    }
    answer = await browser.post(FORM, data=sent)
    assert answer.status_code == 409
    assert (
        "There is already one called taken."
        in answer.text.partition('name="metadata.name"')[2].partition("</div>")[0]
    )


async def test_checking_creates_nothing_and_shows_what_would_be_stored(site):
    browser = await site.signed_in()
    sent = {
        "csrf": await csrf_of(browser),
        "metadata.name": "checked",
        "metadata.namespace": "shop",
        "spec.engine": "mysql",
    }
    answer = await browser.post(f"{FORM}/check", data=sent, headers=PARTIAL)
    assert "The server would accept this." in answer.text
    assert "storageGB" in answer.text
    assert await site.client.find(DATABASES, "checked", "shop") is None
    refused = await browser.post(f"{FORM}/check", data={**sent, "spec.storageGB": "1"}, headers=PARTIAL)
    assert "The server would refuse this." in refused.text
    assert "Should be greater than or equal to 20" in refused.text


async def test_the_form_becomes_yaml_and_the_yaml_a_form(site):
    browser = await site.signed_in()
    csrf = await csrf_of(browser)
    sent = {
        "csrf": csrf,
        "metadata.name": "both",
        "metadata.namespace": "shop",
        "spec.engine": "mysql",
        "spec.size": "medium",
    }
    yaml = (await browser.post(f"{FORM}/yaml", data=sent, headers=PARTIAL)).text
    assert "engine: mysql" in yaml
    assert "size: medium" in yaml
    text = "apiVersion: platform.example.org/v1alpha1\nkind: Database\nmetadata: {name: x}\nspec: {size: large, users: [{name: zoe}]}"
    form = (await browser.post(f"{FORM}/form", data={"csrf": csrf, "yaml": text}, headers=PARTIAL)).text
    assert '<option value="large" selected>' in form
    assert 'value="zoe"' in form


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line"),
        ("kind: A\nkind: B", "line 2"),
        ("- a", "found a list"),
        ("apiVersion: v1\nkind: Secret", "the YAML says Secret"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"b{n}: &b{n} [{','.join([f'*{p}'] * 9)}]\n"
                for n, p in zip(range(9), ["a", *[f"b{n}" for n in range(8)]], strict=True)
            ),
            "aliases stand for more than",
        ),
    ],
)
async def test_yaml_that_cannot_be_read_leaves_the_form_alone_and_says_why(site, text, said):
    browser = await site.signed_in()
    answer = await browser.post(
        f"{FORM}/form", data={"csrf": await csrf_of(browser), "yaml": text}, headers=PARTIAL
    )
    assert answer.headers["hx-retarget"] == "#yaml-problem"
    assert said in answer.text


async def test_who_may_not_create_is_told_before_and_after_trying(site):
    browser = await site.signed_in(User("looker"))
    page = (await browser.get(f"{FORM}?namespace=shop")).text
    assert "You may not create databases.platform.example.org in namespace shop" in page
    sent = {
        "csrf": await csrf_of(browser),
        "metadata.name": "x",
        "metadata.namespace": "shop",
        "spec.engine": "mysql",
    }
    answer = await browser.post(FORM, data=sent)
    assert answer.status_code == 403
    assert "looker" in answer.text


async def test_a_kind_that_is_no_offer_has_no_form(site):
    answer = await (await site.signed_in()).get("/create/s3.aws.m.upbound.io/v1beta1/Bucket")
    assert answer.status_code == 404
    assert "not offered" in answer.text


async def test_who_may_create_in_one_namespace_is_offered_that_one(site):
    rules = [
        {
            "apiGroups": ["platform.example.org"],
            "resources": ["databases"],
            "verbs": ["create", "get", "list"],
        }
    ]
    await site.grant("local-dev", rules, namespace="shop")
    browser = await site.signed_in(User("local-dev"))
    assert "Not allowed" not in (await browser.get("/create")).text
    page = (await browser.get(FORM)).text
    assert "<option>shop</option>" in page
    assert "<option>default</option>" not in page
    sent = {
        "csrf": await csrf_of(browser),
        "metadata.name": "local",
        "metadata.namespace": "shop",
        "spec.engine": "mysql",
    }
    assert (await browser.post(FORM, data=sent)).status_code == 303
    for path in ("/", "/resources", "/search?q=local"):
        assert "/shop/local" in (await browser.get(path)).text, path
