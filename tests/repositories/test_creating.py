"""Repositories made of a folder, read back by git's own program where it is there and by dulwich always."""

import pytest
from dulwich.repo import Repo

from roadbed.repositories import create_repository


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "platform"
    (folder / "apis").mkdir(parents=True)
    (folder / "README.md").write_text("hello\n")
    (folder / "apis" / "a.yaml").write_text("a: 1\n")
    return folder


def test_one_commit_holds_every_file_on_main(folder):
    commit = create_repository(folder, "Begin")
    with Repo(str(folder)) as repo:
        assert repo.head().decode() == commit
        assert repo.refs.read_ref(b"HEAD") == b"ref: refs/heads/main"
        found = repo[repo.head()]
        assert found.message == b"Begin"
        assert found.parents == []
        tree = repo[found.tree]
        assert [entry.path for entry in tree.items()] == [b"README.md", b"apis"]


def test_the_author_is_who_gits_configuration_names(folder, tmp_path):
    create_repository(folder, "Begin")
    with Repo(str(folder)) as repo:
        assert repo[repo.head()].author == b"Roadbed <roadbed@localhost>"
    (tmp_path / ".gitconfig").write_text(
        "[user]\n\tname = Ann\n\temail = ann@example.org\n[commit]\n\tgpgsign = true\n"
    )
    other = tmp_path / "other"
    other.mkdir()
    (other / "x").write_text("x")
    create_repository(other, "Begin")
    with Repo(str(other)) as repo:
        assert repo[repo.head()].author == b"Ann <ann@example.org>"


def test_a_repository_is_not_made_twice(folder):
    create_repository(folder, "Begin")
    with pytest.raises(FileExistsError, match="a git repository already"):
        create_repository(folder, "Again")
