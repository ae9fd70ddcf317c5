"""The summary layer's own cost, and what it gains by working while a recording is still being transcribed.

    .venv/bin/python -m benchmarks.summary [--quick]

Engine and model are paced: they take a known time, so what is left is the service's. `--quick` ends within a minute.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.paced import WORDS_PER_SECOND, PacedModel
from streametrics.chat_model import Answer
from streametrics.settings import Settings
from streametrics.summarizer import SummaryRequest, TimedText
from streametrics.summarizers.by_model import ModelSummarizer
from tests.media import plain_wav, tone
from tests.stack import stack

#: What Mistral 7B does on a small graphics card, about: tokens a second read and written.
READ_PER_S, WRITE_PER_S = 600.0, 40.0


class Instant(PacedModel):
    """Answers at once and counts the time spent inside, so that the rest is the layer's."""

    def __init__(self) -> None:
        super().__init__(read_per_s=1e9, write_per_s=1e9)
        self.inside_s = 0.0

    def chat(self, *arguments: object, **options: object) -> Answer:
        started = time.perf_counter()
        try:
            return super().chat(*arguments, **options)  # type: ignore[arg-type]
        finally:
            self.inside_s += time.perf_counter() - started


def request(seconds: float) -> SummaryRequest:
    """What a chunk of so many seconds of speech asks for."""
    words = [f"word{index}" for index in range(int(seconds * WORDS_PER_SECOND))]
    segments = tuple(
        TimedText(start / WORDS_PER_SECOND, (start + 12) / WORDS_PER_SECOND, " ".join(words[start : start + 12]) + ".")
        for start in range(0, len(words), 12)
    )
    return SummaryRequest(
        transcript=" ".join(segment.text for segment in segments), language="en", segments=segments, title="A stream"
    )


def overhead_ms(runs: int) -> float:
    """Median milliseconds that the layer adds to the model's own time, for a chunk of 30 s."""
    model = Instant()
    writer = ModelSummarizer(model, Settings(_env_file=None))
    asked, spent = request(30.0), []
    for _ in range(runs):
        model.inside_s = 0.0
        started = time.perf_counter()
        writer.summarize(asked, on_text=lambda text, share: None)
        spent.append(time.perf_counter() - started - model.inside_s)
    return statistics.median(spent) * 1000


def prepare_s(words: int) -> float:
    """Seconds to summarise a transcript of so many words with a model that takes none."""
    writer = ModelSummarizer(Instant(), Settings(_env_file=None))
    asked = request(words / WORDS_PER_SECOND)
    started = time.perf_counter()
    writer.summarize(asked)
    return time.perf_counter() - started


def whole_recording_s(minutes: float, engine_s: float, *, ahead: bool) -> tuple[float, float]:
    """Seconds from the upload to the result, and to the first summary text, through the whole service."""
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(
            Path(folder),
            WRITE_AHEAD=str(ahead).lower(),
            PACED_ENGINE_S=str(engine_s),
            PACED_READ=str(READ_PER_S),
            PACED_WRITE=str(WRITE_PER_S),
        ) as service,
    ):
        service.start_all(app="benchmarks.paced_worker")
        audio = plain_wav(tone(minutes * 60, 8_000), 8_000)
        started = time.perf_counter()
        task_id = service.submit(audio)
        first_s = 0.0
        while True:
            status = service.status(task_id)
            if not first_s and (status.get("partial_summary") or status["status"] == "done"):
                first_s = time.perf_counter() - started
            if status["status"] in ("done", "error"):
                assert status["status"] == "done", status
                return time.perf_counter() - started, first_s
            time.sleep(0.05)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="fewer runs and a shorter recording")
    quick = options.parse_args().quick
    minutes, engine_s = (6.0, 2.0) if quick else (30.0, 2.0)
    together_s, first_together_s = whole_recording_s(minutes, engine_s, ahead=True)
    after_s, first_after_s = whole_recording_s(minutes, engine_s, ahead=False)
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
            (f"{minutes:.0f} min recording, stages together", f"{together_s:.1f} s", pace),
            (
                f"{minutes:.0f} min recording, one after the other",
                f"{after_s:.1f} s",
                "the same with WRITE_AHEAD=false",
            ),
            ("of that, transcribing alone", f"{transcribing_s:.1f} s", "what the engine was told to take"),
            ("first summary text, together", f"{first_together_s:.1f} s", "from the upload"),
            ("first summary text, one after the other", f"{first_after_s:.1f} s", "from the upload"),
        ],
        ("celery", "redis", "sqlalchemy"),
    )


if __name__ == "__main__":
    main()
