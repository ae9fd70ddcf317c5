"""Text of a model server neither moves a terminal's cursor nor breaks JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.llm import parsing, untrusted_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPdevice\x1b\\text", "text"),
        ("\x1bc\x1b(Btext", "text"),
        ("cut \x1b[3", "cut "),
        ("cut \x1b", "cut "),
        ("bell\x07 back\x08space", "bell  back space"),
        ("left\u202eright", "left right"),
        ("\ud83d\udc09 and \ud800 alone \udc00", "🐉 and  alone "),
        ("two\nlines\tand é 🐉 \u200d", "two\nlines\tand é 🐉 \u200d"),
    ],
)
def test_what_is_no_text_is_removed(text: str, expected: str) -> None:
    assert untrusted_text.harmless(text) == expected


@given(st.text(st.characters(), max_size=60))
def test_what_is_left_can_be_sent_and_printed(text: str) -> None:
    line = untrusted_text.one_line(text)
    line.encode()
    assert all(letter.isprintable() or letter.isspace() or ord(letter) > 0x9F for letter in line)


def test_a_key_is_not_shown_however_a_server_repeats_it() -> None:
    assert parsing.one_line("Bad key sk-\x1b[0msecret.", "sk-secret") == "Bad key ….", "an escape in it"
    assert "sk-" not in parsing.one_line("x" * 195 + " sk-secret", "sk-secret"), "cut in the middle"


@pytest.mark.parametrize("reason", [None, 5, ["x"], {"a": "\ud800"}, "x" * 1000])
def test_every_reason_is_one_short_line(reason: object) -> None:
    line = parsing.one_line(reason)
    assert len(line) <= 200
    line.encode()
