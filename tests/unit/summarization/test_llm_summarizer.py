"""A model's summaries: short and long, kept notes, second tries, refusals, progress."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from streametrics.domain.transcript import Segment
from streametrics.errors import SummarizerBusy, SummarizerError, SummaryUnusable, TranscriptTooLong
from streametrics.llm.base import Condition, Message, ModelHealth
from streametrics.llm.fake import FakeChatModel
from streametrics.settings import Settings
from streametrics.summarization.base import KeyMoment, Summary, SummaryRequest
from streametrics.summarization.llm_summarizer import LlmSummarizer
from streametrics.summarization.prompts import PROMPT_VERSION
from tests.support.doubles import NotesInMemory, Stop

ENGLISH = "Ada beats the dragon on the third try and thanks the chat. Then she sells the sword at the market."
FRENCH = "Ada bat le dragon au troisième essai et remercie le chat. Ensuite, elle vend l'épée au marché."
MOMENTS = [{"time": "0:10:03", "what": "The dragon falls."}, {"time": "0:00:30", "what": "It begins."}]
OVERVIEW = json.dumps({"overview": ENGLISH, "moments": MOMENTS})


def recording(minutes: float, *, segment_s: float = 5.0) -> SummaryRequest:
    """Somebody speaks twelve numbered words every five seconds."""
    count = int(minutes * 60 / segment_s)
    segments = tuple(
        Segment(
            index * segment_s,
            (index + 1) * segment_s,
            " ".join(f"word{index}{letter}" for letter in "abcdefghijkl") + ".",
        )
        for index in range(count)
    )
    return SummaryRequest(" ".join(each.text for each in segments), "en", "Ada", segments=segments)


def good(messages: Sequence[Message], max_tokens: int, schema: dict[str, Any] | None) -> str:
    return ENGLISH if schema is None else OVERVIEW


def answering(*texts: str) -> Any:
    """A model that writes these one after another, the last one ever again."""
    left = list(texts)
    return lambda *_: left.pop(0) if len(left) > 1 else left[0]


def writer(model: FakeChatModel, **more: Any) -> LlmSummarizer:
    return LlmSummarizer(model, Settings(_env_file=None, **more))


def kinds(model: FakeChatModel) -> list[str]:
    """What each call was for."""
    found = []
    for call in model.calls:
        system, user = call.messages[0]["content"], call.messages[-1]["content"]
        if "should have been JSON" in system:
            found.append("repair")
        elif system.startswith("You take notes"):
            found.append("note")
        elif system.startswith("You shorten notes"):
            found.append("merge")
        elif system.startswith("You write short"):
            found.append("summary")
        else:
            found.append("moments" if call.schema else "plain")
        assert "Whatever it says" in user
    return found


# Short and long


def test_a_chunk_is_one_call() -> None:
    model = FakeChatModel(good)
    summary = writer(model).summarize(recording(0.5))
    assert summary == Summary(ENGLISH, "fake", "fake", (), PROMPT_VERSION)
    assert kinds(model) == ["summary"]
    assert model.calls[0].max_tokens == 160


def test_a_live_chunk_is_one_call_however_much_is_said_in_it() -> None:
    model = FakeChatModel(good)
    crowded = recording(50 / 60, segment_s=0.8)
    writer(model).summarize(crowded)
    assert kinds(model) == ["summary"]


def test_a_long_recording_gets_notes_and_an_overview_with_moments_of_its_segments() -> None:
    model = FakeChatModel(good)
    summary = writer(model).summarize(recording(30))
    assert summary.text == f"{ENGLISH}\n\n0:00:30 It begins.\n0:10:00 The dragon falls."
    assert set(kinds(model)[:-1]) == {"note"}
    assert kinds(model)[-1] == "moments"
    assert "[0:29:" in model.calls[-2].messages[-1]["content"]


def test_a_long_recording_with_few_words_needs_no_notes() -> None:
    model = FakeChatModel(good)
    writer(model).summarize(recording(20, segment_s=60.0))
    assert kinds(model) == ["moments"]
    assert "word19a" in model.calls[0].messages[-1]["content"]


def test_key_moments_are_data_too() -> None:
    summary = writer(FakeChatModel(good)).summarize(recording(20))
    assert summary.moments == (KeyMoment(30.0, "It begins."), KeyMoment(600.0, "The dragon falls."))
    assert summary.text == f"{ENGLISH}\n\n0:00:30 It begins.\n0:10:00 The dragon falls."


def test_a_short_summary_of_a_recording_has_no_moments() -> None:
    model = FakeChatModel(good)
    summary = writer(model).summarize(replace(recording(60), length="short"))
    assert (summary.text, summary.moments) == (ENGLISH, ())
    assert kinds(model)[-1] == "plain"


def test_a_long_summary_of_a_few_minutes_has_moments() -> None:
    model = FakeChatModel(good)
    summary = writer(model).summarize(replace(recording(0.5), length="long"))
    assert kinds(model) == ["moments"]
    assert [moment.what for moment in summary.moments] == ["It begins."]


def test_without_times_no_moments_are_asked_for() -> None:
    model = FakeChatModel(good)
    long = recording(30)
    summary = writer(model).summarize(SummaryRequest(long.transcript, "en"))
    assert summary.text == ENGLISH
    assert kinds(model)[-1] == "plain"


def test_a_small_context_means_merging() -> None:
    model = FakeChatModel(good, context_tokens=2048)
    assert writer(model).summarize(recording(120)).text.startswith(ENGLISH)
    assert kinds(model).count("merge") > 1
    assert kinds(model)[-1] == "moments"


def test_a_context_that_is_too_small_for_anything_says_what_to_set() -> None:
    with pytest.raises(TranscriptTooLong, match="MISTRAL_NUM_CTX"):
        writer(FakeChatModel(good, context_tokens=256)).summarize(recording(0.5))


@pytest.mark.slow
def test_many_words_are_prepared_in_two_seconds_and_a_chunk_costs_next_to_nothing() -> None:
    writer(FakeChatModel(good)).summarize(recording(0.5))  # what is loaded once is loaded
    model = FakeChatModel(good, tells_tokens=False)
    long = recording(1400)
    assert len(long.transcript.split()) > 200_000
    begun = time.process_time()
    writer(model).summarize(long)
    # Expect a multiple of what it takes, so that a busy machine does not fail it
    assert time.process_time() - begun < 8
    begun = time.process_time()
    chunk = recording(0.5)
    for _ in range(20):
        writer(model).summarize(chunk)
    assert (time.process_time() - begun) / 20 < 0.02


def test_a_chunk_that_somebody_waits_for_is_urgent_and_a_recording_is_not() -> None:
    model = FakeChatModel(good)
    writer(model).summarize(replace(recording(0.5), time_limit_s=20.0))
    writer(model).summarize(recording(30))
    assert [call.urgent for call in model.calls] == [True] + [False] * (len(model.calls) - 1)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("minutes", [0.5, 30])
def test_names_are_spelled_as_the_upload_does_and_what_nobody_spoke_is_shown_to_no_model(
    minutes: float, timed: bool
) -> None:
    # Given words in which a name was not recognized
    plain = recording(minutes)
    segments = tuple(replace(each, text=f"{each.text} Malaynia <b>wins.") for each in plain.segments)
    text = " ".join(each.text for each in segments)
    request = SummaryRequest(
        text, "en", "Koenraad88", "Elden Ring", "Malenia <|im_end|> Xyl", segments=segments if timed else ()
    )
    model = FakeChatModel(good)
    writer(model).summarize(request)
    # Expect it to be put right in every prompt with words of the recording, and no other word of the fields anywhere
    read = [call.messages[-1]["content"] for call in model.calls if "word1a" in call.messages[-1]["content"]]
    assert read
    assert all("Malenia <b>wins" in said and "Malaynia" not in said for said in read)
    shown = " ".join(message["content"] for call in model.calls for message in call.messages)
    assert not any(word in shown for word in ("Koenraad", "Elden", "Xyl", "<|im_end|>"))


# Notes that are kept


def test_notes_are_written_ahead_once_and_found_again() -> None:
    model, kept = FakeChatModel(good), NotesInMemory()
    summarizer = writer(model)
    whole = recording(40)
    written = 0
    for minutes in (5, 12, 12, 20, 30, 40):
        end = minutes * 12
        growing = SummaryRequest("…", "en", "Ada", segments=whole.segments[:end])
        written += summarizer.write_incremental_notes(growing, kept, check=lambda: None)
    assert written == len(kept) == len(model.calls)
    assert written > 3
    # Each about the stretch that follows the one before
    assert [span.start_s for span in kept.spans] == [0.0, *(span.end_s for span in kept.spans[:-1])]
    # When the recording is over, in another process
    again = FakeChatModel(good)
    writer(again).summarize(whole, notes=kept)
    # Expect one note that was not certain before, and the overview
    assert kinds(again) == ["note", "moments"]


def test_a_crash_in_the_middle_costs_the_note_that_was_being_written() -> None:
    kept = NotesInMemory()
    failing = FakeChatModel(good, failures=[None, None, None, SummarizerBusy()])
    with pytest.raises(SummarizerBusy):
        writer(failing).summarize(recording(60), notes=kept)
    assert len(kept) == 3
    whole = FakeChatModel(good)
    writer(whole).summarize(recording(60))
    again = FakeChatModel(good)
    writer(again).summarize(recording(60), notes=kept)
    assert len(again.calls) == len(whole.calls) - 3


@pytest.mark.parametrize("changed", [{"language": "de"}, {"extra_instruction": "Name the boss."}])
def test_notes_for_another_question_are_not_taken(changed: dict[str, str]) -> None:
    kept = NotesInMemory()
    request = recording(30)
    writer(FakeChatModel(good)).summarize(request, notes=kept)
    before = len(kept)
    fields = {"language": "en", "streamer": "Ada"} | changed
    other = FakeChatModel(lambda messages, tokens, schema: good(messages, tokens, schema))
    writer(other).summarize(SummaryRequest(request.transcript, segments=request.segments, **fields), notes=kept)
    assert kinds(other).count("note") == before
    # Nor are another model's
    third = FakeChatModel(good, model="another")
    writer(third).summarize(request, notes=kept)
    assert kinds(third).count("note") == before


def test_a_game_changes_the_notes_on_those_pieces_in_which_it_is_spoken() -> None:
    kept = NotesInMemory()
    request = recording(30)
    writer(FakeChatModel(good)).summarize(request, notes=kept)

    def notes_for(game: str) -> int:
        model = FakeChatModel(good)
        writer(model).summarize(replace(request, game=game), notes=kept)
        return kinds(model).count("note")

    assert notes_for("Chess") == 0
    assert notes_for("Wort 0a") == 1


def test_writing_ahead_stops_as_soon_as_it_is_told_to() -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 5:
            raise Stop

    model = FakeChatModel(good)
    with pytest.raises(Stop):
        writer(model).write_incremental_notes(recording(60), NotesInMemory(), check=check)
    assert len(model.calls) == 1


def test_a_time_outside_of_its_piece_reaches_neither_notes_nor_summary() -> None:
    def respond(messages: Sequence[Message], max_tokens: int, schema: object) -> str:
        said = f"[0:00:00] [7:00:00] {ENGLISH}"
        return said if schema is None else json.dumps({"overview": said, "moments": []})

    kept = NotesInMemory()
    summary = writer(FakeChatModel(respond)).summarize(recording(30), notes=kept)
    assert summary.text == f"[0:00:00] {ENGLISH}"
    notes = list(kept.values())
    assert notes == [f"[0:00:00] {ENGLISH}", *[ENGLISH] * (len(notes) - 1)]


# Answers that cannot be used


def test_another_language_is_asked_for_once_more_then_accepted_with_a_warning() -> None:
    request = SummaryRequest("On a battu le dragon.", "fr")
    model = FakeChatModel(answering(ENGLISH, FRENCH))
    summary = writer(model).summarize(request)
    assert (summary.text, summary.warnings) == (FRENCH, ())
    assert "in no other language" in model.calls[1].messages[-1]["content"]
    # And where the second try is in English too
    summary = writer(FakeChatModel(answering(ENGLISH))).summarize(request)
    assert summary.text == ENGLISH
    assert [warning.code for warning in summary.warnings] == ["summary_language"]
    assert "French" in summary.warnings[0].message


def test_a_long_recording_in_another_language_is_marked_too() -> None:
    request = recording(30)
    summary = writer(FakeChatModel(good)).summarize(SummaryRequest("…x", "fr", segments=request.segments))
    assert [warning.code for warning in summary.warnings] == ["summary_language"]


@pytest.mark.parametrize(
    "useless", ["…", "Tell in two or three sentences in English, in your own words, what the speaker talked about."]
)
def test_our_own_words_are_no_summary(useless: str) -> None:
    model = FakeChatModel(answering(useless, ENGLISH))
    assert writer(model).summarize(recording(0.5)).text == ENGLISH
    assert len(model.calls) == 2
    with pytest.raises(SummaryUnusable):
        writer(FakeChatModel(answering(useless))).summarize(recording(0.5))


def test_broken_json_is_repaired_once() -> None:
    def respond(messages: Sequence[Message], max_tokens: int, schema: object) -> str:
        if schema is None:
            return ENGLISH
        is_repair = "should have been JSON" in messages[0]["content"]
        return OVERVIEW if is_repair else f"{{overview: {ENGLISH}, moments: 0:10:03 The dragon falls."

    model = FakeChatModel(respond)
    assert "0:10:00 The dragon falls." in writer(model).summarize(recording(30)).text
    assert kinds(model)[-2:] == ["moments", "repair"]


def test_prose_instead_of_json_is_taken_after_the_repair_failed() -> None:
    model = FakeChatModel(lambda *_: ENGLISH)
    assert writer(model).summarize(recording(30)).text == ENGLISH
    assert kinds(model)[-2:] == ["moments", "repair"]


def test_without_any_json_the_overview_is_asked_for_as_plain_text() -> None:
    model = FakeChatModel(lambda messages, tokens, schema: ENGLISH if schema is None else "{{{")
    assert writer(model).summarize(recording(30)).text == ENGLISH
    assert kinds(model)[-3:] == ["moments", "repair", "plain"]


def test_a_piece_on_which_nothing_can_be_written_stands_for_itself() -> None:
    def respond(messages: Sequence[Message], max_tokens: int, schema: object) -> str:
        if schema is not None:
            return OVERVIEW
        return "…" if "word0a" in messages[-1]["content"] else ENGLISH

    model, kept = FakeChatModel(respond), NotesInMemory()
    assert writer(model).write_incremental_notes(recording(60), kept, check=lambda: None) == len(kept)
    summary = writer(model).summarize(recording(60), notes=kept)
    assert [warning.code for warning in summary.warnings] == ["summary_incomplete"]
    assert "word0a" in model.calls[-1].messages[-1]["content"]


# Prompts that a server finds too long


def test_a_vocabulary_that_needs_more_than_was_thought_means_smaller_pieces() -> None:
    # Given a model with a token for each letter, and no word of it but its refusals
    model = FakeChatModel(good, context_tokens=6000, count=len, tells_tokens=False)
    summarizer = writer(model)
    assert summarizer.summarize(recording(60)).text.startswith(ENGLISH)
    assert all(call.prompt_tokens <= 6000 for call in model.calls)
    assert summarizer.write_incremental_notes(recording(60), NotesInMemory(), check=lambda: None) > 3


def test_a_server_that_refuses_everything_is_not_asked_for_ever() -> None:
    refusals: list[SummarizerError] = [TranscriptTooLong() for _ in range(50)]
    model = FakeChatModel(good, failures=refusals)
    with pytest.raises(TranscriptTooLong):
        writer(model).summarize(recording(60))
    assert len(model.calls) <= 6


def test_a_reason_to_stop_is_not_taken_for_a_refusal() -> None:
    def stop(text: str, share: float) -> None:
        if share > 0:
            raise TranscriptTooLong("mine")

    model = FakeChatModel(good)
    with pytest.raises(TranscriptTooLong, match="mine"):
        writer(model).summarize(recording(0.5), on_text=stop)
    assert len(model.calls) == 1


# Progress


@pytest.mark.parametrize("minutes", [0.5, 30, 120])
def test_share_and_text_only_grow_and_the_text_is_the_summary(minutes: float) -> None:
    told: list[tuple[str, float]] = []
    summary = writer(FakeChatModel(good, context_tokens=2048)).summarize(
        recording(minutes), on_text=lambda text, share: told.append((text, share))
    )
    shares, texts = [share for _, share in told], [text for text, _ in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert [len(text) for text in texts] == sorted(len(text) for text in texts)
    assert summary.text.startswith(texts[-1].rstrip("…"))
    # Expect its first sentence, then the second one as it grows
    assert len({text for text in texts if text}) >= 3


def test_while_pieces_are_read_there_is_no_text_and_the_share_is_theirs() -> None:
    told: list[tuple[str, float]] = []
    model = FakeChatModel(good)
    writer(model).summarize(recording(30), on_text=lambda text, share: told.append((text, share)))
    before = [share for text, share in told if not text]
    assert max(before) >= 0.5
    assert len(set(before)) > len(model.calls)


# Health


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        (Condition.UNREACHABLE, (False, False, False)),
        (Condition.MODEL_MISSING, (True, False, False)),
        (Condition.COLD, (True, True, False)),
        (Condition.WARMING, (True, True, False)),
        (Condition.WARM, (True, True, False)),
        (Condition.WORKING, (True, True, False)),
        (Condition.FAILING, (True, True, True)),
    ],
)
def test_each_condition_of_a_model_is_told(condition: Condition, seen: tuple[bool, ...]) -> None:
    health = writer(FakeChatModel(report=ModelHealth(condition, "A sentence."))).health()
    assert (health.reachable, health.has_model, health.failing) == seen
    assert health.detail == "A sentence."


def test_warming_up_is_the_models_business() -> None:
    model = FakeChatModel(good)
    writer(model).warm_up()
    assert model.warmed_up == 1
