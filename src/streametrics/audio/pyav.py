"""Decodes one untrusted file to samples, with PyAV. Runs in the decoding child only (`sandbox`)."""

import os
from collections.abc import Iterator
from typing import BinaryIO, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition

from streametrics.audio.frame_reader import FrameReader
from streametrics.audio.interleaving import Planes, TrackAligner
from streametrics.audio.joined import Section, SectionFile, find_sections
from streametrics.audio.resampling import MIXED, SAMPLE_RATE_HZ, ChannelResampler, channels_of
from streametrics.audio.sniffing import locate, read_head
from streametrics.audio.timeline import Timeline
from streametrics.audio.tracks import LONGEST_TAG, MIX, PLAIN, Track
from streametrics.audio.truncation import lacks_bytes, lacks_end, mp3_frames_claimed

#: More packets than these in one file that do not decode: the rest is not worth the time.
_MAX_BAD_PACKETS = 1000
#: The only decoders that FFmpeg may open, so no video decoder ever runs. Old codecs of music are not among them.
_DECODERS = (
    "aac,aac_latm,ac3,eac3,alac,amrnb,amrwb,dca,flac,gsm,gsm_ms,mp1,mp1float,mp2,mp2float,mp3,mp3float,nellymoser,opus,"
    "speex,truehd,mlp,tta,vorbis,wavpack,wmalossless,wmapro,wmav1,wmav2,wmavoice,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,"
    "adpcm_swf,adpcm_yamaha,g722,g726,g726le,g723_1,g729,ilbc,mace3,mace6,qcelp,truespeech,pcm_alaw,pcm_bluray,pcm_dvd,"
    "pcm_f16le,pcm_f24le,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s8,pcm_s8_planar,pcm_s16be,"
    "pcm_s16be_planar,pcm_s16le,pcm_s16le_planar,pcm_s24be,pcm_s24le,pcm_s24le_planar,pcm_s32be,pcm_s32le,"
    "pcm_s32le_planar,pcm_s64be,pcm_s64le,pcm_u8,pcm_u16be,pcm_u16le,pcm_u24be,pcm_u24le,pcm_u32be,pcm_u32le,s302m"
)
_ACCEPTED = frozenset(_DECODERS.split(","))
#: Formats whose stamps say when a sound is played. Those of the others are counted from bytes or frames, and AVI's are
#: counted wrongly for several codecs.
_STAMPED = frozenset(("asf", "flv", "matroska", "mov", "mpeg", "mpegts", "ogg"))
#: Files of these may be joined end to end without any damage: each begins anew, or has no header to speak of.
_MAY_BE_JOINED = frozenset(("amr", "mp3", "wav", "wv"))
#: More tracks than these are not looked at, and so many samples of them may wait for one that is behind.
_MAX_TRACKS = 8
_MAX_LEAD = 30 * SAMPLE_RATE_HZ


class UndecodableFile(Exception):
    """No audio can be decoded from the file. codec: FFmpeg's name of one that is not accepted."""

    code = "audio_unreadable"

    def __init__(self, detail: str, *, codec: str | None = None) -> None:
        super().__init__(detail)
        self.codec = codec


class MissingTrack(Exception):
    """The file has no track of the number that was asked for."""

    code = "track_missing"


def open_container(file: BinaryIO, demuxer: str, **options: str) -> InputContainer:
    """Open `file` with the one demuxer named; no protocol is allowed, so it can open nothing else."""
    options |= {
        "protocol_whitelist": "none",
        "format_whitelist": demuxer,
        "codec_whitelist": _DECODERS,
    }
    return av.open(file, "r", format=demuxer, options=options, metadata_errors="replace", buffer_size=1 << 18)


class FileDecoder:
    """Decodes one file to blocks of samples.

    track: `plain` for the track that a player takes, mixed; `auto` for each channel of each track apart; `mix` for all
    tracks, each mixed; or a number from 1 for each channel of that one. max_silence_s: so much is put into gaps in all.
    `tracks` is valid from the first block on; `truncated` (whether audio is missing from the file) and `is_closed`
    (whether gaps or jumps in its stamps were closed) once `blocks` has ended.
    """

    def __init__(
        self, file: BinaryIO, demuxer: str, *, track: str = PLAIN, max_silence_s: float = float("inf")
    ) -> None:
        self._file, self._demuxer, self._wanted = file, demuxer, track
        self._max_silence_s = max_silence_s
        self._size_bytes = file.seek(0, os.SEEK_END)
        self._bad_packets = 0
        self._delivered = False
        self._is_stamped = demuxer in _STAMPED
        self._base_s: float | None = None
        self._pipes: list[ChannelResampler] = []
        self._aligner: TrackAligner | None = None
        self.tracks: list[Track] = []
        self.truncated = False

    @property
    def is_closed(self) -> bool:
        return any(pipe.timeline.is_closed for pipe in self._pipes)

    def blocks(self) -> Iterator[Planes]:
        """Yield s16le samples of 16 kHz, about a second in each block, for each channel of the tracks decoded.

        Raises UndecodableFile, MissingTrack.
        """
        start = self._skipped_bytes()
        sections = find_sections(self._file, self._demuxer, start, self._size_bytes)
        for section in sections:
            try:
                yield from self._section_blocks(section, is_whole=sections == [Section(0, self._size_bytes)])
            except (av.error.FFmpegError, ValueError, UndecodableFile) as error:
                # Damage that shows before the first sample leaves nothing; later, what was decoded counts.
                if not self._delivered and section is sections[-1]:
                    if isinstance(error, UndecodableFile):
                        raise
                    raise UndecodableFile(f"{type(error).__name__}: {error}") from error
                self.truncated = True
        if self._aligner is not None:
            yield from self._counted(self._aligner.finish())
        if not self._delivered:
            raise UndecodableFile("no packet decodes")
        if len(sections) > 1 and self._demuxer not in _MAY_BE_JOINED:
            # Where their stamps go on, a recorder has only repeated the header.
            self.truncated |= self._demuxer != "mov" or any(pipe.timeline.is_rejoined for pipe in self._pipes)

    def _skipped_bytes(self) -> int:
        """Count what stands before the file that the demuxer reads: zeros, a head of HTTP, the rest of a frame."""
        head, zeros = read_head(self._file)
        demuxer, start = locate(head)
        return zeros + start if demuxer == self._demuxer else 0

    def _counted(self, blocks: Iterator[Planes]) -> Iterator[Planes]:
        for planes in blocks:
            self._delivered = True
            yield planes

    def _section_blocks(self, section: Section, *, is_whole: bool) -> Iterator[Planes]:
        file = self._file if is_whole else cast(BinaryIO, SectionFile(self._file, section))
        size_bytes = section.end - section.start
        claimed_frames = mp3_frames_claimed(file) if self._demuxer == "mp3" else 0
        self.truncated |= not section.reads_on and lacks_bytes(file, self._demuxer, size_bytes)
        file.seek(0)
        options = {"ignore_length": "1"} if section.reads_on else {}
        with open_container(file, self._demuxer, **options) as container:
            streams = self._chosen(container)
            reading = FrameReader(self._demuxer, _MAX_BAD_PACKETS - self._bad_packets)
            time_bases_s = [float(stream.time_base or 0) for stream in streams]
            for position, frame in reading.frames(container, streams):
                ready = self._pipes[position].push(frame, self._place_s(frame, time_bases_s[position]))
                if ready:
                    yield from self._aligned(position, ready)
            for position, pipe in enumerate(self._pipes):
                yield from self._aligned(position, pipe.flush())
            self._bad_packets += reading.bad_packets
            stream = streams[0]
            if self._demuxer == "flac" and stream.duration and stream.time_base:
                expected = stream.duration * stream.time_base * stream.rate
                self.truncated |= reading.source_samples < expected - stream.rate / 10
        self.truncated |= reading.has_hole or lacks_end(self._demuxer, reading.last_packet)
        self.truncated |= claimed_frames > reading.mp3_frames + 2

    def _aligned(self, position: int, pieces: list[Planes]) -> Iterator[Planes]:
        assert self._aligner is not None
        for planes in pieces:
            yield from self._counted(self._aligner.add(position, planes))

    def _place_s(self, frame: AudioFrame, time_base_s: float) -> float | None:
        """Compute where a frame stands in the file, None where its format has no stamps to be believed."""
        if not self._is_stamped or frame.pts is None:
            return None
        at_s = frame.pts * time_base_s
        if self._base_s is None:
            self._base_s = at_s
        return at_s - self._base_s

    def _chosen(self, container: InputContainer) -> list[AudioStream]:
        """Choose the streams to be decoded; of a joined file's later ones, those at the same places."""
        audio = list(container.streams.audio)
        if not audio:
            raise UndecodableFile("no audio stream")
        best = container.streams.best("audio")
        default = best if isinstance(best, AudioStream) else audio[0]
        is_first = not self._pipes
        if is_first:
            self._base_s = _earliest_start_s(container)
            self.tracks = [_track(number + 1, stream, stream is default) for number, stream in enumerate(audio)]
            self._decide(audio)
        chosen = [track.number - 1 for track in self.tracks if track.channels]
        for pipe in [] if is_first else self._pipes:
            pipe.timeline.begin_anew()
        streams = [audio[min(index, len(audio) - 1)] for index in chosen]
        for stream in container.streams:
            if stream not in streams:
                stream.discard = Discard.all
        for stream in streams:
            context = _context(stream)
            if context is None or context.name not in _ACCEPTED:
                raise UndecodableFile("a codec that is not accepted", codec=context.name if context else "unknown")
            context.thread_count = 1  # each thread would count its stack against the limit of memory
        return streams

    def _decide(self, audio: list[AudioStream]) -> None:
        """Decide which tracks are decoded in which channels. Raises UndecodableFile, MissingTrack."""
        tracks = self.tracks
        match self._wanted:
            case "plain":
                wanted = [track for track in tracks if track.is_default]
            case "auto" | "mix":
                wanted = [track for track in tracks if track.is_accepted][:_MAX_TRACKS]
                wanted = wanted or tracks[:1]
            case number:
                wanted = [track for track in tracks if str(track.number) == number]
        if not wanted:
            raise MissingTrack
        refused = next((track for track in wanted if not track.is_accepted), None)
        if refused is not None:
            raise UndecodableFile(f"the codec {refused.codec} is not accepted", codec=refused.codec)
        is_apart = self._wanted not in (PLAIN, MIX)
        layouts = [_layout(audio[track.number - 1]) for track in wanted]
        channels = [channels_of(*layout) if is_apart else MIXED for layout in layouts]
        self._pipes = [
            ChannelResampler(names, layout, Timeline(self._max_silence_s))
            for names, (layout, _) in zip(channels, layouts, strict=True)
        ]
        of_number = dict(zip((track.number for track in wanted), channels, strict=True))
        self.tracks = [track.with_channels(of_number.get(track.number, ())) for track in tracks]
        self._aligner = TrackAligner(
            [len(names) for names in channels],
            block=SAMPLE_RATE_HZ,
            max_lead=_MAX_LEAD,
            on_pad=lambda position, samples: self._pipes[position].timeline.pad(samples / SAMPLE_RATE_HZ),
        )


def _context(stream: AudioStream) -> AudioCodecContext | None:
    return cast("AudioCodecContext | None", stream.codec_context)


def _layout(stream: AudioStream) -> tuple[str, list[str]]:
    """Return the name of a stream's layout, and those of its channels."""
    context = _context(stream)
    if context is None or not context.layout.nb_channels:
        return "mono", ["FC"]
    return context.layout.name, [channel.name for channel in context.layout.channels]


def _track(number: int, stream: AudioStream, is_default: bool) -> Track:
    context, tags = _context(stream), stream.metadata
    return Track(
        number=number,
        codec=context.name if context is not None else "unknown",
        title=(tags.get("title") or tags.get("name") or tags.get("handler_name") or "")[:LONGEST_TAG],
        language=tags.get("language", "")[:LONGEST_TAG],
        is_default=is_default,
        is_accepted=context is not None and context.name in _ACCEPTED,
    )


def _earliest_start_s(container: InputContainer) -> float | None:
    """Find when the first track of sound or pictures begins: players count from there. None where nobody says."""
    starts = [
        stream.start_time * float(stream.time_base)
        for stream in container.streams
        if stream.type in ("audio", "video")
        and not stream.disposition & Disposition.attached_pic
        and stream.start_time is not None
        and stream.time_base is not None
    ]
    return min(starts, default=None)
