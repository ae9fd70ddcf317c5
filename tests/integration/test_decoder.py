"""Reading untrusted sound: a real child process, real files of every kind, and spoiled ones."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import billiard
import numpy as np
import pytest

from streametrics.audio.decoder import BACKGROUND_NICENESS, AudioDecoder, ComputingLimit
from streametrics.audio.pcm import to_float32
from streametrics.audio.pyav import open_container
from streametrics.audio.sniffing import HEAD_BYTES, sniff
from streametrics.errors import AudioStalled, AudioTooLong, AudioUnreadable, InternalError, TimedOut
from tests.support.media import KINDS, encode, encode_blocks, mutated, plain_wav, tone

RATE = 16_000
LIMITS = {"max_audio_s": 120.0, "timeout_s": 30.0}
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def decoder() -> Iterator[AudioDecoder]:
    with AudioDecoder() as decoder:
        yield decoder


@pytest.fixture
def heard(decoder: AudioDecoder, tmp_path: Path):
    """Decodes bytes; returns samples and whether they were truncated."""

    def decode(data: bytes, demuxer: str, **limits: float) -> tuple[np.ndarray, bool]:
        path = tmp_path / "upload"
        path.write_bytes(data)
        decoding = decoder.decode(path, demuxer, **{**LIMITS, **limits})
        blocks = list(decoding)
        assert all(block.dtype == np.int16 and block.size <= RATE for block in blocks)
        samples = np.concatenate(blocks)
        assert decoding.duration_s == pytest.approx(samples.size / RATE)
        return samples, decoding.truncated

    return decode


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(to_float32(samples)))
    return float(np.argmax(spectrum)) * RATE / samples.size


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_gives_its_sound(heard, kind: str) -> None:
    samples, truncated = heard(encode(tone(3.0, KINDS[kind].rate_hz), kind), KINDS[kind].demuxer)
    assert samples.size / RATE == pytest.approx(3.0, abs=0.05)
    assert loudest_hz(samples) == pytest.approx(440, abs=1)
    assert 0.2 < np.abs(to_float32(samples[RATE : 2 * RATE])).max() < 0.36  # 0.21: a stereo encoder turned it down
    assert not truncated


@pytest.mark.parametrize("kind", ["m4a", "mkv-aac", "avi-mp3", "mpegts-aac"])
def test_the_sound_of_a_video_is_heard(heard, kind: str) -> None:
    data = encode(tone(3.0, KINDS[kind].rate_hz), kind, with_video=True)
    samples, truncated = heard(data, sniff(data[:HEAD_BYTES]))
    assert samples.size / RATE == pytest.approx(3.0, abs=0.05)
    assert loudest_hz(samples) == pytest.approx(440, abs=1)
    assert not truncated


def test_a_video_without_sound_is_unreadable(heard) -> None:
    data = encode(tone(3.0, 44_100), "m4a", with_video=True, with_audio=False)
    assert sniff(data[:HEAD_BYTES]) == "mov"
    with pytest.raises(AudioUnreadable):
        heard(data, "mov")


def test_a_header_without_samples_is_unreadable(heard) -> None:
    for data, demuxer in ((plain_wav(np.zeros(0, np.float32)), "wav"), (b"", "wav"), (b"fLaC", "flac")):
        with pytest.raises(AudioUnreadable):
            heard(data, demuxer)


@pytest.mark.parametrize("channels", [2, 3, 6, 8, 13])
def test_all_channels_are_mixed(heard, channels: int) -> None:
    wav = bytearray(plain_wav(np.repeat(tone(1.0, RATE), channels), RATE))
    wav[22:24] = channels.to_bytes(2, "little")
    wav[28:32] = (RATE * 2 * channels).to_bytes(4, "little")
    wav[32:34] = (2 * channels).to_bytes(2, "little")
    samples, _ = heard(bytes(wav), "wav")
    assert samples.size == RATE
    assert loudest_hz(samples) == pytest.approx(440, abs=1)


def test_a_header_that_claims_37_hours_gives_the_second_that_is_there(heard) -> None:
    wav = plain_wav(tone(1.0, 16_000), 16_000, claimed_bytes=37 * 3600 * 32_000)
    samples, truncated = heard(wav, "wav")
    assert (samples.size, truncated) == (RATE, True)


@pytest.mark.parametrize("claimed", [0, 0xFFFF_FFFF, 0xFFFF_FFFF - 36, 0x7FFF_FFFF, 0x7FFF_F000])
def test_a_streamed_wav_that_does_not_know_its_size_is_whole(heard, claimed: int) -> None:
    samples, truncated = heard(plain_wav(tone(1.0, 16_000), 16_000, claimed_bytes=claimed), "wav")
    assert (samples.size, truncated) == (RATE, False)


CUTTABLE = ["wav", "rf64", "w64", "aiff", "au", "flac", "mp3", "mp3-bare", "adts", "ogg-opus"]
CUTTABLE += ["webm-opus", "mkv-aac", "mp4-fragmented", "avi-mp3"]


@pytest.mark.parametrize("kind", CUTTABLE)
def test_a_cut_file_gives_what_is_left_and_says_so(heard, kind: str) -> None:
    data = encode(tone(6.0, KINDS[kind].rate_hz), kind)
    samples, truncated = heard(data[: len(data) * 6 // 10 + 1], KINDS[kind].demuxer)
    assert 2.0 < samples.size / RATE < 4.0
    assert truncated


def test_a_cut_mp4_with_its_index_in_front_says_so(heard, tmp_path: Path) -> None:
    path = tmp_path / "front.m4a"
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(6.0, 44_100)[None], format="flt", layout="mono")
        frame.sample_rate = 44_100
        container.mux([*stream.encode(frame), *stream.encode(None)])
    data = path.read_bytes()
    assert not heard(data, "mov")[1]
    samples, truncated = heard(data[: len(data) * 6 // 10], "mov")
    assert 2.0 < samples.size / RATE < 4.5
    assert truncated


def test_a_cut_mp4_with_its_index_behind_is_unreadable(heard) -> None:
    data = encode(tone(6.0, 44_100), "m4a")
    with pytest.raises(AudioUnreadable):
        heard(data[: len(data) * 6 // 10], "mov")


def test_a_recorder_that_never_closed_its_webm_is_whole(heard) -> None:
    """A browser's recorder writes no sizes and no duration: its end cannot be told from a cut."""
    data = encode(tone(3.0, 48_000), "webm-live")
    assert b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" in data
    assert not heard(data, "matroska")[1]


def test_tags_and_rubbish_around_an_mp3_do_not_make_it_truncated(heard) -> None:
    data = encode(tone(3.0, 44_100), "mp3")
    tagged = data + b"TAG" + b"a title".ljust(125, b"\0")
    assert not heard(tagged, "mp3")[1]
    started_late = encode(tone(3.0, 44_100), "mp3-bare")[137:]
    samples, truncated = heard(started_late, "mp3")
    assert not truncated
    assert samples.size / RATE == pytest.approx(3.0, abs=0.1)


def test_a_hole_in_the_middle_is_skipped_and_told(heard) -> None:
    data = bytearray(encode(tone(6.0, 44_100), "flac"))
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    samples, truncated = heard(bytes(data), "flac")
    assert 3.0 < samples.size / RATE < 6.0
    assert truncated


def test_more_sound_than_allowed_is_stopped_while_decoding(decoder: AudioDecoder, tmp_path: Path) -> None:
    """Given minutes of silence in a few KB, when less is allowed, then it ends early and small."""
    path = tmp_path / "bomb.opus"
    silence = np.zeros(48_000 * 60, np.float32)
    path.write_bytes(encode_blocks((silence for _ in range(4)), "ogg-opus"))
    assert path.stat().st_size < 60_000
    began, delivered = time.monotonic(), 0
    with pytest.raises(AudioTooLong, match="90 seconds"):
        for block in decoder.decode(path, "ogg", max_audio_s=90, timeout_s=60):
            delivered += block.size
    assert 88 * RATE < delivered <= 90 * RATE
    assert time.monotonic() - began < 15


def test_the_limit_is_told_in_hours(decoder: AudioDecoder, tmp_path: Path) -> None:
    path = tmp_path / "slow.wav"
    path.write_bytes(plain_wav(np.zeros(5_000_000, np.float32), 1000))
    with pytest.raises(AudioTooLong, match="1 hour"):
        list(decoder.decode(path, "wav", max_audio_s=3600, timeout_s=60))


def test_an_impossible_sample_rate_is_refused(heard) -> None:
    with pytest.raises(AudioUnreadable):
        heard(plain_wav(tone(1.0, 8000), 1), "wav")


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{file}\n#EXTINF:2,\n{address}/a.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{file}'\nfile '{address}/a.wav'\n",
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_opens_neither_files_nor_addresses(decoder: AudioDecoder, tmp_path: Path, name: str) -> None:
    canary = tmp_path / "secret.wav"
    canary.write_bytes(plain_wav(tone(2.0, RATE), RATE))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        text = PLAYLISTS[name].format(file=canary, address=f"http://127.0.0.1:{port}", port=port)
        playlist = tmp_path / "playlist.wav"
        playlist.write_text(text)
        os.utime(canary, (1, 1))

        assert sniff(playlist.read_bytes()) is None
        for demuxer in (name, "wav", "mp3", "mov", "matroska", "ogg", "mpegts"):
            with pytest.raises(AudioUnreadable):
                list(decoder.decode(playlist, demuxer, **LIMITS))
        # The second line of defense, without the child's list of demuxers and without its limits.
        with pytest.raises(av.error.FFmpegError), playlist.open("rb") as file, open_container(file, name) as opened:
            assert list(opened.demux()) == []
            raise av.error.InvalidDataError(0, "opened, and empty")

        assert canary.stat().st_atime == 1
        with pytest.raises(BlockingIOError):
            server.accept()


def test_without_the_defences_the_playlist_would_open_the_canary(tmp_path: Path) -> None:
    """The control of the test above: else it could not fail."""
    canary, playlist = tmp_path / "secret.wav", tmp_path / "playlist.wav"
    canary.write_bytes(plain_wav(tone(2.0, RATE), RATE))
    playlist.write_text(f"ffconcat version 1.0\nfile '{canary}'\n")
    with av.open(str(playlist), format="concat", options={"safe": "0"}) as opened:
        assert sum(frame.samples for frame in opened.decode(audio=0)) == 2 * RATE


@ON_LINUX
def test_spoiled_files_harm_nobody(decoder: AudioDecoder, tmp_path: Path) -> None:
    sources = {kind: encode(tone(1.0, how.rate_hz), kind) for kind, how in KINDS.items()}
    sources["m4a-video"] = encode(tone(1.0, 44_100), "m4a", with_video=True)
    path, ends = tmp_path / "upload", {"heard": 0, "unreadable": 0, "too long": 0}
    for seed in range(160):
        kind = sorted(sources)[seed % len(sources)]
        path.write_bytes(mutated(sources[kind], seed))
        demuxer = KINDS[kind.removesuffix("-video")].demuxer
        try:
            track = "auto" if seed % 2 else "plain"
            list(decoder.decode(path, demuxer, track=track, max_audio_s=600, timeout_s=20))
            ends["heard"] += 1
        except AudioUnreadable:
            ends["unreadable"] += 1
        except AudioTooLong:
            ends["too long"] += 1
        assert peak_memory_mib(decoder) < 1024
    assert ends["heard"] > 40
    assert ends["unreadable"] > 10


def peak_memory_mib(decoder: AudioDecoder) -> float:
    if decoder.pid is None:
        return 0
    status = Path(f"/proc/{decoder.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@ON_LINUX
def test_the_childs_limits_are_set(decoder: AudioDecoder, heard) -> None:
    heard(plain_wav(tone(1.0, RATE), RATE), "wav")
    lines = Path(f"/proc/{decoder.pid}/limits").read_text().splitlines()
    hard = {line[:26].strip(): line.split()[-2] for line in lines[1:]}
    assert int(hard["Max address space"]) < 1200 << 20
    assert hard["Max file size"] == "0"
    assert hard["Max core file size"] == "0"
    assert int(hard["Max open files"]) <= 64


@ON_LINUX
def test_the_child_inherits_no_socket_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERNAL_API_KEY", "a-key-of-sixteen-letters")
    path = tmp_path / "upload"
    path.write_bytes(plain_wav(tone(1.0, RATE), RATE))
    with socket.create_server(("127.0.0.1", 0)) as server, AudioDecoder() as decoder:
        server.set_inheritable(True)
        list(decoder.decode(path, "wav", **LIMITS))
        targets = [str(link.readlink()) for link in Path(f"/proc/{decoder.pid}/fd").iterdir()]
        assert not [target for target in targets if target.startswith("socket:")]
        assert b"INTERNAL_API_KEY" not in Path(f"/proc/{decoder.pid}/environ").read_bytes()


def test_a_killed_child_fails_its_file_only(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(plain_wav(tone(60.0, RATE), RATE))
    with AudioDecoder() as decoder:
        decoding = decoder.decode(path, "wav", **LIMITS)
        assert next(decoding).size
        os.kill(decoder.pid, signal.SIGKILL)
        with pytest.raises(AudioUnreadable):
            list(decoding)
        assert sum(block.size for block in decoder.decode(path, "wav", **LIMITS)) == 60 * RATE


def test_a_child_that_died_while_idle_is_replaced_unseen(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(plain_wav(tone(1.0, RATE), RATE))
    with AudioDecoder() as decoder:
        list(decoder.decode(path, "wav", **LIMITS))
        os.kill(decoder.pid, signal.SIGKILL)
        decoder._child.wait(10)
        assert sum(block.size for block in decoder.decode(path, "wav", **LIMITS)) == RATE


def test_a_decoding_left_early_does_not_disturb_the_next(tmp_path: Path) -> None:
    long, short = tmp_path / "long", tmp_path / "short"
    long.write_bytes(plain_wav(tone(60.0, RATE), RATE))
    short.write_bytes(plain_wav(tone(1.0, RATE), RATE))
    with AudioDecoder() as decoder:
        with decoder.decode(long, "wav", **LIMITS) as decoding:
            next(decoding)
        for _ in decoder.decode(long, "wav", **LIMITS):
            break  # forgotten, not even closed
        assert sum(block.size for block in decoder.decode(short, "wav", **LIMITS)) == RATE


@pytest.mark.alone
@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP")
def test_a_child_that_hangs_is_stopped_in_time_and_the_next_file_works(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(plain_wav(tone(60.0, RATE), RATE))
    with AudioDecoder() as decoder:
        decoding = decoder.decode(path, "wav", max_audio_s=120, timeout_s=1.0)
        next(decoding)
        os.kill(decoder.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(TimedOut):
            list(decoding)
        assert time.monotonic() - began < 3
        assert sum(block.size for block in decoder.decode(path, "wav", **LIMITS)) == 60 * RATE


@ON_LINUX
def test_a_file_that_gives_no_sound_for_too_much_computing_is_left_and_the_next_one_works(tmp_path: Path) -> None:
    # Given a file of chunks that hold nothing, one by one, and one of five minutes that unfolds as it is read
    empty, long = tmp_path / "empty", tmp_path / "long"
    empty.write_bytes(plain_wav(tone(0.0, RATE), RATE)[:36] + (b"JUNK" + bytes(4)) * 300_000)
    long.write_bytes(encode_blocks((tone(60.0, 48_000) for _ in range(5)), "ogg-opus"))
    limits = {"max_audio_s": 3600.0, "timeout_s": 60.0}

    with AudioDecoder(ComputingLimit(0.1, per_block=True)) as decoder:
        with pytest.raises(AudioStalled):
            list(decoder.decode(empty, "wav", **limits))
        # Expect each block to be given that time anew
        assert sum(block.size for block in decoder.decode(long, "ogg", **limits)) / RATE == pytest.approx(300, abs=1)
    with AudioDecoder(ComputingLimit(0.1, per_block=False)) as decoder, pytest.raises(AudioStalled):
        list(decoder.decode(long, "ogg", **limits))


@ON_LINUX
def test_a_decoder_in_the_background_gives_way_to_all_other_work(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(plain_wav(tone(1.0, RATE), RATE))
    with AudioDecoder(in_background=True) as decoder:
        assert sum(block.size for block in decoder.decode(path, "wav", **LIMITS)) == RATE
        assert os.getpriority(os.PRIO_PROCESS, decoder.pid) == min(19, os.nice(0) + BACKGROUND_NICENESS)


@ON_LINUX
def test_a_decoding_can_be_interrupted_from_another_thread(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(plain_wav(tone(60.0, RATE), RATE))
    with AudioDecoder() as decoder:
        decoding = decoder.decode(path, "wav", **LIMITS)
        next(decoding)
        # Given a child that gives nothing more
        os.kill(decoder.pid, signal.SIGSTOP)
        interrupting = threading.Timer(0.1, decoder.interrupt)
        interrupting.start()
        with pytest.raises(AudioUnreadable):
            list(decoding)
        interrupting.join()
        assert sum(block.size for block in decoder.decode(path, "wav", **LIMITS)) == 60 * RATE


def test_a_child_that_cannot_start_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with AudioDecoder() as decoder, pytest.raises(InternalError, match="doctor"):
        list(decoder.decode(tmp_path / "upload", "wav", **LIMITS))


@ON_LINUX
def test_a_closed_decoder_leaves_no_child(tmp_path: Path) -> None:
    with AudioDecoder() as decoder:
        decoder.start()
        pid = decoder.pid
        assert pid is not None
    assert decoder.pid is None
    assert not Path(f"/proc/{pid}").exists()


PARENT = """
import sys
from pathlib import Path
from streametrics.audio.decoder import AudioDecoder
decoder = AudioDecoder()
decoding = decoder.decode(Path(sys.argv[1]), "wav", max_audio_s=1e6, timeout_s=600)
next(decoding)
print(decoder.pid, flush=True)
sys.stdin.read()
"""


@ON_LINUX
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_ends_with_its_parent_in_the_middle_of_a_file(tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "upload"
    path.write_bytes(plain_wav(tone(60.0, RATE), RATE))
    command = [sys.executable, "-c", PARENT, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(how)
        parent.wait(10)
    poller = select.poll()
    poller.register(child)
    assert poller.poll(5000), "the child is still there"
    os.close(child)


def test_it_works_in_a_daemonic_child_of_a_worker(tmp_path: Path) -> None:
    """Celery's prefork children are daemonic processes, which may start no `multiprocessing` process."""
    path, out = tmp_path / "upload", tmp_path / "out.json"
    path.write_bytes(plain_wav(tone(1.0, RATE), RATE))
    process = billiard.get_context("spawn").Process(target=_decode_into, args=(str(path), str(out)), daemon=True)
    process.start()
    process.join(30)
    assert json.loads(out.read_text()) == RATE


def _decode_into(path: str, out: str) -> None:
    with AudioDecoder() as decoder:
        Path(out).write_text(json.dumps(sum(block.size for block in decoder.decode(Path(path), "wav", **LIMITS))))


@pytest.mark.alone
def test_the_extensions_chunk_is_decoded_in_no_time(decoder: AudioDecoder, tmp_path: Path) -> None:
    path = tmp_path / "chunk.wav"
    path.write_bytes(plain_wav(tone(30.0, 44_100)))
    list(decoder.decode(path, "wav", **LIMITS))
    began = time.monotonic()
    assert sum(block.size for block in decoder.decode(path, "wav", **LIMITS)) == 30 * RATE
    assert time.monotonic() - began < 1.0
