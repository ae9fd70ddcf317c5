"""What small models' summaries are worth: whom and what they name, and how much of a person's summary they hold.

    nice .venv/bin/python -m benchmarks.summary_quality [--models A,B] [--sizes N N N N] [--label TEXT] [--quick]
                                                        [--show]

Two small models on a real Ollama (`small_models`), asked by the service's own summarizer: chunks and passages of
meetings (`meetings`) under streams' pages that have nothing to do with them, chunks with misspelled names
(`stream_pages`), and whole short meetings, which get an overview with key moments. The table has a row for each model
and version of the prompts, and a row stays until its own version is measured again: so a change of a prompt has its
before and after. Run it on the code before (PYTHONPATH) to measure a version that is missing. Summaries are kept
outside the repository until the code that asks for them changes, so an interrupted run goes on where it stopped.
`--quick` takes a few of each. `--show`: what was summarized how. Speed plays no part: a busy machine does not matter.
"""

import argparse
import hashlib
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import streametrics
from benchmarks import meetings, report, small_models
from benchmarks.stream_pages import MISSPELLED, PAGES, Page, says
from streametrics.errors import SummarizerError
from streametrics.llm.ollama import OllamaModel
from streametrics.settings import Settings
from streametrics.summarization.base import OnText, SummaryRequest
from streametrics.summarization.llm_summarizer import LlmSummarizer
from streametrics.summarization.prompts import PROMPT_VERSION

RESULT = report.RESULTS / "summary-quality.md"
KEPT = Path("~/.cache/streametrics/benchmark-summaries").expanduser()
#: The code that a summary depends on.
CODE = ("summarization", "llm", "text")
#: How many chunks, chunks with a misspelled name, passages and recordings.
SIZES, QUICK_SIZES = (24, 12, 12, 1), (6, 3, 3, 0)
#: Half of the machine's cores may be busy elsewhere: no answer is to be cut off for that.
CALL_TIMEOUT_S = 600.0
#: A key moment repeats the overview from this share of its content words in one of its sentences.
REPEATED_SHARE = 0.8

COLUMNS = (
    "prompts", "model", "name what nobody said, chunks", "passages", "recall of people's summaries, passages",
    "recordings", "words of a summary", "misspelled names put right", "moments that repeat",
)  # fmt: skip

_STOPWORDS = frozenset(
    """a about after all also an and any are as at be because been before being both but by can could did do does each
    for from get had has have he her him his how i if in into is it its just like made make may might more most must no
    not of on one only or other our out over she should so some such than that the their them then there these they
    this those though to too two under up us very was we were what when where which while who will with would you
    your""".split()  # noqa: SIM905 - a list of a hundred lines is no easier to read
)


@dataclass(slots=True)
class Quality:
    """What was found of one model, in shares and counts."""

    chunks: list[bool] = field(default_factory=list)
    passages: list[bool] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    recordings_recall: list[float] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    #: The page's spelling; the misspelled one or none at all is False.
    spelled: list[bool] = field(default_factory=list)
    moments: int = 0
    repeated: int = 0

    def row(self, label: str, model: str) -> tuple[str, ...]:
        return (
            label, model, share(self.chunks), share(self.passages), mean(self.recall), mean(self.recordings_recall),
            f"{statistics.mean(self.words):.0f}" if self.words else "–", share(self.spelled),
            f"{self.repeated} of {self.moments}" if self.moments else "–",
        )  # fmt: skip


def share(found: Sequence[bool]) -> str:
    return f"{sum(found)} of {len(found)} ({sum(found) / len(found):.0%})" if found else "–"


def mean(found: Sequence[float]) -> str:
    return f"{statistics.mean(found):.3f}" if found else "–"


def content_words(text: str) -> set[str]:
    """The words that carry meaning, without plural and tense: crude, and the same for both that are compared."""
    found = set()
    for word in re.findall(r"\w+", text.casefold()):
        if word not in _STOPWORDS and (len(word) > 2 or word.isdigit()):
            found.add(re.sub(r"(?:ing|ed|es|(?<!s)s|e)$", "", word) if len(word) > 4 else word)
    return found


def recall(summary: str, reference: str) -> float:
    """The share of a person's content words that a summary has."""
    wanted = content_words(reference)
    return len(wanted & content_words(summary)) / len(wanted)


def repeating(summary: str) -> tuple[int, int]:
    """How many key moments a long recording's summary has, and how many of them repeat its overview or another."""
    overview, _, listed = summary.partition("\n\n")
    said = [content_words(sentence) for sentence in re.split(r"(?<=[.!?])\s+", overview)]
    moments = [content_words(line.partition(" ")[2]) for line in listed.splitlines()]
    repeated = 0
    for moment in moments:
        repeated += any(len(moment & other) >= REPEATED_SHARE * max(len(moment), 1) for other in said)
        said.append(moment)
    return len(moments), repeated


class Asking:
    """Asks one model, and shows what it answered where that is wanted."""

    def __init__(self, url: str, model: str, *, shows: bool) -> None:
        settings = Settings(
            _env_file=None, ollama_url=url, mistral_model=model, mistral_timeout=CALL_TIMEOUT_S, mistral_max_retries=1
        )
        self._summarizer = LlmSummarizer(OllamaModel(settings), settings)
        self._model, self._shows = model, shows
        self.quality = Quality()

    def summary(self, request: SummaryRequest, on_text: OnText | None = None) -> str:
        """The summary, kept or new; empty where the model wrote none that can be used."""
        kept = kept_summary(self._model, request)
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(self._new(request, on_text), encoding="utf-8")
        text = kept.read_text(encoding="utf-8")
        if self._shows:
            print(f"--- {request.game} | {request.title}: {request.transcript[:90]}…\n    {text}", flush=True)
        return text

    def _new(self, request: SummaryRequest, on_text: OnText | None) -> str:
        try:
            return self._summarizer.summarize(request, on_text=on_text).text
        except SummarizerError as error:
            print(f"no summary: {error}", file=sys.stderr)
            return ""

    def on_chunks(self, count: int) -> None:
        for index, chunk in enumerate(meetings.chunks(count)):
            page = PAGES[index % len(PAGES)]
            text = self.summary(request_for(page, chunk.text))
            self._take(self.quality.chunks, page, text, chunk.text)

    def on_passages(self, count: int) -> None:
        for index, passage in enumerate(meetings.passages(count)):
            page = PAGES[index % len(PAGES)]
            text = self.summary(request_for(page, passage.text))
            self._take(self.quality.passages, page, text, passage.text)
            self.quality.recall.append(recall(text, passage.reference))
            self.quality.words.append(len(text.split()))

    def on_names(self, count: int) -> None:
        for each in MISSPELLED[:count]:
            text = self.summary(request_for(each.page, each.text))
            self.quality.spelled.append(says(text, each.name))

    def on_recordings(self, count: int) -> None:
        for index, (meeting, segments) in enumerate(meetings.recordings(count)):
            page = PAGES[index % len(PAGES)]
            stands = Standstill()
            request = SummaryRequest(
                meeting.text, "en", streamer=page.streamer, game=page.game, title=page.title, segments=segments
            )
            text = self.summary(request, stands.on_text)
            self.quality.recordings_recall.append(recall(text, meeting.reference))
            moments, repeated = repeating(text)
            self.quality.moments += moments
            self.quality.repeated += repeated
            if longest_s := stands.longest_s():  # not where the summary was kept
                print(f"{meeting.meeting}: the summary stood still for {longest_s:.0f} s at most", file=sys.stderr)

    def _take(self, into: list[bool], page: Page, summary: str, transcript: str) -> None:
        names = page.unspoken(summary, transcript)
        into.append(bool(names))
        if names and self._shows:
            print(f"    names what nobody said: {', '.join(names)}", flush=True)


class Standstill:
    """Measures for how long a summary that has begun does not grow."""

    def __init__(self) -> None:
        self._text = ""
        self._grew_at_s = 0.0
        self._longest_s = 0.0

    def on_text(self, text: str, share: float) -> None:
        if text != self._text:
            self._longest_s = self.longest_s()
            self._text, self._grew_at_s = text, time.monotonic()

    def longest_s(self) -> float:
        """Up to now, so that the end of the call counts too."""
        return max(self._longest_s, time.monotonic() - self._grew_at_s) if self._text else 0.0


def kept_summary(model: str, request: SummaryRequest) -> Path:
    """Where a model's summary is kept: its name depends on the question and on the code that asks it."""
    digest = hashlib.sha256(f"{_our_code()} {model} {request}".encode())
    return KEPT / f"{digest.hexdigest()[:32]}.txt"


@cache
def _our_code() -> str:
    source = Path(streametrics.__file__).parent
    files = sorted(path for folder in CODE for path in (source / folder).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def request_for(page: Page, transcript: str) -> SummaryRequest:
    return SummaryRequest(transcript, "en", streamer=page.streamer, game=page.game, title=page.title)


def rows_before(text: str) -> list[tuple[str, ...]]:
    """The rows of the table as it stands in the file."""
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if "|" in line]
    return [row for row in cells[2:] if len(row) == len(COLUMNS)]


def merged(rows: list[tuple[str, ...]], new: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The rows with a new one, which takes the place of the same version's and model's; models together."""
    kept = [row for row in rows if row[:2] != new[:2]]
    return sorted([*kept, new], key=lambda row: (row[1], row[0]))


def write(row: tuple[str, ...]) -> None:
    """Put a row into the table of the result."""
    rows = merged(rows_before(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else [], row)
    lines = [
        "# The quality of small models' summaries",
        "",
        f"Last measured {datetime.now(UTC):%Y-%m-%d}, {report.machine()}. Chunks, passages and recordings are meetings"
        " (QMSum, validation and test) under pages of streams that nobody in them speaks of; recall is that of content"
        " words. An answer varies from run to run: one of 24 chunks, or 0.01 of recall, is no difference.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows)),
        "",
    ]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", default=",".join(model.name for model in small_models.MODELS))
    options.add_argument(
        "--label", default=PROMPT_VERSION, help="what to call these prompts; their version if left out"
    )
    options.add_argument("--sizes", type=int, nargs=4, default=SIZES, help="how many of each, in this order")
    options.add_argument("--quick", action="store_true", help="a few of each, and nothing is kept")
    options.add_argument("--show", action="store_true", help="print each summary")
    chosen = options.parse_args()
    chunks, names, passages, recordings = QUICK_SIZES if chosen.quick else chosen.sizes
    models = tuple(model for model in small_models.MODELS if model.name in chosen.models.split(","))
    with tempfile.TemporaryDirectory() as folder, small_models.served(Path(folder) / "ollama.log", models) as url:
        for model in models:
            asking = Asking(url, model.name, shows=chosen.show)
            asking.on_chunks(chunks)
            asking.on_names(names)
            asking.on_passages(passages)
            asking.on_recordings(recordings)
            row = asking.quality.row(chosen.label, model.name)
            print(" | ".join(row)) if chosen.quick else write(row)


if __name__ == "__main__":
    main()
