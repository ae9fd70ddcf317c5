"""The summary layer's own cost, and what it gains by working while a recording is still being transcribed.

    .venv/bin/python -m benchmarks.summary [--quick]

Engine and model are paced: they take a known time, so what is left is the service's. `--quick` ends within a minute.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report
from benchmarks.paced import WORDS_PER_SECOND, PacedModel
from streametrics.domain.transcript import Segment
from streametrics.llm.base import ChatResponse
from streametrics.settings import Settings
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.llm_summarizer import LlmSummarizer
from tests.support.media import plain_wav, tone
from tests.support.stack import stack

#: What Mistral 7B does on a small graphics card, about: tokens a second read and written.
READ_PER_S, WRITE_PER_S = 600.0, 40.0
#: What the engine takes for a minute of a chunk, in seconds.
CHUNK_ENGINE_S = 2.0


class Instant(PacedModel):
    """Answers at once and counts the time spent inside, so that the rest is the layer's."""

    def __init__(self) -> None:
        super().__init__(read_per_s=1e9, write_per_s=1e9)
        self.inside_s = 0.0

    def chat(self, *arguments: object, **options: object) -> ChatResponse:
        started = time.perf_counter()
        try:
            return super().chat(*arguments, **options)  # type: ignore[arg-type]
        finally:
            self.inside_s += time.perf_counter() - started


def request(seconds: float) -> SummaryRequest:
    """What a chunk of so many seconds of speech asks for."""
    words = [f"word{index}" for index in range(int(seconds * WORDS_PER_SECOND))]
    segments = tuple(
        Segment(start / WORDS_PER_SECOND, (start + 12) / WORDS_PER_SECOND, " ".join(words[start : start + 12]) + ".")
        for start in range(0, len(words), 12)
    )
    return SummaryRequest(
        transcript=" ".join(segment.text for segment in segments), language="en", segments=segments, title="A stream"
    )


def overhead_ms(runs: int) -> float:
    """Median milliseconds that the layer adds to the model's own time, for a chunk of 30 s."""
    model = Instant()
    writer = LlmSummarizer(model, Settings(_env_file=None))
    asked, spent = request(30.0), []
    for _ in range(runs):
        model.inside_s = 0.0
        started = time.perf_counter()
        writer.summarize(asked, on_text=lambda text, share: None)
        spent.append(time.perf_counter() - started - model.inside_s)
    return statistics.median(spent) * 1000


def model_alone_s() -> float:
    """Seconds that the paced model takes for a chunk's summary."""
    writer = LlmSummarizer(PacedModel(read_per_s=READ_PER_S, write_per_s=WRITE_PER_S), Settings(_env_file=None))
    started = time.perf_counter()
    writer.summarize(request(30.0))
    return time.perf_counter() - started


def prepare_s(words: int) -> float:
    """Seconds to summarize a transcript of so many words with a model that takes none."""
    writer = LlmSummarizer(Instant(), Settings(_env_file=None))
    asked = request(words / WORDS_PER_SECOND)
    started = time.perf_counter()
    writer.summarize(asked)
    return time.perf_counter() - started


@dataclass
class Seen:
    """What a client saw of one recording, in seconds from the upload."""

    first_note_s: float = 0.0
    first_words_s: float = 0.0
    done_s: float = 0.0


def whole_recording(minutes: float, engine_s: float, *, ahead: bool) -> Seen:
    """A recording through the whole service, polled as a client does it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(
            Path(folder),
            SUMMARIZE_WHILE_TRANSCRIBING=str(ahead).lower(),
            PACED_ENGINE_S=str(engine_s),
            PACED_READ=str(READ_PER_S),
            PACED_WRITE=str(WRITE_PER_S),
        ) as service,
    ):
        service.start_all(app="benchmarks.paced_worker")
        audio = plain_wav(tone(minutes * 60, 8_000), 8_000)
        started = time.perf_counter()
        task_id = service.submit(audio)
        seen = Seen()
        while True:
            status = service.status(task_id)
            now_s = time.perf_counter() - started
            if not seen.first_note_s and status.get("notes"):
                seen.first_note_s = now_s
            if not seen.first_words_s and status.get("partial_summary"):
                seen.first_words_s = now_s
            if status["status"] in ("done", "error"):
                assert status["status"] == "done", status
                seen.done_s = now_s
                return seen
            time.sleep(0.05)


def chunk_first_words_s(chunks: int) -> tuple[float, float]:
    """Medians of seconds from a chunk's upload to the first words of its summary, and to its result."""
    first, done = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(
            Path(folder), PACED_ENGINE_S=str(CHUNK_ENGINE_S), PACED_READ=str(READ_PER_S), PACED_WRITE=str(WRITE_PER_S)
        ) as service,
    ):
        service.start_all(app="benchmarks.paced_worker")
        audio = plain_wav(tone(30, 8_000), 8_000)
        for _ in range(chunks):
            started, seen_s = time.perf_counter(), 0.0
            task_id = service.submit(audio)
            while (status := service.status(task_id))["status"] not in ("done", "error"):
                if not seen_s and status.get("partial_summary"):
                    seen_s = time.perf_counter() - started
                time.sleep(0.02)
            assert status["status"] == "done", status
            done.append(time.perf_counter() - started)
            first.append(seen_s or done[-1])
    return statistics.median(first), statistics.median(done)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="fewer runs and a shorter recording")
    quick = options.parse_args().quick
    minutes, engine_s = (6.0, 2.0) if quick else (30.0, 2.0)
    together = whole_recording(minutes, engine_s, ahead=True)
    after = whole_recording(minutes, engine_s, ahead=False)
    chunk_first_s, chunk_done_s = chunk_first_words_s(5 if quick else 20)
    transcribing_s = minutes * engine_s
    pace = f"paced: {engine_s:.0f} s a minute of sound, {READ_PER_S:.0f} tokens/s read, {WRITE_PER_S:.0f} written"
    report.write(
        "summary-quick" if quick else "summary",
        "The summary layer",
        [
            (
                "overhead for a chunk of 30 s",
                f"{overhead_ms(50 if quick else 300):.2f} ms",
                "median, beyond the model's time",
            ),
            ("200,000 words, model of no time", f"{prepare_s(200_000):.2f} s", "splitting, prompts, merging"),
            (f"{minutes:.0f} min recording, stages together", f"{together.done_s:.1f} s", pace),
            (
                f"{minutes:.0f} min recording, one after the other",
                f"{after.done_s:.1f} s",
                "the same with SUMMARIZE_WHILE_TRANSCRIBING=false",
            ),
            ("of that, transcribing alone", f"{transcribing_s:.1f} s", "what the engine was told to take"),
            ("first note shown, together", f"{together.first_note_s:.1f} s", "from the upload; on the first minutes"),
            ("first note shown, one after the other", f"{after.first_note_s:.1f} s", "from the upload"),
            ("first words of the summary, together", f"{together.first_words_s:.1f} s", "the overview comes last"),
            ("first words of the summary, one after the other", f"{after.first_words_s:.1f} s", "from the upload"),
            (
                "chunk of 30 s: first words of its summary",
                f"{chunk_first_s:.2f} s",
                f"median, from the upload; the engine takes {CHUNK_ENGINE_S / 2:.0f} s of it",
            ),
            (
                "chunk of 30 s: its result",
                f"{chunk_done_s:.2f} s",
                f"the same; the model's own time is {model_alone_s():.2f} s of it",
            ),
        ],
        ("celery", "redis", "sqlalchemy"),
    )


if __name__ == "__main__":
    main()
