"""Runs the transcribe stage in a worker: an upload, or several live chunks and parts of a recording in one batch."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from streametrics.audio.decoder import RECORDING_LIMIT, AudioDecoder
from streametrics.domain.job import Claim, JobKind
from streametrics.domain.transcript import Transcript
from streametrics.errors import AudioMissing, AudioStalled, Interrupted
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.pipeline import transcribe
from streametrics.pipeline.reporter import JobReporter
from streametrics.settings import Settings
from streametrics.storage.local import AudioWriter
from streametrics.transcription.base import Transcriber, TranscriptionRequest
from streametrics.worker import malloc_trim
from streametrics.worker.attempt import Attempt
from streametrics.worker.background_decoding import BackgroundDecoding, OpenDecoder, YieldingReporter

#: The share of a task's time after which it begins no further request: what it has claimed and not begun goes back to
#: the queue, so that nothing times out for its neighbors' sake.
INTAKE_SHARE = 0.5
#: The same while a recording is decoded, which does not end sooner for it: what is left is enough for a chunk.
DECODING_INTAKE_SHARE = 0.9
#: While a recording is decoded and no chunk is at work, one is looked for this often, in seconds.
CHUNK_POLL_INTERVAL_S = 0.1

#: Stores the transcript of one request.
StoreTranscript = Callable[[Transcript], None]
#: What became of an upload, and where its samples are, for a recording; who takes it over stores or discards them.
Decoded = tuple[transcribe.DecodedUpload | transcribe.SplitRecording | transcribe.WrongKind, AudioWriter | None]


def open_background_decoder() -> AudioDecoder:
    """Make the decoder of one recording."""
    return AudioDecoder(RECORDING_LIMIT, in_background=True)


class TranscribeStage:
    """Transcribes claimed jobs and parts. Not thread-safe. clock: for tests; seconds.

    decoder: for chunks. open_decoder: makes the one for a recording, which is decoded in the background.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: JobLifecycle,
        *,
        transcriber: Transcriber,
        decoder: AudioDecoder,
        open_decoder: OpenDecoder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._transcriber = transcriber
        self._decoder, self._open_decoder = decoder, open_decoder
        self._clock = clock

    @property
    def max_claims(self) -> int:
        """The most live chunks that are worth claiming together."""
        return min(self._settings.live_batch_max, self._transcriber.max_batch_requests)

    @property
    def max_part_claims(self) -> int:
        """The most parts of a recording that are, each as long as two chunks."""
        return max(1, self.max_claims // 2)

    def run(self, attempts: Sequence[Attempt], join: Callable[[], Attempt | None]) -> None:
        """Transcribe what these attempts have claimed, in order; each ends as soon as its transcript is stored.

        join: begins one more attempt; None where nothing waits. It is called while the others are at work, so that the
        engine never waits for the last of them.
        """
        requested: list[tuple[Attempt, StoreTranscript]] = []
        for number, outcome in self._transcriber.transcribe_batch(self._requests(attempts, join, requested)):
            attempt, store = requested[number]
            with attempt.step():
                if isinstance(outcome, Exception):
                    raise outcome
                store(outcome)
                attempt.end()
            if attempt.claim.part_index is not None:
                # Not after a chunk: the next one would ask for it all again while somebody waits.
                malloc_trim.trim_heap()

    def _requests(
        self,
        attempts: Sequence[Attempt],
        join: Callable[[], Attempt | None],
        requested: list[tuple[Attempt, StoreTranscript]],
    ) -> Iterator[TranscriptionRequest | None]:
        """Yield the requests, each decoded when its turn comes; appends to `requested` whose each one is."""
        intake_ends_at = self._clock() + INTAKE_SHARE * self._settings.task_soft_time_limit_s
        for attempt in list(attempts):
            if attempt.claim.kind is JobKind.LONG and attempt.claim.part_index is None:
                yield from self._recording(attempt, attempts, join, requested)
                continue
            # However long the first one takes: somebody has to come to an end.
            yield from self._request(
                attempt, requested, begin_until=math.inf if attempt is attempts[0] else intake_ends_at
            )
        while attempts and attempts[0].claim.may_share_batch and self._clock() < intake_ends_at:
            joined = join() if sum(each.is_open for each in attempts) < self.max_claims else None
            if joined is None:
                yield None
            else:
                yield from self._request(joined, requested, begin_until=intake_ends_at)

    def _recording(
        self,
        attempt: Attempt,
        attempts: Sequence[Attempt],
        join: Callable[[], Attempt | None],
        requested: list[tuple[Attempt, StoreTranscript]],
    ) -> Iterator[TranscriptionRequest | None]:
        """Decode a recording, and yield the requests of chunks that come meanwhile, then its own where it is short.

        Hours of sound take a minute to decode, and more where others use the processor: no chunk waits for that.
        """
        intake_ends_at = self._clock() + DECODING_INTAKE_SHARE * self._settings.task_soft_time_limit_s
        with ExitStack() as stack:
            with attempt.step():
                path = stack.enter_context(self._audio_path(attempt.claim))
                decoding = stack.enter_context(self._decoding(attempt, path))
            while attempt.is_open:
                chunks = sum(each.is_open for each in attempts if each is not attempt)
                decoding.yield_to_others(chunks > 0)
                if decoding.ends_within(0.0 if chunks else CHUNK_POLL_INTERVAL_S):
                    break
                with attempt.step():
                    _check(attempt, decoding)
                joined = join() if chunks < self.max_claims and self._clock() < intake_ends_at else None
                if joined is not None:
                    decoding.yield_to_others(True)
                    yield from self._request(joined, requested, begin_until=intake_ends_at)
                elif chunks:
                    yield None
            if attempt.is_open:
                yield from self._request(attempt, requested, begin_until=math.inf, decoded=decoding.result)

    def _request(
        self,
        attempt: Attempt,
        requested: list[tuple[Attempt, StoreTranscript]],
        *,
        begin_until: float,
        decoded: Callable[[], Decoded] | None = None,
    ) -> Iterator[TranscriptionRequest]:
        """Yield the request of one attempt; nothing where it has ended, or ends with this.

        decoded: returns its sound, or raises; None where it is to be decoded here.
        """

        def check() -> None:
            attempt.reporter.check()
            if not attempt.reporter.sound_s and self._clock() >= begin_until:
                raise Interrupted

        prepared: tuple[TranscriptionRequest, StoreTranscript] | None = None
        if attempt.is_open:
            with attempt.step():
                if decoded is None:
                    check()
                    prepared = self._prepare(attempt)
                else:
                    prepared = self._take_over(attempt, *decoded())
                if prepared is None:
                    attempt.end()
        if prepared is not None:
            request, store = prepared
            requested.append((attempt, store))
            yield replace(request, check=check)

    def _prepare(self, attempt: Attempt) -> tuple[TranscriptionRequest, StoreTranscript] | None:
        """Decode a claim's sound; returns its request and how to store the transcript; None for no chunk."""
        claim = attempt.claim
        with self._audio_path(claim) as path:
            if claim.part_index is None:
                return self._take_over(attempt, *self._decode(attempt, path, self._decoder, attempt.reporter))
            request = transcribe.part_request(
                path, claim.start_s, claim.end_s, claim.request, reporter=attempt.reporter
            )
            return request, lambda transcript: self._jobs.store_part(claim, transcript)

    @contextmanager
    def _audio_path(self, claim: Claim) -> Iterator[Path]:
        assert claim.audio_key is not None
        try:
            with self._jobs.audio.local_path(claim.audio_key) as path:
                yield path
        except FileNotFoundError as error:
            raise AudioMissing from error

    def _decoding(self, attempt: Attempt, path: Path) -> BackgroundDecoding[Decoded]:
        def decode(decoder: AudioDecoder) -> Decoded:
            return self._decode(attempt, path, decoder, YieldingReporter(attempt.reporter, decoding.give_way))

        def discard(decoded: Decoded) -> None:
            _, samples = decoded
            if samples is not None:
                samples.discard()

        decoding = BackgroundDecoding(decode, self._open_decoder, discard=discard)
        return decoding

    def _decode(self, attempt: Attempt, path: Path, decoder: AudioDecoder, reporter: JobReporter) -> Decoded:
        """Decode an upload. What it has written of one that does not end in order is deleted."""
        claim, sinks = attempt.claim, list[AudioWriter]()
        assert claim.container is not None
        with ExitStack() as stack:

            def open_sink() -> AudioWriter:
                sinks.append(self._jobs.audio.writer(min_free_bytes=self._settings.min_free_bytes))
                stack.callback(sinks[0].discard)
                return sinks[0]

            try:
                decoded = transcribe.decode(
                    path,
                    claim.container,
                    kind=claim.kind,
                    track=claim.request.track,
                    settings=self._settings,
                    decoder=decoder,
                    open_sink=open_sink,
                    reporter=reporter,
                )
            except AudioStalled:
                if claim.kind is JobKind.LONG:
                    raise
                decoded = transcribe.WrongKind(JobKind.LONG)
            stack.pop_all()
        return decoded, sinks[0] if sinks else None

    def _take_over(
        self,
        attempt: Attempt,
        decoded: transcribe.DecodedUpload | transcribe.SplitRecording | transcribe.WrongKind,
        samples: AudioWriter | None,
    ) -> tuple[TranscriptionRequest, StoreTranscript] | None:
        """Return the request for an upload and how to store its transcript; None for one that is done with by this."""
        claim = attempt.claim
        with ExitStack() as stack:
            if samples is not None:
                stack.callback(samples.discard)
            match decoded:
                case transcribe.DecodedUpload():
                    request = transcribe.transcription_request(
                        decoded.samples, claim.request, reporter=attempt.reporter
                    )
                    return request, self._transcript_store(claim, decoded)
                case transcribe.SplitRecording():
                    assert samples is not None
                    self._jobs.store_parts(
                        claim,
                        audio_key=samples.commit(),
                        audio_s=decoded.audio_s,
                        spans=decoded.spans,
                        warnings=decoded.warnings,
                    )
                case transcribe.WrongKind():
                    self._jobs.reroute(claim, decoded.kind)
        return None

    def _transcript_store(self, claim: Claim, decoded: transcribe.DecodedUpload) -> StoreTranscript:
        # Not the samples: they would stay in memory as long as this does.
        audio_s, warnings = decoded.audio_s, decoded.warnings
        return lambda transcript: self._jobs.store_transcript(claim, transcript, audio_s=audio_s, warnings=warnings)


def _check(attempt: Attempt, decoding: BackgroundDecoding[Decoded]) -> None:
    """Raise when this recording should be left; what was written of it is gone by then."""
    try:
        attempt.reporter.check()
    except BaseException:
        decoding.stop()
        raise
