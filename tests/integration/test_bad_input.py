"""Each row of the table of bad input: the status, a sentence, nothing left on disk, and the service goes on."""

import socket
import struct
import threading
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.support.media import KINDS, encode, plain_wav, tone
from tests.support.stack import FIELDS, Stack, until

CHUNK = plain_wav(tone(1.0, 44_100))


@pytest.fixture(autouse=True)
def _goes_on_and_keeps_nothing(service: Stack) -> Iterator[None]:
    yield
    assert service.finished(service.submit(CHUNK))["status"] == "done"
    until(lambda: service.audio_files == [], within_s=10, what="the audio store is empty")


def refused(response: requests.Response, status: int, code: str) -> str:
    body = response.json()
    assert response.status_code == status, response.text
    assert (body["status"], body["code"]) == ("error", code)
    assert body["message"] == "An error occurred during processing"
    return str(body["error"])


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_missing_field_is_named(service: Stack, field: str) -> None:
    sentence = refused(service.post(CHUNK, **{field: None}), 422, "invalid_request")

    assert f"'{field}'" in sentence


@pytest.mark.parametrize("field", ["streamer", "language", "time"])
def test_an_empty_field_is_named(service: Stack, field: str) -> None:
    assert f"'{field}'" in refused(service.post(CHUNK, **{field: " "}), 422, "invalid_request")


def test_a_missing_or_misnamed_file_is_named(service: Stack) -> None:
    missing = requests.post(service.url + "/summarize/", files={"x": ("", "")}, data=FIELDS, timeout=10)
    misnamed = requests.post(service.url + "/summarize/", files={"sound": ("a.wav", CHUNK)}, data=FIELDS, timeout=10)

    assert "'audio'" in refused(missing, 422, "invalid_request")
    assert "'audio'" in refused(misnamed, 422, "invalid_request")


def test_audio_as_text_is_refused(service: Stack) -> None:
    response = requests.post(service.url + "/summarize/", files={"audio": (None, "hello")}, data=FIELDS, timeout=10)

    refused(response, 422, "invalid_request")


def test_a_body_that_is_no_form_is_refused(service: Stack) -> None:
    as_json = requests.post(service.url + "/summarize/", json=FIELDS, timeout=10)
    damaged = requests.post(
        service.url + "/summarize/",
        data=b"--x\r\nnot a header",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        timeout=10,
    )

    refused(as_json, 422, "invalid_request")
    refused(damaged, 422, "invalid_request")


@pytest.mark.parametrize(("field", "limit"), [("streamer", 200), ("game", 1_000), ("title", 1_000), ("time", 64)])
def test_a_field_at_its_limit_passes_and_one_over_it_does_not(service: Stack, field: str, limit: int) -> None:
    assert service.post(CHUNK, **{field: "é" * limit}).status_code == 200

    sentence = refused(service.post(CHUNK, **{field: "é" * (limit + 1)}), 422, "invalid_request")

    assert str(limit) in sentence


@pytest.mark.parametrize("language", ["xx", "", "klingonese", "en; DROP TABLE jobs", "e" * 64])
def test_an_unknown_language_is_refused(service: Stack, language: str) -> None:
    refused(service.post(CHUNK, language=language), 422, "invalid_request")


@pytest.mark.parametrize("language", ["en", "fr", "pt-BR", "zh-Hant", "German", "日本語"])
def test_any_language_works(service: Stack, language: str) -> None:
    assert service.finished(service.submit(CHUNK, language=language))["status"] == "done"


def test_empty_game_and_title_and_emoji_are_accepted(service: Stack) -> None:
    status = service.finished(service.submit(CHUNK, game="", title="🎉\u202e​", streamer="A" * 200))

    assert status["result"]["streamerName"] == "A" * 200


def test_an_empty_file_is_refused(service: Stack) -> None:
    refused(service.post(b""), 422, "audio_empty")


@pytest.mark.parametrize(
    "content",
    [
        b"this is a text that calls itself sound.wav, and some more of it",
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<!DOCTYPE html><html></html>",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        b"PK\x03\x04" + bytes(64),
        bytes(100_000),
    ],
    ids=["text", "m3u8", "concat", "html", "png", "zip", "zeros"],
)
def test_what_is_no_sound_is_refused(service: Stack, content: bytes) -> None:
    sentence = refused(service.post(content), 415, "audio_unsupported")

    assert "WAV" in sentence


def test_a_file_over_the_limit_is_refused_with_a_way_out(service: Stack) -> None:
    sentence = refused(service.post(CHUNK + bytes(5_000_000)), 413, "audio_too_large")

    assert "5 MB" in sentence and "ffmpeg" in sentence


def test_a_file_over_the_limit_without_a_length_is_cut_off_while_it_comes(service: Stack) -> None:
    """Given a body that says no length and sends 60 MB; expect 413 and no memory or disk taken for it."""
    boundary = b"x" * 16
    api = next(process for process in psutil.process_iter() if _listens(process, service.port))
    before = api.memory_info().rss
    most_on_disk = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            sizes = [path.stat().st_size for path in service.audio_files if path.exists()]
            most_on_disk[0] = max([most_on_disk[0], *sizes])

    def body() -> Iterator[bytes]:
        head = b'Content-Disposition: form-data; name="audio"; filename="a.wav"'
        yield b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + CHUNK
        for _ in range(60):
            yield bytes(1_000_000)

    watcher = threading.Thread(target=watch)
    watcher.start()
    response = requests.post(
        service.url + "/summarize/",
        data=body(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"},
        timeout=60,
    )
    done.set()
    watcher.join()

    refused(response, 413, "audio_too_large")
    assert most_on_disk[0] <= 5_000_000
    assert api.memory_info().rss - before < 20_000_000


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in process.net_connections()
        )
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


@pytest.mark.parametrize(
    "audio",
    [
        plain_wav(tone(1.0, 44_100))[:44],
        b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + b"\xff\xfb\x90\x00" + bytes(32),
        encode(tone(2.0, KINDS["mp4"].rate_hz), "mp4", with_video=True, with_audio=False),
        b"OggS" + bytes(500),
    ],
    ids=["header-only", "mp3-header", "video-without-sound", "broken-ogg"],
)
def test_what_decodes_to_nothing_ends_in_error(service: Stack, audio: bytes) -> None:
    status = service.finished(service.submit(audio))

    assert (status["status"], status["code"]) == ("error", "audio_unreadable")
    assert (status["progress"], status["current_step"]) == (0, "error")
    assert len(status["error"]) > 20


def test_a_recording_over_the_limit_is_found_while_decoding(service: Stack) -> None:
    status = service.finished(service.submit(encode(tone(400.0, 48_000, level=0.1), "ogg-opus")))

    assert (status["status"], status["code"]) == ("error", "audio_too_long")


def test_a_header_that_claims_37_hours_costs_nothing(service: Stack) -> None:
    wav = bytearray(plain_wav(tone(2.0, 8_000), 8_000))
    wav[40:44] = struct.pack("<I", 2_130_000_000)

    status = service.finished(service.submit(bytes(wav)))

    assert status["status"] == "done"
    assert status["result"]["segments"][-1]["end"] == pytest.approx(2.0, abs=0.1)


def test_a_file_that_is_cut_off_is_done_with_a_warning(service: Stack) -> None:
    whole = encode(tone(20.0, KINDS["mp3"].rate_hz), "mp3")

    status = service.finished(service.submit(whole[: len(whole) // 2]))

    assert status["status"] == "done"
    assert [warning["code"] for warning in status["warnings"]] == ["audio_truncated"]
    assert status["result"]["text"].startswith("word0 word1 word2")


def test_an_upload_that_breaks_off_leaves_nothing(service: Stack) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n' + CHUNK[:50_000]
    head = f"POST /summarize/ HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\nContent-Length: 1000000\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + body)
        until(lambda: service.audio_files, within_s=5, what="the upload is being stored")

    until(lambda: service.audio_files == [], within_s=5, what="what was stored is gone")


def test_a_form_that_ends_too_early_is_refused(service: Stack) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n' + CHUNK
    response = requests.post(
        service.url + "/summarize/",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        timeout=10,
    )

    assert "ended" in refused(response, 422, "invalid_request")
