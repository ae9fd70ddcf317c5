"""Resamples decoded frames to 16 kHz, each channel apart, and fills gaps. Runs in the decoding child only."""

from collections.abc import Iterator

from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.filter import Graph

from streametrics.audio.interleaving import Planes
from streametrics.audio.timeline import Timeline

#: `pcm.SAMPLE_RATE_HZ`; that module imports numpy, which this process can do without.
SAMPLE_RATE_HZ = 16_000
#: What stands for the channels of a track where they are mixed to one.
MIXED = ("mix",)
#: More channels than these are only mixed.
_MAX_CHANNELS = 8


def channels_of(layout_name: str, channel_names: list[str]) -> tuple[str, ...]:
    """Name the channels that are decoded of sound in this layout: each of them, or their mix."""
    if not 1 < len(channel_names) <= _MAX_CHANNELS:
        return MIXED
    is_known = not layout_name.endswith(" channels")
    return tuple(name if is_known else f"C{number}" for number, name in enumerate(channel_names))


class Resampler:
    """Resamples frames of one kind to 16 kHz s16: mono for `MIXED`, else each channel apart."""

    def __init__(self, frame: AudioFrame, channels: tuple[str, ...], layout: str) -> None:
        self._graph = Graph()
        self._graph.threads = 1
        last = self._graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        )
        options = {"sample_rates": str(SAMPLE_RATE_HZ), "sample_fmts": "s16" if channels == MIXED else "s16p"}
        pan = None
        if channels == MIXED:
            options["channel_layouts"] = "mono"
            if frame.layout.name.endswith(" channels"):  # nobody says where they belong: each counts the same
                pan = "mono|c0<" + "+".join(f"c{channel}" for channel in range(frame.layout.nb_channels))
        elif frame.layout.name != layout:
            if layout.endswith(" channels") or frame.layout.name.endswith(" channels"):
                last_channel = frame.layout.nb_channels - 1
                sources = "|".join(f"c{channel}=c{min(channel, last_channel)}" for channel in range(len(channels)))
                pan = f"{len(channels)}c|{sources}"
            else:
                options["channel_layouts"] = layout
        for name, arguments in (("pan", pan), ("aformat", None)):
            if name == "pan" and arguments is None:
                continue
            added = self._graph.add(name, arguments) if arguments else self._graph.add(name, **options)
            last.link_to(added)
            last = added
        last.link_to(self._graph.add("abuffersink"))
        self._graph.configure()

    def push(self, frame: AudioFrame | None) -> Iterator[Planes]:
        """Feed a frame (None: the end), and yield the samples that are ready."""
        self._graph.push(frame)
        while True:
            try:
                ready = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(ready, AudioFrame)
            yield [bytes(plane)[: 2 * ready.samples] for plane in ready.planes]


class ChannelResampler:
    """Resamples the frames of one track, whatever their kind, a second at once, and puts silence into gaps.

    A call of the filter for each frame would cost more than decoding an MP3. channels, layout: what the file
    says of the track; frames of another form are brought into that one.
    """

    def __init__(self, channels: tuple[str, ...], layout: str, timeline: Timeline) -> None:
        self.timeline = timeline
        self._channels, self._layout = channels, layout
        self._fifo, self._kind = AudioFifo(), ("", 0, "")
        self._resampler: Resampler | None = None

    def push(self, frame: AudioFrame, at_s: float | None) -> list[Planes]:
        """Feed a frame; returns the samples that are ready. at_s: its place in the file, None where it has no stamp."""
        ready: list[Planes] = []
        silence_s = self.timeline.place(at_s, frame.samples / frame.sample_rate)
        kind = (frame.format.name, frame.sample_rate, frame.layout.name)
        if silence_s or kind != self._kind:
            ready += self.flush()
            ready += self._silence(silence_s)
            self._fifo, self._kind = AudioFifo(), kind
            self._resampler = Resampler(frame, self._channels, self._layout)
        frame.pts = None  # damaged time stamps would make the filter invent or drop samples
        self._fifo.write(frame)
        if self._fifo.samples >= frame.sample_rate and self._resampler is not None:
            ready += self._resampler.push(self._fifo.read())
        return ready

    def flush(self) -> list[Planes]:
        """Return what is left of the frames so far."""
        resampler, self._resampler, self._kind = self._resampler, None, ("", 0, "")
        if resampler is None:
            return []
        rest = self._fifo.read()
        ready = [] if rest is None else list(resampler.push(rest))
        return ready + list(resampler.push(None))

    def _silence(self, seconds: float) -> list[Planes]:
        # The same second again and again: ten minutes of it take no memory.
        whole, rest = divmod(round(seconds * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
        silence = [[bytes(2 * SAMPLE_RATE_HZ)] * len(self._channels)] * whole
        return silence + ([[bytes(2 * rest)] * len(self._channels)] if rest else [])
