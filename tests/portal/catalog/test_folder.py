"""Reading folders: all of it, nothing outside of it, and every refusal with its place."""

import os

import pytest

from roadbed.portal.catalog.folder import FolderError, fingerprint, read_folder

COMPONENT = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec: {{type: service, lifecycle: production, owner: team-a}}
"""
API = """
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {{name: orders}}
spec: {{type: openapi, lifecycle: production, owner: team-a, definition: {definition}}}
"""
LOCATION = """
apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {{name: all}}
spec: {spec}
"""


def names(reading):
    return sorted(found.entity["metadata"]["name"] for found in reading.found)


def test_every_document_of_every_file_below_is_read(folder):
    folder.write("a.yaml", COMPONENT.format(name="one") + "---" + COMPONENT.format(name="two"))
    folder.write("deep/er/b.yml", COMPONENT.format(name="three"))
    folder.write("notes.txt", "not yaml")
    folder.write(".git/c.yaml", COMPONENT.format(name="hidden"))
    reading = read_folder(folder.path)
    assert names(reading) == ["one", "three", "two"]
    assert reading.problems == []
    assert reading.files == 2


def test_other_yaml_beside_entities_is_left_alone(folder):
    folder.write("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}")
    folder.write("openapi.yaml", "openapi: 3.0.0\npaths: {}")
    folder.write("empty.yaml", "---\n---\n")
    reading = read_folder(folder.path)
    assert (reading.found, reading.problems) == ([], [])


def test_a_broken_document_is_named_and_its_neighbours_are_kept(folder):
    folder.write("a.yaml", COMPONENT.format(name="good") + "---" + COMPONENT.format(name="-bad-"))
    reading = read_folder(folder.path)
    assert names(reading) == ["good"]
    [problem] = reading.problems
    assert (problem.file, problem.document, problem.field) == ("a.yaml", 2, "metadata.name")
    assert str(problem).startswith("a.yaml, document 2: metadata.name: ")


def test_a_file_that_is_no_yaml_is_named_with_its_line(folder):
    folder.write("a.yaml", "a: [\nb: }")
    [problem] = read_folder(folder.path).problems
    assert problem.file == "a.yaml"
    assert "line 2" in problem.message


def test_placeholders_bring_in_files_of_the_folder(folder):
    folder.write("text/api.txt", "openapi: 3.0.0")
    folder.write("a.yaml", API.format(definition="{$text: ./text/api.txt}"))
    [found] = read_folder(folder.path).found
    assert found.entity["spec"]["definition"] == "openapi: 3.0.0"


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("{$text: ../outside.txt}", "leads out of"),
        ("{$text: /etc/hostname}", "leads out of"),
        ("{$text: ./none.txt}", "no such file"),
        ("{$text: 'https://example.org/x'}", "is a URL"),
        ("{$text: 5}", "must be a text"),
        ("{$json: ./broken.json}", "cannot read"),
        ("{$text: ./link.txt}", "leads out of"),
    ],
)
def test_placeholders_stay_in_the_folder(folder, definition, said):
    (folder.root.parent / "outside.txt").write_text("secret")
    (folder.root / "link.txt").symlink_to(folder.root.parent / "outside.txt")
    folder.write("broken.json", "{")
    folder.write("a.yaml", API.format(definition=definition))
    reading = read_folder(folder.path)
    assert reading.found == []
    assert reading.problems[0].field == "spec.definition"
    assert said in reading.problems[0].message


def test_links_out_of_the_folder_are_not_followed(folder):
    outside = folder.root.parent / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text(COMPONENT.format(name="secret"))
    (folder.root / "link").symlink_to(outside)
    (folder.root / "b.yaml").symlink_to(outside / "a.yaml")
    assert read_folder(folder.path).found == []


def test_a_pipe_does_not_stop_the_reader(folder):
    os.mkfifo(folder.root / "pipe.yaml")
    assert read_folder(folder.path).found == []
    assert fingerprint(folder.path)


def test_locations_lead_to_files_of_the_folder_once(folder):
    folder.write("x/one.yaml", COMPONENT.format(name="one"))
    folder.write("all.yaml", LOCATION.format(spec="{targets: [./x/one.yaml, ./x/*.yaml]}"))
    assert names(read_folder(folder.path)) == ["all", "one"]


def test_a_location_that_leads_nowhere_says_so_unless_it_may(folder):
    folder.write("all.yaml", LOCATION.format(spec="{target: ../../etc/passwd}"))
    [problem] = read_folder(folder.path).problems
    assert "leads out of" in problem.message
    folder.write("all.yaml", LOCATION.format(spec="{target: ./none.yaml, presence: optional}"))
    assert read_folder(folder.path).problems == []


def test_a_yaml_bomb_is_refused_quickly(folder):
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    bomb = "\n".join(lines)
    folder.write(
        "a.yaml", f"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: x}}\n{bomb}\n"
    )
    [problem] = read_folder(folder.path).problems
    assert "more than" in problem.message


def test_a_document_that_contains_itself_is_refused(folder):
    folder.write(
        "a.yaml", "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: &m {name: x, again: *m}\n"
    )
    [problem] = read_folder(folder.path).problems
    assert "contains itself" in problem.message


def test_a_key_given_twice_is_refused_with_its_line_and_what_stands_before_it_is_kept(folder):
    twice = COMPONENT.format(name="second").replace("spec:", "kind: API\nspec:")
    folder.write("a.yaml", COMPONENT.format(name="first") + "---" + twice)
    reading = read_folder(folder.path)
    assert names(reading) == ["first"]
    [problem] = reading.problems
    assert "kind" in problem.message
    assert "line" in problem.message


def test_a_large_file_is_refused_by_name(folder):
    folder.write("big.yaml", "#" * (3 * 1024 * 1024 + 1))
    [problem] = read_folder(folder.path).problems
    assert problem.file == "big.yaml"


@pytest.mark.parametrize("path", ["relative", "/no/such/folder"])
def test_a_folder_that_cannot_be_read_says_what_to_mend(path):
    with pytest.raises(FolderError, match=r"spec\.folder\.path"):
        read_folder(path)


def test_the_fingerprint_moves_with_content_names_and_placeholders(folder):
    path = folder.write("a.yaml", "a: 1")
    first = fingerprint(folder.path)
    assert fingerprint(folder.path) == first
    os.utime(path, ns=(1, 1))
    second = fingerprint(folder.path)
    folder.write("api.txt", "x")
    assert len({first, second, fingerprint(folder.path)}) == 3
