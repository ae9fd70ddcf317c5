"""Runs the transcribe stage in a worker: an upload, or several live chunks and parts of a recording in one batch."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from streametrics.audio.decoder import AudioDecoder
from streametrics.domain.job import Claim
from streametrics.domain.transcript import Transcript
from streametrics.errors import AudioUnreadable, Interrupted
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.pipeline import transcribe
from streametrics.settings import Settings
from streametrics.storage.local import AudioWriter
from streametrics.transcription.base import Transcriber, TranscriptionRequest
from streametrics.worker import malloc_trim
from streametrics.worker.attempt import Attempt

#: The share of a task's time after which it begins no further request: what it has claimed and not begun goes back to
#: the queue, so that nothing times out for its neighbors' sake.
INTAKE_SHARE = 0.5

#: Stores the transcript of one request.
StoreTranscript = Callable[[Transcript], None]


class TranscribeStage:
    """Transcribes claimed jobs and parts. Not thread-safe. clock: for tests; seconds."""

    def __init__(
        self,
        settings: Settings,
        jobs: JobLifecycle,
        *,
        transcriber: Transcriber,
        decoder: AudioDecoder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._transcriber = transcriber
        self._decoder = decoder
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

    def _request(
        self, attempt: Attempt, requested: list[tuple[Attempt, StoreTranscript]], *, begin_until: float
    ) -> Iterator[TranscriptionRequest]:
        """Yield the request of one attempt; nothing where it has ended, or ends with this."""

        def check() -> None:
            attempt.reporter.check()
            if not attempt.reporter.sound_s and self._clock() >= begin_until:
                raise Interrupted

        prepared: tuple[TranscriptionRequest, StoreTranscript] | None = None
        if attempt.is_open:
            with attempt.step():
                check()
                prepared = self._prepare(attempt)
                if prepared is None:
                    attempt.end()
        if prepared is not None:
            request, store = prepared
            requested.append((attempt, store))
            yield replace(request, check=check)

    def _prepare(self, attempt: Attempt) -> tuple[TranscriptionRequest, StoreTranscript] | None:
        """Decode a claim's sound; returns its request and how to store the transcript; None for a split recording."""
        claim = attempt.claim
        assert claim.audio_key is not None
        try:
            with self._jobs.audio.local_path(claim.audio_key) as path:
                if claim.part_index is None:
                    return self._decode(attempt, path)
                request = transcribe.part_request(
                    path, claim.start_s, claim.end_s, claim.request, reporter=attempt.reporter
                )
                return request, lambda transcript: self._jobs.store_part(claim, transcript)
        except FileNotFoundError as error:
            raise AudioUnreadable("The stored audio is gone: send it again.") from error

    def _decode(self, attempt: Attempt, path: Path) -> tuple[TranscriptionRequest, StoreTranscript] | None:
        claim, sinks = attempt.claim, list[AudioWriter]()
        assert claim.container is not None
        with ExitStack() as stack:

            def open_sink() -> AudioWriter:
                sinks.append(self._jobs.audio.writer())
                stack.callback(sinks[0].discard)
                return sinks[0]

            decoded = transcribe.decode(
                path,
                claim.container,
                kind=claim.kind,
                track=claim.request.track,
                settings=self._settings,
                decoder=self._decoder,
                open_sink=open_sink,
                reporter=attempt.reporter,
            )
            match decoded:
                case transcribe.DecodedUpload():
                    request = transcribe.transcription_request(
                        decoded.samples, claim.request, reporter=attempt.reporter
                    )
                    return request, self._transcript_store(claim, decoded)
                case transcribe.SplitRecording():
                    self._jobs.store_parts(
                        claim,
                        audio_key=sinks[0].commit(),
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
