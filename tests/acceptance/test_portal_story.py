"""The story in a browser: sign in, order a database by its form, see it turn green, delete it."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
SHOTS = Path(os.environ.get("ROADBED_SHOTS", Path(__file__).parents[2] / "artifacts" / "portal"))
READY_MS = 60_000
SETTINGS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


@pytest.fixture(scope="module")
def chromium():
    if not Path(CHROMIUM).exists():
        message = "chromium is missing: install chromium (Debian: chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(chromium, platform):
    """One browser profile, signed in by the printed link; every page in it fails on a script's error."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(platform.signin_url)
    yield context
    context.close()


@pytest.fixture
def page(signed_in):
    complaints = []
    page = signed_in.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
    # A refused form is a 422 and a missing page a 404: the browser writes those down by itself.
    assert [text for text in complaints if "status of 4" not in text] == []


@pytest.fixture(scope="module")
def base(platform):
    return platform.signin_url.partition("/signin")[0]


@pytest.fixture(scope="module", autouse=True)
def shop(platform):
    platform.kubectl("create", "namespace", "shop")


def wait_ready(page):
    page.wait_for_selector("#state .is-healthy", timeout=READY_MS)


def test_the_link_works_once(chromium, signed_in, platform):
    other = chromium.new_context()
    page = other.new_page()
    answer = page.goto(platform.signin_url)
    assert answer.status == 401
    assert "used already" in page.inner_text("body")
    other.close()


def test_a_database_is_ordered_by_its_form_and_turns_green_without_a_reload(page, base, platform):
    page.goto(base)
    page.keyboard.press("c")
    page.click(".offer:has-text('Database')")
    page.wait_for_selector("#create-form")
    page.fill("[name='metadata.name']", "orders")
    page.select_option("[name='metadata.namespace']", "shop")
    page.select_option("[name='spec.engine']", "postgres")
    page.fill("[name='spec.storageGB']", "5000")
    expect(page.locator("#yaml")).to_have_value(re.compile("storageGB: 5000"))

    page.click("button:has-text('Create Database')")
    page.wait_for_selector(".field:has([name='spec.storageGB']) .field-error")
    assert "1000" in page.inner_text(".field:has([name='spec.storageGB']) .field-error")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "form-refused.png", full_page=True)

    yaml = page.input_value("#yaml").replace("storageGB: 5000", "storageGB: 40")
    page.fill("#yaml", yaml)
    expect(page.locator("[name='spec.storageGB']")).to_have_value("40")
    page.click("text=Check without creating")
    page.wait_for_selector("text=The server would accept this.")
    assert platform.kubectl("get", "database", "-n", "shop", "--ignore-not-found").stdout == ""

    page.click("button:has-text('Create Database')")
    page.wait_for_url("**/Database/shop/orders")
    page.evaluate("window.notReloaded = true")
    wait_ready(page)
    assert page.evaluate("window.notReloaded") is True
    assert "Live" in page.inner_text("[data-live-dot]")
    tree = page.inner_text("#tree")
    assert re.search(r"vpc-[0-9a-f]+", tree)
    assert "Instance" in tree
    assert "Degraded" not in tree
    assert (
        platform.kubectl("get", "database", "orders", "-n", "shop", "-o", "jsonpath={.spec.storageGB}").stdout
        == "40"
    )


def test_the_details_of_every_part_are_one_click_or_key_away(page, base):
    page.goto(f"{base}/resources?namespace=shop")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/Database/shop/orders")
    page.click("#tree >> text=/^orders-/ >> nth=0")
    page.wait_for_selector("#detail h2 a")
    page.click("#detail >> text=Events")
    page.wait_for_selector("#detail .events")
    page.keyboard.press("y")
    page.wait_for_selector("#detail .code")
    assert "forProvider" in page.inner_text("#detail")


def test_the_catalog_is_filtered_by_keyboard_and_leads_to_an_api(page, base):
    page.goto(f"{base}/catalog")
    page.check("input[name=kind][value=api]")
    page.wait_for_url("**kind=api*")
    before = page.locator("tbody tr").count()
    page.keyboard.press("/")
    page.keyboard.type("order")
    page.wait_for_url("**q=order*")
    assert page.locator("tbody tr").count() < before
    page.locator("tbody a").first.click()
    page.click(".tabs >> text=API")
    page.wait_for_selector(".operation")
    page.locator(".operation summary").first.click()
    assert page.locator(".operation-body").first.is_visible()


def test_search_goes_anywhere(page, base):
    page.goto(base)
    page.keyboard.press("Control+k")
    page.keyboard.type("orders database")
    page.keyboard.press("Control+A")
    page.keyboard.type("New Database")
    page.wait_for_selector("#search-hits >> text=New Database")
    page.keyboard.press("Enter")
    page.wait_for_url("**/create/**/Database")


@pytest.mark.parametrize(("scheme", "width"), SETTINGS)
def test_pages_fit_their_window_and_are_drawn_at_once(chromium, signed_in, base, scheme, width):
    context = chromium.new_context(
        viewport={"width": width, "height": 900 if width > 1000 else 844},
        color_scheme=scheme,
        storage_state=signed_in.storage_state(),
    )
    page = context.new_page()
    SHOTS.mkdir(parents=True, exist_ok=True)
    pages = {
        "home": "/",
        "catalog": "/catalog",
        "entity": "/catalog/component/default/cart",
        "create": "/create",
        "form": "/create/platform.example.org/v1alpha1/Database",
        "resources": "/resources",
        "managed": "/resources?category=managed",
        "tree": "/c/local/platform.example.org/v1alpha1/Database/shop/orders",
        "platform": "/platform",
        "gallery": "/settings/gallery",
        "missing": "/nowhere",
    }
    paints = []
    for name, path in pages.items():
        page.goto(base + path)
        page.wait_for_selector(".main")
        page.screenshot(path=SHOTS / f"{name}-{scheme}-{width}.png", full_page=name == "gallery")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    context.close()
    assert sorted(paints)[len(paints) // 2] < 300


def test_deleting_names_what_goes_and_takes_it_down(page, base, platform):
    page.goto(f"{base}/c/local/platform.example.org/v1alpha1/Database/shop/orders")
    page.click("button:has-text('Delete')")
    page.wait_for_selector("#delete-dialog[open]")
    dialog = page.inner_text("#delete-dialog")
    assert "This takes down" in dialog
    assert re.search(r"vpc-[0-9a-f]+", dialog)
    button = page.locator("#delete-dialog button[type=submit]")
    assert button.is_disabled()
    page.fill("#confirm-name", "orders")
    button.click()
    page.wait_for_selector(
        "text=/Being deleted|There is nothing here|Nothing here yet|not found/", timeout=READY_MS
    )
    platform.kubectl("wait", "--for=delete", "database/orders", "-n", "shop", "--timeout=60s")
    assert platform.kubectl("get", "managed", "-n", "shop", "--ignore-not-found").stdout == ""


def test_after_the_end_a_browser_is_told_how_to_come_back(page, base):
    page.goto(f"{base}/settings")
    page.click(".person summary")
    page.click("text=Sign out")
    page.wait_for_url("**/signin")
    assert "roadbed token" in page.inner_text("body")
