"""Values at rest: sealed, bound to their place, and clear about what is wrong when they can't be opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apiserver.encryption import AesSealer, SealError
from roadbed.apiserver.keyfiles import KeyFileError

SEALER = AesSealer.open_folder(None)
KEY = "/core/secrets/shop/db"


@given(plain=st.binary(max_size=200), context=st.text(max_size=40))
def test_what_is_sealed_opens_again(plain: bytes, context: str) -> None:
    assert SEALER.open(SEALER.seal(plain, context=context), context=context) == plain


def test_sealed_values_show_nothing_and_never_repeat() -> None:
    first, second = (SEALER.seal(b'{"password":"s3cret"}', context=KEY) for _ in range(2))
    assert b"s3cret" not in first
    assert first != second


def test_a_value_that_was_never_sealed_comes_back_as_it_is() -> None:
    assert SEALER.open(b'{"kind":"Secret"}', context=KEY) == b'{"kind":"Secret"}'


def test_a_value_moved_to_another_key_does_not_open() -> None:
    sealed = SEALER.seal(b"x", context=KEY)
    with pytest.raises(SealError, match="cannot open /core/secrets/shop/other"):
        SEALER.open(sealed, context="/core/secrets/shop/other")


def test_a_changed_or_shortened_value_does_not_open() -> None:
    sealed = SEALER.seal(b"x", context=KEY)
    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:-20], sealed[:16]):
        with pytest.raises(SealError, match="changed on disk"):
            SEALER.open(damaged, context=KEY)


def test_keys_survive_a_restart_and_are_for_the_owner_only(tmp_path: Path) -> None:
    sealed = AesSealer.open_folder(tmp_path).seal(b"x", context=KEY)
    assert AesSealer.open_folder(tmp_path).open(sealed, context=KEY) == b"x"
    assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600


def test_a_lost_key_file_is_named_not_guessed_at(tmp_path: Path) -> None:
    sealed = AesSealer.open_folder(tmp_path).seal(b"x", context=KEY)
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(SealError, match=r"secrets\.key is of another data folder"):
        AesSealer.open_folder(tmp_path).open(sealed, context=KEY)


def test_a_rotated_key_seals_and_the_older_still_opens(tmp_path: Path) -> None:
    before = AesSealer.open_folder(tmp_path)
    sealed = before.seal(b"x", context=KEY)
    with (tmp_path / "secrets.key").open("a") as file:
        file.write("k2 " + "ab" * 32 + "\n")
    after = AesSealer.open_folder(tmp_path)
    assert after.open(sealed, context=KEY) == b"x"
    with pytest.raises(SealError, match="'k2'"):
        before.open(after.seal(b"x", context=KEY), context=KEY)


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "holds no key"), ("k1 zz\n", "line 1 is not a key"), ("k1 " + "ab" * 32 + "\nk2\n", "line 2")],
)
def test_a_damaged_key_file_is_refused_by_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "secrets.key").touch(mode=0o600)
    (tmp_path / "secrets.key").write_text(content)
    with pytest.raises(KeyFileError, match=said):
        AesSealer.open_folder(tmp_path)


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    AesSealer.open_folder(tmp_path)
    (tmp_path / "secrets.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        AesSealer.open_folder(tmp_path)
