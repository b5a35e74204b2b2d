"""Links, tokens, cookies, and the door."""

from datetime import UTC, datetime, timedelta

import pytest

from roadbed.apimachinery.request import User
from roadbed.apis.review import PORTALSESSIONS
from roadbed.interfaces.web.guard import MOST_BODY_BYTES
from roadbed.interfaces.web.sessions import Sessions
from roadbed.interfaces.web.settings import WebSettings

pytestmark = pytest.mark.timeout(10)
on_site = pytest.mark.asyncio(loop_scope="module")

ORIGIN = "http://127.0.0.1:7007"


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


def token_of(link):
    return link.partition("token=")[2]


@on_site
async def test_a_link_signs_in_once(site):
    link = site.app.issue_signin_link(User("ada"))
    first, second = site.browser(), site.browser()
    assert (await first.get(link)).headers["location"] == "/"
    assert (await first.get("/settings")).status_code == 200
    answer = await second.get(link)
    assert answer.status_code == 401
    assert "used already" in answer.text


def test_a_link_is_worthless_after_its_time():
    clock = Clock()
    sessions = Sessions(WebSettings(now=clock, link_s=60))
    link = sessions.issue_link(User("ada"))
    clock.now += timedelta(seconds=60)
    assert sessions.redeem(token_of(link)) is None


def test_a_session_ends_after_its_time():
    clock = Clock()
    sessions = Sessions(WebSettings(now=clock, session_s=60))
    session = sessions.redeem(token_of(sessions.issue_link(User("ada", ("team",)))))
    cookie = sessions.cookie_of(session)
    assert sessions.read(cookie).user == User("ada", ("team",))
    clock.now += timedelta(seconds=60)
    assert sessions.read(cookie) is None


def test_a_cookie_that_we_did_not_sign_is_nothing():
    mine, other = Sessions(WebSettings(session_key=b"a" * 32)), Sessions(WebSettings(session_key=b"b" * 32))
    cookie = other.cookie_of(other.open(User("root")))
    assert mine.read(cookie) is None
    payload, _, signature = mine.cookie_of(mine.open(User("ada"))).rpartition(".")
    assert mine.read(f"{payload[:-4]}AAAA.{signature}") is None
    for text in ("", ".", "a.b", "é.ü"):
        assert mine.read(text) is None


def test_a_form_token_is_no_session_and_the_other_way_round():
    sessions = Sessions(WebSettings())
    one, two = sessions.open(User("ada")), sessions.open(User("ada"))
    assert sessions.is_form_token(one, sessions.form_token(one))
    assert not sessions.is_form_token(two, sessions.form_token(one))


@on_site
async def test_whoever_is_not_signed_in_is_told_how(site):
    answer = await site.browser().get("/catalog")
    assert answer.status_code == 401
    assert "roadbed token" in answer.text
    part = await site.browser().get("/catalog", headers={"HX-Request": "true"})
    assert part.headers["hx-redirect"] == "/signin"


@on_site
async def test_a_token_of_the_command_line_signs_in(site):
    question = {"apiVersion": PORTALSESSIONS.api_version, "kind": PORTALSESSIONS.kind, "spec": {}}
    made = await site.client.impersonate(User("grace", ("team-shop",))).ask(PORTALSESSIONS, question)
    browser = site.browser()
    answer = await browser.post(
        "/signin", data={"token": made["status"]["token"]}, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 303
    page = (await browser.get("/settings")).text
    assert "grace" in page
    assert "team-shop" in page


@on_site
async def test_an_unknown_token_does_not_sign_in(site):
    browser = site.browser()
    answer = await browser.post("/signin", data={"token": "made-up"}, headers={"Origin": ORIGIN})
    assert answer.status_code == 401
    assert "does not know this token" in answer.text
    assert (await browser.post("/signin", data={"token": "made-up"})).status_code == 403


@on_site
async def test_signing_out_ends_the_session_even_for_a_copied_cookie(site):
    browser = await site.signed_in()
    cookie = dict(browser.cookies)
    csrf = await form_token(browser)
    assert (await browser.post("/signout", data={"csrf": csrf})).headers["location"] == "/signin"
    thief = site.browser()
    thief.cookies.update(cookie)
    assert (await thief.get("/settings")).status_code == 401


@on_site
async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site):
    answer = await site.browser().get(site.app.issue_signin_link(User("ada")))
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@on_site
async def test_a_write_without_the_form_token_is_refused(site):
    browser = await site.signed_in()
    assert (await browser.post("/settings/theme", data={"theme": "dark"})).status_code == 403
    wrong = await browser.post("/settings/theme", data={"theme": "dark", "csrf": "x"})
    assert wrong.status_code == 403
    csrf = await form_token(browser)
    right = await browser.post("/settings/theme", data={"theme": "dark", "csrf": csrf})
    assert right.status_code == 303
    assert 'data-theme="dark"' in (await browser.get("/settings")).text


@on_site
async def test_a_write_from_another_origin_is_refused_even_with_the_token(site):
    browser = await site.signed_in()
    csrf = await form_token(browser)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = await browser.post("/settings/theme", data={"theme": "dark", "csrf": csrf}, headers=headers)
        assert answer.status_code == 403


@on_site
async def test_another_host_is_refused(site):
    answer = await site.browser().get("/healthz", headers={"Host": "rebound.example"})
    assert answer.status_code == 421
    assert "127.0.0.1:7007" in answer.text


@on_site
async def test_a_form_that_is_too_large_is_refused(site):
    browser = await site.signed_in()
    answer = await browser.post("/settings/theme", content=b"x" * (MOST_BODY_BYTES + 1))
    assert answer.status_code == 413


@on_site
async def test_every_answer_carries_the_security_headers(site):
    for path in ("/healthz", "/signin", "/nowhere", "/static/portal.css"):
        headers = (await site.browser().get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@on_site
async def test_static_files_stay_in_their_folder(site):
    browser = site.browser()
    for name in ("..%2fportal.py", "%2e%2e/portal.py", ".built-from", "nothing.js"):
        assert (await browser.get(f"/static/{name}")).status_code == 404


@on_site
async def test_health_needs_no_session(site):
    assert (await site.browser().get("/healthz")).text == "ok"
    assert (await site.browser().get("/readyz")).text == "ok"


async def form_token(browser):
    page = (await browser.get("/settings")).text
    return page.partition('name="csrf" value="')[2].partition('"')[0]
