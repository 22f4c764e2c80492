"""A signed link opens one thing, until it ends, also after the secret was changed."""

from app.core.links import SignedLinks

OLD, NEW = b"o" * 32, b"n" * 32
ENDS = 1_700_000_000


def test_a_link_is_of_one_thing_and_one_moment() -> None:
    links = SignedLinks([NEW])
    signature = links.sign("a", ENDS)

    assert links.allows("a", ENDS, signature, ENDS - 1)
    assert not links.allows("a", ENDS, signature, ENDS)
    assert not links.allows("b", ENDS, signature, ENDS - 1)
    assert not links.allows("a", ENDS + 1, signature, ENDS - 1)
    assert not any(links.allows("a", ENDS, wrong, ENDS - 1) for wrong in ("", "签", "0" * 64))


def test_a_link_outlives_the_change_of_the_secret() -> None:
    signature = SignedLinks([OLD]).sign("a", ENDS)
    assert SignedLinks([NEW, OLD]).allows("a", ENDS, signature, ENDS - 1)
    assert not SignedLinks([NEW]).allows("a", ENDS, signature, ENDS - 1)


def test_a_new_link_is_signed_with_the_new_secret() -> None:
    signature = SignedLinks([NEW, OLD]).sign("a", ENDS)
    assert SignedLinks([NEW]).allows("a", ENDS, signature, ENDS - 1)
