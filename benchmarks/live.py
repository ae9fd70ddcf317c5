"""A live chunk's way through the whole service, and how many streams it holds, beside the libraries as they come.

    .venv/bin/python -m benchmarks.live [--quick] [--engines A,B] [--model-server stub|real|both]

Real queue, API and workers; one 30 s chunk of speech at a time, which the libraries transcribe just before, in turns:
speed drifts on a machine that others use. Then streams that each send a chunk every 30 s.
`--quick` takes one engine and few chunks, and ends within two minutes. The streams' summaries come from a stub that
takes a second and no processor; `real` is an Ollama on the same cores (scripts/build_ollama.sh), `both` does the two.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from whisper.tokenizer import get_tokenizer

from benchmarks import limit, plain, plots, recordings, report, streams, timed
from benchmarks.engines import ENGINES
from streametrics.audio.pcm import Samples
from tests.support.stack import Stack, stack, until

LOOK_S = 0.005
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk's way, in seconds: the upload, until the engine begins, the engine, until a poll shows all words.

    words: how many were transcribed; a way that drops some is fast for nothing. tokens: what the model said for it.
    plain: what the same chunk took the libraries, just before.
    """

    upload_s: float
    queue_s: float
    engine_s: float
    rest_s: float
    words: int
    tokens: int
    plain: dict[plain.Peer, plain.PeerRun]

    @property
    def total_s(self) -> float:
        return self.upload_s + self.queue_s + self.engine_s + self.rest_s

    @property
    def overhead_s(self) -> float:
        return self.total_s - self.engine_s


@contextmanager
def rivals(warm: Samples, policy: str | None) -> Iterator[dict[plain.Peer, plain.Transcribe]]:
    """Start the plain libraries; `policy`: how the threads of openai-whisper wait, None for its default."""
    with (
        plain.peer_process("openai-whisper", warm, OMP_WAIT_POLICY=policy) as openai,
        plain.peer_process("faster-whisper", warm) as faster,
    ):
        yield {"openai-whisper": openai, "faster-whisper": faster}


def passages(engine: str, chunks: list[Samples], beside: dict[plain.Peer, plain.Transcribe]) -> list[Passage]:
    """Send the first chunk as a warm-up and time the others, one after the other, through a real service."""
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times.jsonl"
        with stack(Path(folder), WHISPER_ENGINE=engine, SUMMARIZER="extractive", ENGINE_TIMES=str(times)) as service:
            service.start_all(app="benchmarks.timed_worker")
            _pass(service, chunks[0], times, {})
            return [_pass(service, samples, times, beside) for samples in chunks[1:]]


def _pass(service: Stack, samples: Samples, times: Path, beside: dict[plain.Peer, plain.Transcribe]) -> Passage:
    audio, runs = recordings.upload(samples), {peer: transcribe(samples) for peer, transcribe in beside.items()}
    before = len(timed.calls(times))
    started = time.time()
    task_id = service.submit(audio)
    accepted = time.time()
    # Polling would take processor time from the engine: the first poll comes when the engine has ended.
    until(lambda: len(timed.calls(times)) > before, within_s=120, what="the engine transcribed the chunk")
    call = timed.calls(times)[before]
    while not _transcribed(service.status(task_id)):
        time.sleep(LOOK_S)
    ready = time.time()
    result = service.finished(task_id)["result"]
    words = len(result["text"].split())
    # Each segment stands between two timestamps.
    tokens = len(get_tokenizer(True).encode(result["text"])) + 2 * len(result["segments"])
    upload_s, queue_s = accepted - started, call.began - accepted
    rest_s = ready - started - upload_s - queue_s - call.engine_s
    return Passage(upload_s, queue_s, call.engine_s, rest_s, words, tokens, runs)


def _transcribed(status: dict[str, object]) -> bool:
    assert status["status"] != "error", status
    return status["status"] == "done" or status.get("current_step") in ("transcription_complete", "summarizing")


def better_policy(chunks: list[Samples]) -> str | None:
    """How threads of plain openai-whisper should wait here, as it is faster."""
    with (
        plain.peer_process("openai-whisper", chunks[0], OMP_WAIT_POLICY=None) as unset,
        plain.peer_process("openai-whisper", chunks[0], OMP_WAIT_POLICY="PASSIVE") as passive,
    ):
        seconds = [(unset(samples).seconds, passive(samples).seconds) for samples in chunks[1:]]
    return "PASSIVE" if statistics.median(one - two for one, two in seconds) > 0 else None


def plain_rows(found: list[Passage], policy: str | None) -> list[Row]:
    """The libraries by themselves, over all of their turns."""
    said: dict[plain.Peer, str] = {
        "openai-whisper": f"transcribe(), fp32, greedy, OMP_WAIT_POLICY {policy or 'unset'}",
        "faster-whisper": "int8, beam 1",
    }
    rows: list[Row] = []
    for peer, how in said.items():
        runs = [each.plain[peer] for each in found]
        seconds = statistics.median(each.seconds for each in runs)
        spread = f"{min(each.seconds for each in runs):.2f} to {max(each.seconds for each in runs):.2f} s"
        words = f"{sum(each.words for each in runs)} words in {len(runs)} chunks"
        rows.append(
            (f"plain {peer}", f"{seconds:.2f} s", f"{how}, language given, samples in memory; {spread}; {words}")
        )
        held = int(streams.EVERY_S / seconds)
        computed = f"computed: 30 s / {seconds:.2f} s, as if nothing else ran"
        rows.append((f"streams held, plain {peer}", str(held), computed))
    return rows


def limit_row(machine: limit.Limit, tokens: float) -> Row:
    return ("the machine's limit for such a chunk", f"{machine.chunk_s(tokens):.2f} s", machine.describe(tokens))


def engine_rows(engine: str, found: list[Passage], machine: limit.Limit) -> list[Row]:
    """Latency against plain, where the rest of the time goes, and how far the engine is from what could be."""
    total_s = statistics.median(each.total_s for each in found)
    engine_s = statistics.median(each.engine_s for each in found)
    tokens = statistics.median(each.tokens for each in found)

    def times(peer: plain.Peer) -> float:
        return statistics.median(each.plain[peer].seconds / each.total_s for each in found)

    def ms(name: str) -> str:
        return f"{statistics.median(getattr(each, name) for each in found) * 1000:.0f} ms"

    return [
        (
            f"service with {engine}, upload to transcript",
            f"{total_s:.2f} s ({times('openai-whisper'):.2f} times)",
            f"medians of {len(found)} chunks, each beside plain openai-whisper on the same; "
            f"{times('faster-whisper'):.2f} times plain faster-whisper; language detected; "
            f"of that the engine {engine_s:.2f} s, {engine_s / machine.chunk_s(tokens):.1f} times the machine's limit; "
            f"{sum(each.words for each in found)} words",
        ),
        (
            f"service with {engine}, around the engine",
            ms("overhead_s"),
            f"upload {ms('upload_s')}, queue and decoding {ms('queue_s')}, storing, telling and status {ms('rest_s')}",
        ),
    ]


def stream_row(
    engine: str, estimate: int, chunks: list[Samples], *, quick: bool, model_server: streams.ModelServerKind
) -> Row:
    """Streams held through the service, found by trying; `quick` tries one number, below the estimate."""
    # A real model server takes a part of the same cores.
    first = max(1, estimate // 2 if model_server == "real" else estimate)
    if quick:
        first, probes, for_s = max(1, first * 2 // 3), 1, 31.0
    else:
        probes, for_s = 5 if model_server == "stub" else 3, 121.0
    rounds = streams.most(engine, first, chunks, probes=probes, for_s=for_s, model_server=model_server)
    best = max((each.streams for each in rounds if each.held), default=None)
    figure = f"fewer than {min(each.streams for each in rounds)}" if best is None else str(best)
    if all(each.held for each in rounds):
        figure = f"{figure} or more"
    how = "; ".join(each.describe() for each in rounds)
    server = "model server of 1 s" if model_server == "stub" else "a real Ollama on the same cores"
    return (f"streams held, service with {engine}, {server}", figure, f"summaries included: {how}")


def picture(name: str, seconds: dict[str, float], found: list[Passage]) -> None:
    """Ours, upload included, beside the libraries, slowest first."""
    peers: tuple[plain.Peer, ...] = ("openai-whisper", "faster-whisper")
    ways = {f"{peer}, called plainly": statistics.median(each.plain[peer].seconds for each in found) for peer in peers}
    ours = {f"service with {engine}": took for engine, took in seconds.items()}
    slowest_first = dict(sorted((ways | ours).items(), key=lambda way: -way[1]))
    plots.bars(name, "Seconds until 30 s of speech are text, upload included", "s", slowest_first, list(ours))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one engine, few chunks, one number of streams")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which to measure (default: %(default)s)")
    parser.add_argument(
        "--model-server", choices=("stub", "real", "both"), default="stub", help="what the streams' summaries come from"
    )
    options = parser.parse_args()
    engines = options.engines.split(",")[-1:] if options.quick else options.engines.split(",")
    chunks = recordings.chunks(4 if options.quick else 6)
    policy = "PASSIVE" if options.quick else better_policy(chunks)
    machine, found, rows = limit.measured(), {}, []
    with rivals(chunks[0], policy) as beside:
        for engine in engines:
            found[engine] = passages(engine, chunks, beside)
            rows += engine_rows(engine, found[engine], machine)
            print(rows[-2], rows[-1], flush=True)
    everything = [each for passed in found.values() for each in passed]
    rows = [*plain_rows(everything, policy), *rows]
    seconds = {engine: statistics.median(each.total_s for each in passed) for engine, passed in found.items()}
    rows.append(limit_row(machine, statistics.median(each.tokens for each in everything)))
    fastest = min(seconds, key=seconds.__getitem__)
    # Chunks that wait are transcribed in batches, which takes less than one by one.
    estimate = int(1.2 * streams.EVERY_S / seconds[fastest])
    kinds: tuple[streams.ModelServerKind, ...] = ("stub", "real")
    for kind in kinds:
        if options.model_server in (kind, "both"):
            rows.append(stream_row(fastest, estimate, chunks, quick=options.quick, model_server=kind))
    name = "live-quick" if options.quick else "live"
    picture(name, seconds, everything)
    report.write(
        name,
        "Live chunks of 30 s, base model",
        rows,
        ("openai-whisper", "faster-whisper", "ctranslate2", "torch"),
    )


if __name__ == "__main__":
    main()
