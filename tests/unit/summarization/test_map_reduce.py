"""A fact that is said once in ten hours reaches the summary, wherever it is said."""

import re

import pytest

from streametrics.domain.transcript import Segment
from streametrics.llm.fake import FakeChatModel
from streametrics.settings import Settings
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.llm_summarizer import LlmSummarizer

NEEDLES = {
    "start": "NEEDLE-START: the code of the chest is 4711.",
    "middle": "NEEDLE-MIDDLE: the winner of the draw is Mirela.",
    "end": "NEEDLE-END: the next stream begins on Friday.",
}
NEEDLE = re.compile(r"NEEDLE-[A-Z]+: [^.<\[]*\.")
WORDS = 100_000
CONTEXT_TOKENS = 8192


def transcript() -> SummaryRequest:
    """100,000 words in segments of twelve, with a fact near the start, in the middle and near the end."""
    count = WORDS // 12
    places = {5: "start", count // 2: "middle", count - 5: "end"}
    segments = []
    for index in range(count):
        text = " ".join(f"chatter{index % 97}" for _ in range(12)) + "."
        if index in places:
            text = f"{text} {NEEDLES[places[index]]}"
        segments.append(Segment(index * 4.8, index * 4.8 + 4.8, text))
    return SummaryRequest(" ".join(each.text for each in segments), "en", segments=tuple(segments))


def kept_by_the_plain_way(request: SummaryRequest) -> list[str]:
    """What is left of one prompt with nothing set: a server keeps its last tokens and drops the front, silently."""
    prompt = f"Summarise this stream in three sentences: {request.transcript}".split()
    left = " ".join(prompt[-CONTEXT_TOKENS:])
    return [place for place, needle in NEEDLES.items() if needle in left]


@pytest.mark.parametrize("context_tokens", [2048, CONTEXT_TOKENS])
def test_a_fact_reaches_the_last_prompt_wherever_it_is_said(
    context_tokens: int, capsys: pytest.CaptureFixture[str]
) -> None:
    request = transcript()
    # Given a model that writes down what is marked
    model = FakeChatModel(copies=NEEDLE, context_tokens=context_tokens)
    summary = LlmSummarizer(model, Settings(_env_file=None)).summarize(request)
    last = model.calls[-1].messages[-1]["content"]
    ours = [place for place, needle in NEEDLES.items() if needle in last]
    plain = kept_by_the_plain_way(request)
    with capsys.disabled():
        print(
            f"\n{WORDS} words, context of {context_tokens}: {len(model.calls)} prompts; facts in the last one:"
            f" {', '.join(ours)}; in the one prompt of the plain way: {', '.join(plain) or 'none'}"
        )
    # Expect all of them with us, and only the end the plain way
    assert ours == list(NEEDLES)
    assert plain == ["end"]
    assert all(needle in summary.text for needle in NEEDLES.values())
    # And a deep merge where the context is small
    merges = sum(call.messages[0]["content"].startswith("You shorten") for call in model.calls)
    assert (merges > 1) is (context_tokens == 2048)
