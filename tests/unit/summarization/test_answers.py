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


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("good", [GOOD, TWO], ids=["one", "two"])
def test_of_an_answer_only_the_summary_is_left_and_nothing_else_is_ever_shown(around: str, good: str) -> None:
    answer = around.replace("{}", good) if "{{" not in around else around.format(good)
    assert final(answer) == good
    assert wrong(answer, good) == []


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("between", ["\n\n", "\n", " "], ids=["paragraph", "line", "sentence"])
def test_an_offer_at_the_end_is_no_part_of_it(closing: str, between: str) -> None:
    if between == " " and closing in CLOSINGS[-2:]:
        pytest.skip("in a language that is not known, only a paragraph of its own tells")
    if between == "\n" and closing in CLOSINGS[-2:]:
        between = "\n\n"
    answer = f"{TWO}{between}{closing}"
    assert final(answer) == TWO
    assert wrong(answer, TWO) == []


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
    answer = around.replace("{}", GOOD) if "{{" not in around else around.format(GOOD)
    whole = json.dumps({"overview": answer, "moments": []}, ensure_ascii=False)
    found = output_validation.parse_overview(whole, Timeline((0.0,), 10.0))
    assert found is not None
    grown = [output_validation.overview_so_far(whole[:end], INSTRUCTION) for end in range(len(whole) + 1)]
    assert found.text == (GOOD if "Streamer" not in around else f"Streamer: Ada Game: Chess {GOOD}")
    assert [text for text in grown if not found.text.startswith(text)] == []


@pytest.mark.parametrize("filler", ["<", "[", "{", "(", '"', "*", "_", "`", "<a>", "<|", "\\", "{'", "# ", "- ", ": ", "I ", "1. ", "</"])
def test_no_answer_takes_long_to_read(filler: str) -> None:
    answer = (filler * 20_000)[:40_000]
    final(answer)
    output_validation.so_far(parsing.answer_of(answer, is_whole=False).text, INSTRUCTION, given=GIVEN)
