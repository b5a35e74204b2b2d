"""Files that can't be applied: the file, the line, what is wrong, what to do; and nothing is sent."""

import pytest

from roadbed.apis.core import CONFIGMAPS
from roadbed.interfaces.cli.failures import MOST_CHARACTERS, legible

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)
UNREADABLE = {
    "a YAML bomb": (BOMB, "line 5: aliases stand for more than 100000 values"),
    "a key twice": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n",
        'line 5: key "name" already',
    ),
    "too deep": ("a: " + "{b: " * 5000 + "1" + "}" * 5000, "line 1: nested deeper than 200 levels"),
    "a document that is no YAML": (f"{GOOD}---\nmetadata: {{name: two\ndata: {{}}\n", "line 6: "),
    "no apiVersion": (
        f"{GOOD}---\nkind: ConfigMap\nmetadata: {{name: x}}\n",
        ":5: the document has no apiVersion",
    ),
    "no name": (
        f"{GOOD}---\n\napiVersion: v1\nkind: ConfigMap\n",
        ":6: the document, a ConfigMap, has no metadata.name",
    ),
    "an item of a list": (
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {kind: X}\n",
        ":1: items[1] of the list has no apiVersion",
    ),
    "a text": ("only words\n", ":1: the document is no Kubernetes object"),
}


@pytest.mark.parametrize("case", sorted(UNREADABLE))
async def test_what_can_not_be_read_is_named_with_its_line_and_nothing_is_sent(shop, case):
    text, why = UNREADABLE[case]
    good, bad = shop.write("a.yaml", GOOD), shop.write("b.yaml", text)
    done = await shop.run("apply", "-f", good, "-f", bad, "-n", "shop", code=1)
    assert str(bad) in done.err
    assert why in done.err
    assert "hint: " in done.err
    assert await shop.client.find(CONFIGMAPS, "good", "shop") is None


async def test_bytes_that_are_no_text_are_named_with_their_line(shop):
    bad = shop.write("b.yaml", "")
    bad.write_bytes(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \xff}\n")
    done = await shop.run("apply", "-f", bad, code=1)
    assert f"{bad}: line 3: it is not UTF-8 text" in done.err


async def test_a_folder_without_manifests_and_an_empty_document_have_nothing_to_do(shop):
    shop.write("folder/notes.txt", "not for us")
    for path in (shop.folder / "folder", shop.write("empty.yaml", "---\n---\n# nothing\n")):
        done = await shop.run("apply", "-f", path, code=1)
        assert f"error: nothing to do, {path}: no object in it" in done.err


@pytest.mark.parametrize(
    ("version", "kind", "hint"),
    [
        ("v1", "Configmap", "did you mean ConfigMap in v1?"),
        (
            "platform.example.org/v2",
            "Database",
            "Database is served in platform.example.org/v1: correct apiVersion",
        ),
        ("example.org/v1", "Zzyzx", "apply the definition that serves it first"),
    ],
)
async def test_a_kind_that_is_not_served_comes_with_what_was_meant(shop, version, kind, hint):
    path = shop.write("x.yaml", f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n")
    done = await shop.run("apply", "-f", path, "-n", "shop", code=4)
    assert f"apply failed, {kind} x ({path}:1): no kind '{kind}' is served in '{version}'" in done.err
    assert hint in done.err


async def test_a_namespace_that_is_not_there_comes_with_how_to_make_it(shop):
    done = await shop.run("apply", "-f", shop.write("a.yaml", GOOD), "-n", "nowhere", code=4)
    assert 'namespaces "nowhere" not found' in done.err
    assert "hint: `kubectl create namespace nowhere` makes it" in done.err


async def test_an_object_that_is_too_large_is_refused_with_its_size(shop):
    path = shop.write("big.yaml", f'{GOOD}data: {{a: "{"x" * 2_000_000}"}}\n')
    done = await shop.run("apply", "-f", path, "-n", "shop", code=1)
    assert 'configmaps "good" is 2000' in done.err
    assert "split it" in done.err


async def test_what_is_quoted_can_not_move_the_cursor_or_fill_the_screen(shop):
    name = '"a\\e[2Jb\\0"'
    path = shop.write("a.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
    done = await shop.run("apply", "-f", path, "-n", "shop", code=1)
    assert "a\\x1b[2Jb\\x00" in done.err
    assert "\x1b" not in done.err
    assert "\0" not in done.err
    long = legible("x" * 100_000 + "the end")
    assert len(long) < MOST_CHARACTERS + 100
    assert long.endswith("the end")
