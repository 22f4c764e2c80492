"""One secret, one key a purpose; personal identifiers at rest."""

import hmac

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from app.core.keys import FieldCipher, derive, key_id

OLD, NEW = b"o" * 32, b"n" * 32
cipher = FieldCipher([NEW])
texts = st.text(max_size=64)


@given(texts)
def test_what_is_sealed_opens_again(text: str) -> None:
    assert cipher.open(cipher.seal(text)) == text


def test_what_was_stored_before_stays_readable() -> None:
    """The purposes of keys are part of the stored data: another name would lose every openid."""
    stored = FieldCipher([b"s" * 32])
    sealed = bytes.fromhex(
        "237377b60f56e790ea2e7b8a2a92eb99781bec91f70fb7527a7d9694c7a8d80d63f1699d7d58a8f8"
    )
    assert stored.open(sealed) == "openid-1"
    index = "4753644a91b968fd69044148b9e3cbb3a731cdb0adb5781c29437bd2e5c49de9"
    assert stored.indexes("openid-1")[0].hex() == index


@given(texts)
def test_the_same_text_never_looks_the_same(text: str) -> None:
    assert cipher.seal(text) != cipher.seal(text)


def test_the_text_is_not_in_the_seal() -> None:
    sealed = cipher.seal("openid-of-alice")
    assert b"openid" not in sealed
    assert len(sealed) == 4 + 12 + len("openid-of-alice") + 16


def test_every_changed_byte_is_noticed() -> None:
    sealed = cipher.seal("openid-of-alice")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises((InvalidTag, KeyError)):
            cipher.open(bytes(changed))


def test_after_a_rotation_old_seals_open_and_new_ones_are_made() -> None:
    old = FieldCipher([OLD])
    both = FieldCipher([NEW, OLD])
    assert both.open(old.seal("x")) == "x"
    assert cipher.open(both.seal("x")) == "x"
    with pytest.raises(KeyError):
        cipher.open(old.seal("x"))


def test_the_index_finds_the_same_text_under_either_secret() -> None:
    old, both = FieldCipher([OLD]).indexes("alice"), FieldCipher([NEW, OLD]).indexes("alice")
    assert both == [*cipher.indexes("alice"), *old]
    assert len({*both}) == 2


@given(texts, texts)
def test_two_texts_never_share_an_index(one: str, other: str) -> None:
    assert (cipher.indexes(one) == cipher.indexes(other)) is (one == other)


def test_the_index_cannot_be_made_without_the_secret() -> None:
    assert cipher.indexes("alice") != FieldCipher([OLD]).indexes("alice")


def test_every_purpose_has_a_key_of_its_own() -> None:
    purposes = ("cipher", "blind-index", "access-token", "rotating-code")
    keys = {derive(NEW, purpose) for purpose in purposes}
    assert len(keys) == len(purposes)
    assert all(len(key) == 32 for key in keys)
    assert NEW not in keys


def test_a_key_is_hkdf_by_the_book() -> None:
    """Written out (RFC 5869): another derivation would orphan everything ever sealed."""
    extracted = hmac.digest(b"\0" * 32, NEW, "sha256")
    assert derive(NEW, "cipher") == hmac.digest(extracted, b"qingxiang/cipher\x01", "sha256")


def test_a_key_id_says_nothing_of_the_key() -> None:
    key = derive(NEW, "cipher")
    assert len(key_id(key)) == 4
    assert key_id(key) not in key
    assert key_id(key) != key_id(derive(OLD, "cipher"))
