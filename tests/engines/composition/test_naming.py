"""Names and field managers are those that Crossplane makes (every expected value computed by its rule)."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apimachinery.gvk import GVK
from roadbed.engines.composition.naming import composed_manager, composed_name


def test_a_composed_name_is_prefix_and_hash():
    digest = hashlib.sha256(b"uid-1bucket").hexdigest()[:12]
    assert composed_name("orders", "uid-1", "bucket") == f"orders-{digest}"
    assert composed_name("orders-", "uid-1", "bucket") == f"orders-{digest}"


def test_a_long_prefix_is_cut_before_the_hash():
    name = composed_name("x" * 80, "uid-1", "bucket")
    assert len(name) == 63
    assert name[:51] == "x" * 50 + "-"


@settings(max_examples=50)
@given(st.text("abc-", max_size=90), st.text(max_size=10), st.text(max_size=10))
def test_a_composed_name_is_always_short_and_always_the_same(prefix, uid, resource):
    name = composed_name(prefix, uid, resource)
    assert len(name) <= 63
    assert name == composed_name(prefix, uid, resource)


def test_the_manager_depends_on_name_and_kind_but_not_on_the_version():
    one = composed_manager("orders", GVK("example.org", "v1", "App"))
    assert one == composed_manager("orders", GVK("example.org", "v2", "App"))
    assert (
        one == "apiextensions.crossplane.io/composed/" + hashlib.sha256(b"ordersApp.example.org").hexdigest()
    )
    assert one != composed_manager("other", GVK("example.org", "v1", "App"))
