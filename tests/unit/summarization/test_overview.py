"""An overview is shown as it is written, with its key moments."""

import json
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

from streametrics.llm.base import ChatResponse, Message
from streametrics.llm.fake import FakeChatModel
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.chunking import Line, Timeline
from streametrics.summarization.overview import OverviewWriter
from streametrics.summarization.progress import SummaryProgress
from streametrics.summarization.prompting import PromptRunner

OVERVIEW = "Ada beats the dragon on the third try and thanks the chat. Then she sells the sword at the market."
LINES = [Line(f"We open chest {index}.", index * 30.0, index * 30.0 + 30) for index in range(40)]
#: Of the answer, in letters: about a second of a slow model.
STEP = 4


class Streaming(FakeChatModel):
    """Tells its answer a few letters at a time, as a server does."""

    def chat(self, messages: Sequence[Message], **asked: Any) -> ChatResponse:
        told, answer = asked.pop("on_answer"), super().chat(messages, **asked).text
        for end in range(0, len(answer) + STEP, STEP):
            told(answer[:end], min(end / len(answer), 1.0))
        return ChatResponse(answer, False, None)


def test_a_summary_goes_on_growing_while_key_moments_are_written() -> None:
    # Given a model that writes eight moments, one of which the overview tells
    moments = [{"time": f"0:{minute:02}:00", "what": f"Chest {minute} is opened."} for minute in range(2, 9)]
    moments.insert(3, {"time": "0:04:30", "what": "Then she sells the sword at the market."})
    model = Streaming(lambda *_: json.dumps({"overview": OVERVIEW, "moments": moments}))
    told: list[tuple[str, float]] = []

    # When it is asked for an overview
    writer = OverviewWriter(PromptRunner(model), SummaryRequest("…", "en"), Timeline.of(LINES), is_notes=False)
    found, defect = writer.write(LINES, SummaryProgress(lambda text, share: told.append((text, share))))

    # Expect a longer text with every moment that is one; where there is none to show, the share grows all the same
    assert defect is None
    assert all(after.startswith(before) for (before, _), (after, _) in pairwise(told))
    assert all(before < after for (_, before), (_, after) in pairwise(told))
    texts = [text for text, _ in groupby(told, key=lambda each: each[0])]
    assert [text.count("Chest") for text in texts if "Chest" in text] == list(range(1, 8))
    assert texts[-1] == found.rendered()
    assert "0:04:30" not in found.rendered()


def test_moments_of_prose_and_of_repaired_json_are_sorted_out_too() -> None:
    moments = [{"time": "0:02:00", "what": OVERVIEW}, {"time": "0:03:00", "what": "The market closes."}]
    answers = iter(["{overview, moments", json.dumps({"overview": OVERVIEW, "moments": moments})])
    model = FakeChatModel(lambda *_: next(answers))
    writer = OverviewWriter(PromptRunner(model), SummaryRequest("…", "en"), Timeline.of(LINES), is_notes=False)
    found, _ = writer.write(LINES, SummaryProgress(None))
    assert found.rendered() == f"{OVERVIEW}\n\n0:03:00 The market closes."
