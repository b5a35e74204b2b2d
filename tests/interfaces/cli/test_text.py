"""Text that commands print: tables that fit, YAML that means the same when read, words for times."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.yamlload import load_value
from roadbed.interfaces.cli.documents import to_json, to_yaml
from roadbed.interfaces.cli.failures import Failure
from roadbed.interfaces.cli.kinds import Kinds
from roadbed.interfaces.cli.lineage import unreadiness
from roadbed.interfaces.cli.tables import Layout, Screen, lines
from roadbed.interfaces.cli.words import age, seconds

PIPE = Screen(None, has_color=False)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
    | st.from_regex(r"[-+.0-9yYnNoOxXeE_:]{1,8}", fullmatch=True)
    | st.sampled_from(
        ["y", "off", "~", "1e3", "0o17", "1_000", "0x1F", "a\nb", "a\n", "\n", "- a", "2001-01-01"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars.map(str), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), values, max_size=3))
def test_yaml_that_is_printed_reads_back_as_it_was(value):
    assert load_value(to_yaml(value)) == value
    assert load_value(to_json(value)) == value


def test_a_pipe_gets_whole_cells_and_no_colour():
    printed = lines(("Name", "Ready"), [("a" * 200, "True"), ("b", "False")], PIPE)
    assert printed[0].startswith("NAME ")
    assert printed[1] == f"{'a' * 200}   True"
    assert not any("\x1b" in line for line in printed)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60)), max_size=5))
def test_a_table_fits_the_terminal(rows):
    from rich.cells import cell_len

    rows = [tuple("".join(cell.split()) for cell in row) for row in rows]
    printed = lines(("one", "two", "three"), rows, Screen(50, has_color=False))
    assert all(cell_len(line) <= 50 for line in printed)


def test_what_is_cut_says_so():
    (_, row) = lines(
        ("NAME", "ID"), [("orders", "a-name-that-is-too-long-for-it")], Screen(30, has_color=False)
    )
    assert row.endswith("…")
    assert len(row) <= 30


def test_a_sentence_in_the_last_column_is_wrapped_and_not_cut():
    message = "cannot resolve references: the network is not there yet"
    (_, row) = lines(("NAME", "MESSAGE"), [("orders", message)], Screen(50, has_color=False))
    assert row.splitlines() == [
        "orders   cannot resolve references: the network is",
        "         not there yet",
    ]


def test_a_terminal_gets_colour_where_a_column_judges():
    layout = Layout(("NAME", "READY"), Screen(80, has_color=True))
    assert layout.row(("True", "True")) == "True   \x1b[32mTrue\x1b[0m"


@pytest.mark.parametrize(
    ("text", "wanted"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("0", 0)]
)
def test_durations_read_as_they_are_typed(text, wanted):
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "soon", "-1s", "5 m", "1d"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(Failure, match="duration"):
        seconds(text)


def test_an_age_that_cannot_be_read_is_unknown():
    assert age(None) == "<unknown>"
    assert age("2001-01-01T00:00:00Z").endswith("y")


def instances(group, version="v1", **members):
    return Resource(group, version, "instances", "Instance", singular="instance", verbs=("list",), **members)


def test_kinds_of_one_name_are_told_apart_by_group_and_version():
    legacy, modern = instances("rds.aws.upbound.io"), instances("rds.aws.m.upbound.io")
    old = instances("rds.aws.m.upbound.io", "v1beta1")
    kinds = Kinds([legacy, modern, old])
    assert kinds.find("instance") == [legacy]
    assert kinds.find("instances.rds.aws.m.upbound.io") == [modern]
    assert kinds.find("Instance.rds.aws.m") == [modern]
    assert kinds.find("instances.v1beta1.rds.aws.m.upbound.io") == [old]
    with pytest.raises(Failure, match="no resource type"):
        kinds.find("instances.nowhere.io")


def test_a_category_has_each_kind_once():
    newest, older = (
        instances("a.io", "v2", categories=("managed",)),
        instances("a.io", categories=("managed",)),
    )
    assert Kinds([newest, older]).find("managed") == [newest]


@pytest.mark.parametrize(
    ("obj", "wanted"),
    [
        ({}, "no controller has looked at it yet"),
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, ""),
        (
            {
                "metadata": {"generation": 2},
                "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]},
            },
            "its latest change has not been looked at yet",
        ),
        (
            {"metadata": {"deletionTimestamp": "x", "finalizers": ["a/b"]}},
            "being deleted, held by a/b",
        ),
        (
            {
                "metadata": {"deletionTimestamp": "x"},
                "status": {"conditions": [{"type": "Synced", "status": "False", "message": "in use"}]},
            },
            "deletion is stuck: in use",
        ),
    ],
)
def test_why_an_object_is_not_ready_is_one_sentence(obj, wanted):
    assert unreadiness(obj, expected="Ready") == wanted
