"""What a model thinks, and the marks of its template, are told from its answer; the kinds stand in `answers`."""

import pytest

from streametrics.llm.thoughts import VisibleAnswer, visible


@pytest.mark.parametrize(
    "text",
    [
        "The streamer explains the <think> tag of new models.",
        "She explains the <think> and </think> tags.",
        "He says that `<think>` is a tag, and '</think>' ends it.",
        "Ada explains the <output> tag.",
        "She writes <summary>Hi</summary> in HTML and explains the details tag.",
        "At [0:12:34] Ada wins. [laughs] She [thinking] goes on.",
        "5 < 6 and a > b, R&D is hard.",
        "Analysis of the match: Ada wins.",
        "Final score: 2-1.",
    ],
)
def test_a_text_about_tags_stays_as_it_is(text: str) -> None:
    assert visible(text) == VisibleAnswer(text)


@pytest.mark.parametrize(
    "text", ["", " \n", "<think>x", "[THINK]x", "<|channel|>analysis<|message|>x", "x</think>", "\u200b"]
)
def test_without_an_answer_nothing_is_visible(text: str) -> None:
    assert visible(text).text == ""


def test_thoughts_that_no_mark_began_are_told_of() -> None:
    assert visible("Who speaks?\n</think>\nAda wins.") == VisibleAnswer("Ada wins.", began_in_thought=True)
    assert visible("<think>Who speaks?</think>Ada wins.") == VisibleAnswer("Ada wins.")
    assert visible("<think></think></think>Ada wins.") == VisibleAnswer("Ada wins.")


def test_an_answer_that_is_followed_by_thoughts_stays() -> None:
    assert visible("Ada wins.\n<think>Is that so?").text == "Ada wins."
    assert visible("Ada wins. <think>Is that so?</think> She leaves.").text == "Ada wins.  She leaves."
