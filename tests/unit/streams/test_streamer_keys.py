"""A streamer's key: one for every way to write the name, and one that an address can hold."""

from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.streams.streamer_keys import key_in_path, streamer_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Zoé_TV", "zoé_tv"),
        ("Zoe\u0301_TV", "zoé_tv"),
        ("  ＡＤＡ ", "ada"),
        ("Straße", "strasse"),
        ("a/b?c#d~e", "a~2Fb~3Fc~23d~7Ee"),
        ("..", "~2E~2E"),
        ("東京", "東京"),
        ("two words", "two~20words"),
    ],
)
def test_a_name_has_one_key(name: str, key: str) -> None:
    assert streamer_key(name) == key


@given(st.text(min_size=1, max_size=200))
def test_a_key_in_an_address_is_the_names(name: str) -> None:
    key = streamer_key(name)
    # Expect the key, taken for a name or out of an address, to be itself
    assert key_in_path(key) == key
    if key:
        path = urlsplit(f"http://x/v1/streamers/{quote(key, errors='replace')}/stream").path
        assert unquote(path).split("/")[3] == unquote(quote(key, errors="replace"))
        assert key not in (".", "..")


def test_a_name_that_folds_to_a_long_one_has_a_key_that_an_index_takes() -> None:
    # Given the letter that is 18 in NFKC
    one, other = "\ufdfa" * 200, "\ufdfa" * 199 + "x"
    assert len(streamer_key(one).encode()) < 2_500
    assert streamer_key(one) != streamer_key(other)
    assert key_in_path(streamer_key(one)) == streamer_key(one)


@given(st.text(alphabet="aB/é?#~.%2 F", min_size=1, max_size=12))
def test_no_two_names_share_a_key_that_are_not_the_same_folded(name: str) -> None:
    assert key_in_path(streamer_key(name)) == streamer_key(name)
    assert not set("/?#%") & set(streamer_key(name))
