"""What pages show, asked of a real API server."""

import pytest

from roadbed.apimachinery.request import User


@pytest.mark.parametrize(
    "path",
    ["/", "/catalog", "/create", "/resources", "/resources?category=managed", "/resources?category=all", "/platform", "/settings", "/settings/gallery", "/search?q=data", "/create/platform.example.org/v1alpha1/Database"],
)
async def test_every_page_answers_a_signed_in_person(site, path):
    browser = await site.signed_in()
    answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
