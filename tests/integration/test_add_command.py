"""`streametrics add`: sends files to a real service and fetches their texts."""

from pathlib import Path

import pytest
import requests

from streametrics.cli import add, service_client
from streametrics.cli import main as cli
from tests.support.media import plain_wav, tone
from tests.support.ports import free_port
from tests.support.stack import Stack

RATE = 16_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(plain_wav(tone(3.0, RATE), RATE))
    return tmp_path


def jobs(service: Stack) -> list[str]:
    return [job["id"] for job in requests.get(f"{service.url}/v1/jobs?limit=100", timeout=30).json()["data"]]


def test_a_text_is_printed_and_subtitles_are_written(service: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["add", "a.wav", "--url", service.url]) == 0
    assert capsys.readouterr().out == "word0 word1 word2\n"
    assert cli.main(["add", "a.wav", "-o", "a.srt", "--url", f"{service.url}/", "--language", "fr"]) == 0
    assert Path("a.srt").read_text(encoding="utf-8").startswith("1\n00:00:00,000 --> ")
    assert cli.main(["add", "a.wav", "--get", "summary", "--summary", "short", "--url", service.url]) == 0
    assert "word0" in capsys.readouterr().out


def test_a_large_file_is_sent_as_its_sound(
    service: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a stereo file at another rate that counts as large
    monkeypatch.setattr(add, "MAX_SENT_WHOLE_BYTES", 1000)
    sent: list[tuple[str, int]] = []
    send = service_client.ServiceClient.send

    def noted(self: service_client.ServiceClient, file: Path, *rest: object) -> str:
        sent.append((file.name, file.stat().st_size))
        return send(self, file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(service_client.ServiceClient, "send", noted)
    (folder / "film.wav").write_bytes(plain_wav(tone(3.0, 48_000), 48_000))
    # When it is sent, expect FLAC at the rate that Whisper hears, and the same words
    assert cli.main(["add", "film.wav", "--url", service.url]) == 0
    assert capsys.readouterr().out == "word0 word1 word2\n"
    ((name, size),) = sent
    assert name == "film.flac"
    assert size < (folder / "film.wav").stat().st_size / 3


def test_several_files_and_a_damaged_one(service: Stack, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200))
    assert cli.main(["add", ".", "-o", "texts", "--url", service.url]) == 1
    assert Path("texts/a.txt").read_text(encoding="utf-8") == "word0 word1 word2\n"
    assert "1 of 2 have no text: b.wav" in capsys.readouterr().err


def test_without_waiting_the_ids_are_printed(service: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["add", "a.wav", "--no-wait", "--url", service.url]) == 0
    job_id, name = capsys.readouterr().out.split()
    assert (name, job_id in jobs(service)) == ("a.wav", True)
    service.finished(job_id)


def test_what_the_service_refuses_is_its_sentence(service: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["add", "a.wav", "--language", "Klingonish", "--url", service.url]) == 1
    assert "Klingonish" in capsys.readouterr().err
    Path("note.txt").write_text("no sound at all, but long enough to be looked at", encoding="utf-8")
    assert cli.main(["add", "note.txt", "--url", service.url]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--get", "summary", "--format", "srt"],
        ["--get", "summary", "--summary", "none"],
        ["--no-wait", "-o", "x"],
        ["--key", "日本"],
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    arguments: list[str], service: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    before = jobs(service)
    assert cli.main(["add", "a.wav", "--url", service.url, *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert jobs(service) == before


def test_the_operators_own_key_goes_to_no_other_address(monkeypatch: pytest.MonkeyPatch, service: Stack) -> None:
    monkeypatch.setenv("INTERNAL_API_KEY", "the operator's own key, long enough")
    given: list[str] = []
    monkeypatch.setattr(add, "ServiceClient", lambda url, key: given.append(key))
    for arguments in (["--url", service.url], []):
        with pytest.raises(AttributeError):
            cli.main(["add", "a.wav", *arguments])
    assert given == ["", "the operator's own key, long enough"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "nowhere", "http://"])
def test_no_service_is_a_sentence(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["add", "a.wav", "--url", url.format(port=free_port())]) == 1
    assert "--url" in capsys.readouterr().err
