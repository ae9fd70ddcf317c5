"""A model's answer becomes the summary in it, whole and at each moment while it grows; see `answers` for the tables."""

import json

import pytest

from streametrics.llm import parsing
from streametrics.summarization import output_validation, prompts
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.chunking import Timeline
from streametrics.summarization.prompts import Defect
from tests.unit.summarization.answers import (
    CLOSINGS,
    ENDED,
    GOOD,
    JSON,
    LEAD_INS,
    SPEECH,
    THOUGHTS,
    TRUE,
    TWO,
    UNKNOWN_CLOSINGS,
    USELESS,
    WRAPPED,
)

MESSAGES = prompts.summary(SummaryRequest(SPEECH, "en", streamer="Ada", game="Chess"))
INSTRUCTION = prompts.instruction(prompts.again(MESSAGES, SummaryRequest(SPEECH, "en"), Defect.UNUSABLE))
GIVEN = prompts.given(MESSAGES)
AROUND = [*THOUGHTS, *LEAD_INS, *WRAPPED, *ENDED, *JSON]


def final(answer: str) -> str:
    """What becomes the summary."""
    visible = parsing.answer_of(answer).text
    return output_validation.without_our_words(output_validation.prose(visible, given=GIVEN), INSTRUCTION)


def shown(answer: str) -> list[str]:
    """What is shown after each letter of an answer."""
    grown = (parsing.answer_of(answer[:end], is_whole=False).text for end in range(len(answer) + 1))
    return [output_validation.so_far(text, INSTRUCTION, given=GIVEN) for text in grown]


def wrong(answer: str, expected: str) -> list[str]:
    return [text for text in shown(answer) if not expected.startswith(text)]


def filled(around: str, good: str) -> str:
    return around.format(good) if "{{" in around else around.replace("{}", good)


@pytest.mark.parametrize("around", AROUND)
def test_of_an_answer_only_the_summary_is_left_and_nothing_else_is_ever_shown(around: str) -> None:
    assert final(filled(around, GOOD)) == GOOD
    assert final(filled(around, TWO)) == TWO
    assert wrong(filled(around, TWO), TWO) == []


@pytest.mark.parametrize("closing", CLOSINGS)
def test_an_offer_at_the_end_is_no_part_of_it(closing: str) -> None:
    for between in ("\n\n", "\n", " "):
        assert final(f"{TWO}{between}{closing}") == TWO
    assert wrong(f"{TWO} {closing}", TWO) == []
    assert wrong(f"{GOOD}\n\n{closing}", GOOD) == []


@pytest.mark.parametrize("closing", UNKNOWN_CLOSINGS)
def test_a_question_of_its_own_that_shares_no_word_is_none_in_any_language(closing: str) -> None:
    assert final(f"{TWO}\n\n{closing}") == TWO
    assert wrong(f"{TWO}\n\n{closing}", TWO) == []


@pytest.mark.parametrize("answer", USELESS)
def test_what_is_no_summary_is_unusable_and_never_shown(answer: str) -> None:
    assert output_validation.defect(final(answer), INSTRUCTION, "en") is Defect.UNUSABLE
    assert [text for text in shown(answer) if text] == []


@pytest.mark.parametrize("summary", TRUE)
def test_a_true_summary_stays_as_it_is(summary: str) -> None:
    assert final(summary) == summary
    assert wrong(summary, summary) == []


def test_a_summary_grows_by_words_after_its_first_sentence() -> None:
    assert {"", GOOD, f"{GOOD} He wants fellow citizens", TWO} < set(shown(TWO))


def test_a_list_becomes_sentences() -> None:
    answer = "**Key points:**\n\n- Ada beats the dragon\n- She sells the sword.\n* Everybody cheers"
    assert final(answer) == "Ada beats the dragon. She sells the sword. Everybody cheers"
    assert final(json.dumps({"summary": ["Ada wins", "She leaves."]})) == "Ada wins. She leaves."
    assert final("- 艾达赢了\n- 她走了。") == "艾达赢了。她走了。"


def test_a_list_keeps_the_words_that_lead_to_it_where_they_say_something() -> None:
    answer = "Kennedy names what Americans can do for their country:\n- Serve.\n- Ask."
    assert final(answer) == "Kennedy names what Americans can do for their country: Serve. Ask."


@pytest.mark.parametrize("around", [*LEAD_INS, *WRAPPED])
def test_the_overview_in_json_is_cleaned_too(around: str) -> None:
    whole = json.dumps({"overview": filled(around, GOOD), "moments": []}, ensure_ascii=False)
    found = output_validation.parse_overview(whole, Timeline((0.0,), 10.0))
    assert found is not None
    grown = [output_validation.overview_so_far(whole[:end], INSTRUCTION) for end in range(0, len(whole) + 1, 3)]
    assert found.text == GOOD
    assert [text for text in grown if not found.text.startswith(text)] == []


@pytest.mark.parametrize(
    "filler", ["<", "[", "{", "(", '"', "*", "_", "`", "<a>", "<|", "\\", "{'", "# ", "- ", ": ", "I ", "1. ", "</"]
)
def test_no_answer_takes_long_to_read(filler: str) -> None:
    answer = (filler * 20_000)[:40_000]
    final(answer)
    output_validation.so_far(parsing.answer_of(answer, is_whole=False).text, INSTRUCTION, given=GIVEN)
