"""What is decoded of a file's tracks and channels, and at which times."""

import io
from typing import Any

import av
import numpy as np
import pytest

from streametrics.audio import tracks
from streametrics.audio.pyav import FileDecoder, MissingTrack, UndecodableFile
from streametrics.audio.sniffing import HEAD_BYTES, locate, read_head
from tests.support.media import KINDS, Track, encode, encode_tracks, tone

RATE = 16_000
#: Kinds that keep the times of what they hold.
TIMED = ["mp4", "mkv-aac", "mpegts-aac", "webm-opus", "flv-aac", "ogg-opus", "mpeg-mp2"]
WITH_VIDEO = ["mp4", "mkv-aac", "mpegts-aac", "mpeg-mp2"]
SEVERAL = ["mp4", "mp4-dash", "mkv-aac", "webm-opus", "mpegts-aac", "avi-mp3"]


def decoder_of(data: bytes, kind: str, **options: Any) -> FileDecoder:
    return FileDecoder(io.BytesIO(data), KINDS[kind].demuxer, **options)


def channels(decoder: FileDecoder) -> np.ndarray:
    """All samples, shape (channels, samples)."""
    blocks = [np.stack([np.frombuffer(plane, "<i2") for plane in planes]) for planes in decoder.blocks()]
    assert all(0 < block.shape[1] <= RATE for block in blocks)
    return np.concatenate(blocks, axis=1)


def sound(seconds: float, kind: str, hz: float = 440.0) -> np.ndarray:
    return tone(seconds, KINDS[kind].rate_hz, hz)


def loud_from_to(samples: np.ndarray) -> list[tuple[float, float]]:
    """The stretches, in seconds, that are not silent."""
    steps = samples[: samples.size // 800 * 800].reshape(-1, 800).astype(float)
    loud = np.concatenate(([False], np.sqrt((steps**2).mean(axis=1)) > 1000, [False]))
    edges = np.flatnonzero(loud[1:] != loud[:-1]) / 20
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def near(expected: list[tuple[float, float]]) -> Any:
    return [pytest.approx(stretch, abs=0.12) for stretch in expected]


@pytest.mark.parametrize("kind", TIMED)
def test_a_gap_counts_as_silence(kind: str) -> None:
    data = encode_tracks(Track(((0.0, sound(3, kind)), (23.0, sound(2, kind)))), kind=kind)
    decoder = decoder_of(data, kind)
    assert loud_from_to(channels(decoder)[0]) == near([(0, 3), (23, 25)])
    assert not decoder.is_closed


@pytest.mark.parametrize("kind", TIMED)
def test_a_gap_of_more_than_ten_minutes_is_closed(kind: str) -> None:
    data = encode_tracks(Track(((0.0, sound(3, kind)), (700.0, sound(2, kind)))), kind=kind)
    decoder = decoder_of(data, kind)
    assert channels(decoder).shape[1] / RATE == pytest.approx(5.0, abs=0.1)
    assert decoder.is_closed


@pytest.mark.parametrize("kind", TIMED)
def test_more_gaps_than_allowed_are_closed(kind: str) -> None:
    pieces = tuple((index * 30.0, sound(1, kind)) for index in range(6))
    decoder = decoder_of(encode_tracks(Track(pieces), kind=kind), kind, max_silence_s=60.0)
    assert channels(decoder).shape[1] / RATE == pytest.approx(6.0 + 58.0, abs=0.3)
    assert decoder.is_closed


@pytest.mark.parametrize("kind", WITH_VIDEO)
@pytest.mark.parametrize(
    ("video_from_s", "sound_from_s", "expected_s"), [(0.0, 4.0, 4.0), (2.0, 3.0, 1.0), (2.0, 0.0, 0.0)]
)
def test_sound_begins_where_a_player_plays_it(
    kind: str, video_from_s: float, sound_from_s: float, expected_s: float
) -> None:
    data = encode_tracks(Track(((sound_from_s, sound(3, kind)),)), kind=kind, video_from_s=video_from_s)
    decoder = decoder_of(data, kind)
    assert loud_from_to(channels(decoder)[0]) == near([(expected_s, expected_s + 3)])
    assert not decoder.is_closed


@pytest.mark.parametrize("kind", TIMED)
def test_sound_alone_begins_at_zero(kind: str) -> None:
    data = encode_tracks(Track(((4.0, sound(3, kind)),)), kind=kind)
    assert loud_from_to(channels(decoder_of(data, kind))[0]) == near([(0, 3)])


def test_a_picture_of_the_cover_is_no_video_that_begins_earlier() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        picture.pts = 0
        container.mux([*cover.encode(picture), *cover.encode(None)])
        frame = av.AudioFrame.from_ndarray(tone(2.0, 44_100)[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    decoder = FileDecoder(io.BytesIO(file.getvalue()), "mov")
    assert loud_from_to(channels(decoder)[0]) == near([(0, 2)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_video", [False, True])
def test_nothing_is_closed_or_filled_in_an_ordinary_file(kind: str, with_video: bool) -> None:
    try:
        data = encode(sound(6, kind), kind, with_video=with_video)
    except (av.error.FFmpegError, ValueError):
        assert with_video, "it holds no video"
        return
    decoder = decoder_of(data, kind)
    assert channels(decoder).shape[1] / RATE == pytest.approx(6.0, abs=0.1)
    assert not decoder.is_closed
    assert not decoder.truncated


@pytest.mark.parametrize("kind", SEVERAL)
def test_each_channel_of_each_track_comes_apart(kind: str) -> None:
    """Given two tracks, the second in opposite phase and a second late, each channel comes apart and at its time."""
    voice = sound(2, kind, 880)
    game, mic = Track(((0.0, sound(3, kind)),), "Game"), Track(((1.0, np.stack([voice, -voice])),), "Mic", "eng")
    decoder = decoder_of(encode_tracks(game, mic, kind=kind), kind, track="auto")
    samples = channels(decoder)

    assert [track.channels for track in decoder.tracks] == [("mix",), ("FL", "FR")]
    assert [track.number for track in decoder.tracks if track.is_default] == [1]
    assert loud_from_to(samples[0]) == near([(0, 3)])
    # The muxer of AVI has no times: it puts a late sound at the beginning.
    start = 0 if kind == "avi-mp3" else 1
    assert loud_from_to(samples[1]) == loud_from_to(samples[2]) == near([(start, start + 2)])
    assert np.abs(samples[1].astype(int) + samples[2]).max() < 600
    if kind in ("mp4", "mkv-aac", "webm-opus"):
        told = [tracks.Track.from_json(track.to_json()).description for track in decoder.tracks]
        assert told == ['1 ("Game")', '2 ("Mic", eng)']


@pytest.mark.parametrize(
    ("track", "expected"), [("plain", [("mix",), ()]), ("mix", [("mix",), ("mix",)]), ("2", [(), ("FL", "FR")])]
)
def test_tracks_are_decoded_as_asked(track: str, expected: list[tuple[str, ...]]) -> None:
    stereo = np.stack([sound(2, "mkv-aac", 880)] * 2)
    data = encode_tracks(Track(((0.0, sound(2, "mkv-aac")),)), Track(((0.0, stereo),)), kind="mkv-aac")
    decoder = decoder_of(data, "mkv-aac", track=track)
    assert len(channels(decoder)) == sum(map(len, expected))
    assert [each.channels for each in decoder.tracks] == expected


@pytest.mark.parametrize("kind", ["mkv-aac", "wav", "flac"])
def test_six_channels_are_six_channels_in_their_order(kind: str) -> None:
    frequencies = (300.0, 500.0, 700.0, 60.0, 1100.0, 1300.0)
    data = encode_tracks(Track(((0.0, np.stack([sound(2, kind, hz) for hz in frequencies])),)), kind=kind)
    decoder = decoder_of(data, kind, track="auto")
    samples = channels(decoder)
    assert decoder.tracks[0].channels[:4] == ("FL", "FR", "FC", "LFE")
    heard = [float(np.argmax(np.abs(np.fft.rfft(channel.astype(float))))) * RATE / channel.size for channel in samples]
    assert heard == pytest.approx(frequencies, abs=2)


def test_a_track_that_is_not_there_is_missing() -> None:
    decoder = decoder_of(encode(sound(1, "m4a"), "m4a"), "m4a", track="2")
    with pytest.raises(MissingTrack):
        list(decoder.blocks())
    assert [track.number for track in decoder.tracks] == [1]


@pytest.mark.parametrize(("codec", "demuxer"), [("dfpwm", "wav"), ("real_144", "matroska"), ("adpcm_ima_ws", "aiff")])
def test_a_codec_that_is_not_accepted_is_named(codec: str, demuxer: str) -> None:
    file = io.BytesIO()
    with av.open(file, "w", format=demuxer) as container:
        stream = container.add_stream(codec, rate=8_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 8_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(UndecodableFile) as caught:
        list(FileDecoder(io.BytesIO(file.getvalue()), demuxer).blocks())
    assert caught.value.codec == codec


JUNK = {
    "a head of HTTP": b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n",
    "a radio's head": b"ICY 200 OK\r\nicy-name: A Station\r\n\r\n",
    "zeros": bytes(9_000),
    "many zeros": bytes(100_001),
}
MORE_JUNK = {
    "the head of a form": b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.mp3"\r\n\r\n',
    "an empty line": b"\r\n",
    "a mark of UTF-8": b"\xef\xbb\xbf",
    "other bytes": np.random.default_rng(0).bytes(3_000),
    "many other bytes": np.random.default_rng(1).bytes(20_000),
}


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_found_behind_what_does_not_belong_to_it(kind: str, junk: str) -> None:
    check_behind(JUNK[junk], kind)


@pytest.mark.parametrize("junk", MORE_JUNK)
@pytest.mark.parametrize("kind", ["mp3", "mp3-bare", "mp2", "adts"])
def test_frames_are_found_behind_anything(kind: str, junk: str) -> None:
    check_behind(MORE_JUNK[junk], kind)


@pytest.mark.parametrize("junk", sorted(set(MORE_JUNK) - {"many other bytes"}))
@pytest.mark.parametrize("kind", ["wav", "ogg-opus", "flac", "m4a", "webm-opus"])
def test_a_container_is_found_behind_a_little(kind: str, junk: str) -> None:
    check_behind(MORE_JUNK[junk], kind)


def check_behind(junk: bytes, kind: str) -> None:
    data = junk + encode(sound(3, kind), kind)
    assert locate(read_head(io.BytesIO(data))[0])[0] == KINDS[kind].demuxer
    decoder = decoder_of(data, kind)
    assert channels(decoder).shape[1] / RATE == pytest.approx(3.0, abs=0.1)
    assert not decoder.truncated


@pytest.mark.parametrize("magic", [b"PK\3\4", b"%PDF-1.7\n", b"MZ\x90\0", b"\x89PNG\r\n\x1a\n"])
def test_sound_inside_another_kind_of_file_is_left_alone(magic: bytes) -> None:
    assert locate(magic + bytes(100) + encode(sound(3, "mp3-bare"), "mp3-bare"))[0] is None


@pytest.mark.parametrize("cut", [1, 60, 187])
@pytest.mark.parametrize("front", [0, 4])
def test_a_transport_stream_may_begin_inside_a_packet(cut: int, front: int) -> None:
    data = encode(sound(6, "mpegts-aac"), "mpegts-aac")
    packets = [bytes(front) + data[at : at + 188] for at in range(0, len(data), 188)]
    cut_off = b"".join(packets)[cut:]
    assert locate(cut_off[:HEAD_BYTES])[0] == "mpegts"
    decoder = FileDecoder(io.BytesIO(cut_off), "mpegts")
    assert channels(decoder).shape[1] / RATE == pytest.approx(6.0, abs=1.0)
    assert not decoder.truncated


def test_sound_that_begins_more_than_ten_minutes_late_is_closed() -> None:
    data = encode_tracks(Track(((700.0, sound(2, "mkv-aac")),)), kind="mkv-aac", video_from_s=0.0)
    decoder = decoder_of(data, "mkv-aac")

    assert loud_from_to(channels(decoder)[0]) == near([(0, 2)])
    assert decoder.is_closed


def test_of_a_title_of_megabytes_a_part_is_told() -> None:
    track = Track(((0.0, sound(1, "mkv-aac")),), "T" * 5_000_000)
    decoder = decoder_of(encode_tracks(track, kind="mkv-aac"), "mkv-aac", track="auto")

    channels(decoder)
    assert [len(each.title) for each in decoder.tracks] == [tracks.LONGEST_TAG]
