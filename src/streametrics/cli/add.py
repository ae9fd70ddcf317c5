"""Runs `python -m streametrics add FILE…`: sends recordings to a running service, and fetches their texts."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from streametrics.audio.pcm import Pcm
from streametrics.audio.tracks import AUTO
from streametrics.cli import recordings
from streametrics.cli.recordings import TextOptions
from streametrics.cli.service_client import ServiceClient
from streametrics.errors import AudioUnreadable, StreametricsError, UsageError
from streametrics.pipeline.voice_selection import VoiceSelection
from streametrics.settings import Settings

#: A larger file is sent as its sound alone, in bytes: nearly all of it is video, or sound that nobody hears.
MAX_SENT_WHOLE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions(TextOptions):
    """What is asked for. fields: of `POST /v1/jobs`. track: as `audio.tracks.parse_track` says. what: `transcript` or
    `summary`. waits: whether the texts are waited for; else the jobs' ids are printed."""

    url: str
    key: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    track: str = AUTO
    what: str = "transcript"
    waits: bool = True


def run(
    settings: Settings, paths: Sequence[Path], options: AddOptions, *, warn: Callable[[str], None]
) -> Iterator[str]:
    """Send files, and those in folders; yields what is to be printed. See `recordings.write_texts`."""
    if options.what == "summary" and options.output_format in ("srt", "vtt"):
        raise UsageError("A summary is no subtitles: --format txt or json.")
    if options.what == "summary" and options.fields.get("summary") == "none":
        raise UsageError("'--summary none' leaves no summary to get.")
    if options.target is not None and not options.waits:
        raise UsageError("With --no-wait there is no text yet that -o could write.")
    client = ServiceClient(options.url, options.key)
    if not options.waits:
        yield from _ids(client, list(recordings.files_in(paths, warn)), settings, options, warn)
        return

    def text_of(file: Path, warn: Callable[[str], None]) -> str:
        job_id = _sent(client, file, settings, options, warn)
        with tqdm(total=100, unit="%", desc="In work", disable=None) as bar:
            warnings = client.wait(job_id, lambda progress: bar.update(max(0, progress - bar.n)))
        for warning in warnings:
            warn(warning)
        output = "txt" if options.output_format == "text" else options.output_format
        return client.text(job_id, options.what, output).rstrip("\n")

    yield from recordings.write_texts(paths, options, text_of, warn=warn)


def _ids(
    client: ServiceClient, files: list[Path], settings: Settings, options: AddOptions, warn: Callable[[str], None]
) -> Iterator[str]:
    """Send each file; yields the jobs' ids. One that cannot be sent keeps no other from it."""
    failed = 0
    for file in files:
        try:
            yield f"{_sent(client, file, settings, options, warn)}  {file}"
        except StreametricsError as error:
            failed += 1
            warn(f"{file}: {error}")
    if failed:
        raise AudioUnreadable(f"{failed} of {len(files)} were not sent.")


def _sent(
    client: ServiceClient, file: Path, settings: Settings, options: AddOptions, warn: Callable[[str], None]
) -> str:
    """Send a file, or the sound of a large one; returns the job's id. Raises StreametricsError."""
    recordings.demuxer(file)  # what is no recording is not sent
    if file.stat().st_size <= MAX_SENT_WHOLE_BYTES:
        return _upload(client, file, {**options.fields, "track": options.track})
    with tempfile.TemporaryDirectory(prefix="streametrics-") as folder:
        # Samples as they are decoded for Whisper: the service hears what it would have heard, at the same times.
        sound = Path(folder) / f"{file.stem}.flac"
        _extract(file, sound, settings, options.track, warn)
        return _upload(client, sound, options.fields)


def _upload(client: ServiceClient, file: Path, fields: Mapping[str, str]) -> str:
    size = file.stat().st_size
    with tqdm(total=size, unit="B", unit_scale=True, desc="Sending", disable=None) as bar:
        return client.send(file, fields, bar.update)


def _extract(file: Path, target: Path, settings: Settings, track: str, warn: Callable[[str], None]) -> None:
    from streametrics.audio.flac import encode_flac

    def encode(sound: VoiceSelection) -> None:
        with tqdm(unit=" samples", unit_scale=True, desc="Extracting the sound", disable=None) as bar:
            encode_flac(_counted(sound, bar), target)

    _, warnings = recordings.decode(file, track, settings, encode)
    for warning in warnings:
        warn(warning.message)


def _counted(blocks: VoiceSelection, bar: "tqdm[None]") -> Iterator[Pcm]:
    for block in blocks:
        bar.update(len(block))
        yield block
