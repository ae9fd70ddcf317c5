"""The commands, as a person types them: what they say, and how they end."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streametrics.cli import doctor
from streametrics.cli import main as cli
from streametrics.errors import UnsafeSettings
from streametrics.preflight import checks, ports, settings_errors
from streametrics.settings import PUBLISHED_KEY, Settings
from streametrics.supervisor import banner, readiness_probe
from streametrics.supervisor.readiness_probe import Readiness
from tests.support.media import KINDS, Track, encode, encode_tracks, plain_wav, tone


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working folder without .env, and no settings in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    before = dict(os.environ)
    yield
    for name in ("HOST", "PORT"):  # `--host` and `--port` become settings
        os.environ.pop(name, None)
        if name in before:
            os.environ[name] = before[name]


@pytest.mark.parametrize(
    ("started", "named"),
    [
        ("src/streametrics/__main__.py", "python -m streametrics"),
        (".venv/bin/streametrics", "streametrics"),
        ("streametrics.exe", "streametrics"),
    ],
)
@pytest.mark.parametrize("command", ["up", "api", "worker", "keys", "doctor", "weights", "transcribe"])
def test_every_command_explains_itself(
    command: str, started: str, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {named} {command}")


@pytest.mark.parametrize("kind", ["summarize", "summarise"])
def test_a_worker_of_summaries_is_named_in_both_spellings(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given either spelling, expect Celery's worker under the name that leases and queues know."""
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: started.append(command))
    monkeypatch.setattr(subprocess, "call", lambda command: started.append(command) or 0)
    cli.main(["worker", kind])
    assert "summarise@%h" in started[0]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:x/0", "redis://127.0.0.1:1/0?socket_timeout=abc"])
def test_a_worker_with_a_bad_address_of_the_queue_ends_with_a_sentence(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an address that Celery ends over with a traceback, expect that it is never started."""
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("Celery was started"))
    monkeypatch.setattr(subprocess, "call", lambda *_: pytest.fail("Celery was started"))
    assert cli.main(["worker"]) == 2
    assert f"REDIS_URL={url} is no queue's address" in capsys.readouterr().err


@pytest.mark.slow
def test_the_help_imports_neither_engine_nor_framework() -> None:
    # Expect an answer at once: nothing large behind `--help`
    program = "import sys, streametrics.cli.main; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "celery", "fastapi", "sqlalchemy", "numpy"} & set(modules.split())


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "abc", "PORT: 'abc' is not allowed, a whole number is (default: 5000)."),
        ("PORT", "70000", "PORT: '70000' is not allowed, a number of at most 65535 is (default: 5000)."),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL: 'LOUD' is not allowed, one of 'DEBUG', 'INFO', 'WARNING' or 'ERROR' is"),
        ("MISTRAL_TIMEOUT", "0", "MISTRAL_TIMEOUT: '0' is not allowed, a number above 0 is"),
        (
            "WHISPER_ENGINE",
            "vosk",
            "one of 'auto', 'openai-whisper', 'openai-whisper-fast', 'faster-whisper' or 'fake' is",
        ),
    ],
)
def test_a_bad_setting_is_a_sentence(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert cli.main(["weights", "list"]) == cli.BAD_SETTINGS
    assert sentence in capsys.readouterr().err


def test_every_bad_setting_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("MAX_UPLOAD_MB", "-1")
    with pytest.raises(settings_errors.InvalidSettings) as refused:
        settings_errors.load_settings()
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == ["PORT", "MAX_UPLOAD_MB"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "stream.example"])
@pytest.mark.parametrize("key", ["", "hunter2", PUBLISHED_KEY])
@pytest.mark.parametrize("command", ["up", "api"])
def test_an_open_bind_without_a_long_key_does_not_start(
    host: str, key: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERNAL_API_KEY", key)
    assert cli.main([command, "--host", host]) == cli.BAD_SETTINGS
    error = capsys.readouterr().err
    assert "INTERNAL_API_KEY" in error
    assert not key or key not in error


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_key(host: str) -> None:
    checks.refuse_open_bind(Settings(_env_file=None, host=host))


def test_an_open_bind_with_a_long_key_is_allowed() -> None:
    checks.refuse_open_bind(Settings(_env_file=None, host="0.0.0.0", internal_api_key="k" * 16))
    with pytest.raises(UnsafeSettings, match="too short"):
        checks.refuse_open_bind(Settings(_env_file=None, host="0.0.0.0", internal_api_key="k" * 15))


def test_the_published_key_and_a_misspelt_name_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"INTERNAL_API_KEY={PUBLISHED_KEY}\nWHISPER_MODLE=tiny\nOTHER_PROGRAM=1\n")
    warnings = checks.settings_warnings()
    assert len(warnings) == 2
    assert "counts as not set" in warnings[0]
    assert "WHISPER_MODLE" in warnings[1]
    assert "WHISPER_MODEL" in warnings[1]


@pytest.mark.skipif(sys.platform != "linux", reason="a folder in which nobody can make one")
def test_a_data_folder_that_cannot_be_made_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", "/proc/nowhere")
    assert cli.main(["up"]) == cli.BAD_SETTINGS
    error = capsys.readouterr().err
    assert error.startswith("DATA_DIR=/proc/nowhere cannot be made")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(("variable", "shown"), [("of the shell", "$INTERNAL_API_KEY"), ("", "YOUR_KEY")])
def test_the_command_to_copy_names_a_key_that_the_shell_knows(
    variable: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERNAL_API_KEY", variable)
    settings = Settings(_env_file=None, internal_api_key="the key that stands in .env")
    assert f'-H "X-API-Key: {shown}" ' in banner.curl_line(settings)
    assert "stands in" not in banner.curl_line(settings)
    assert "X-API-Key" not in banner.curl_line(Settings(_env_file=None, internal_api_key=""))


@pytest.mark.skipif(sys.platform == "win32", reason="rights are lists there")
@pytest.mark.parametrize(
    ("line", "mode", "warns"),
    [
        ("INTERNAL_API_KEY=the-operators-own-key", 0o644, True),
        ("OPENAI_API_KEY=secret", 0o640, True),
        ("REDIS_URL=redis://:secret@127.0.0.1/0", 0o644, True),
        ("DATABASE_URL=postgresql://u:secret@h/d", 0o644, True),
        ("INTERNAL_API_KEY=the-operators-own-key", 0o600, False),
        ("INTERNAL_API_KEY=", 0o644, False),
        ("REDIS_URL=redis://127.0.0.1/0\nWHISPER_MODEL=tiny", 0o644, False),
    ],
)
def test_a_secret_that_other_accounts_can_read_is_warned_of(line: str, mode: int, warns: bool, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(line + "\n")
    (tmp_path / ".env").chmod(mode)
    warnings = checks.settings_warnings()
    assert ["chmod 600 .env" in warning and "secret@" not in warning for warning in warnings] == [True] * warns


def test_a_taken_port_names_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    # Given something that listens
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        # When the API is to start there
        assert cli.main(["api", "--port", str(port)]) == cli.FAILED
    error = capsys.readouterr().err
    assert f"Port {port} on 127.0.0.1 is already in use" in error
    assert "PORT=" in error


def test_a_missing_file_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["transcribe", "no-such.wav"]) == cli.FAILED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip() == "no-such.wav cannot be read: No such file or directory."


@pytest.mark.parametrize(("content", "words"), [(b"", "empty"), (b"just some text, no sound", "not a sound or video")])
def test_a_file_that_is_no_sound_is_a_sentence(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.wav").write_bytes(content)
    assert cli.main(["transcribe", "file.wav"]) == cli.FAILED
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_what_a_reader_should_know_stands_beside_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHISPER_ENGINE", "fake")
    # Given a file that is cut off, and one in which nobody speaks
    whole = encode(tone(20.0, KINDS["mp3"].rate_hz), "mp3")
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "silence.wav").write_bytes(plain_wav(tone(2.0, 44_100, level=0.0)))
    # Expect a sentence on standard error, and on standard output what is said alone
    assert cli.main(["transcribe", "cut.mp3"]) == 0
    cut = capsys.readouterr()
    assert cut.out.startswith("word0 word1")
    assert "cut off" in cut.err
    assert cli.main(["transcribe", "silence.wav"]) == 0
    silence = capsys.readouterr()
    assert silence.out.strip() == ""
    assert "Nobody speaks" in silence.err


def test_the_spoken_language_may_be_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHISPER_ENGINE", "fake")
    (tmp_path / "sound.wav").write_bytes(plain_wav(tone(1.0, 44_100)))
    assert cli.main(["transcribe", "sound.wav", "--language", "German", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["speech_language"] == "de"
    assert cli.main(["transcribe", "sound.wav", "--language", "klingonish"]) == cli.FAILED
    assert "klingonish" in capsys.readouterr().err


def test_the_track_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHISPER_ENGINE", "fake")
    short, long = (Track(((0.0, tone(seconds, 48_000)),)) for seconds in (1.0, 3.0))
    (tmp_path / "sound.mkv").write_bytes(encode_tracks(short, long, kind="mkv-aac"))
    assert cli.main(["transcribe", "sound.mkv", "--track", "2", "--language", "auto"]) == 0
    assert capsys.readouterr() == ("word0 word1 word2\n", "")
    assert cli.main(["transcribe", "sound.mkv"]) == 0
    heard = capsys.readouterr()
    assert (heard.out, "Left out: track 2." in heard.err) == ("word0\n", True)
    assert cli.main(["transcribe", "sound.mkv", "--track", "5"]) == cli.FAILED
    assert "There is no sound track 5" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["transcribe", "sound.mkv", "--track", "none"])
    assert "a track is a number from 1 to 99" in capsys.readouterr().err


def test_the_start_report_has_a_line_to_copy_with_all_six_fields(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, internal_api_key="a secret key of mine", data_dir=tmp_path)
    checks = {
        "transcribe_worker": {"ok": True, "engine": "faster-whisper", "model": "base", "precision": "int8 on cpu"},
        "model_server": {"ok": False, "detail": "Ollama does not answer."},
    }
    text = banner.text(
        settings, Readiness("ready", checks), started_in_s=3, queue_is_embedded=True, log_file=tmp_path / "log"
    )
    for field in ("audio=@", "streamer=", "language=", "game=", "time=", "title="):
        assert f"-F {field}" in text.replace("'", "")
    assert "base, faster-whisper, int8 on cpu" in text
    assert "Ollama does not answer. Until then summaries are extractive." in text
    assert "a secret key of mine" not in text


def test_the_doctor_names_what_is_wrong_with_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "abc")
    assert cli.main(["doctor", "--json"]) == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["python"]["verdict"] == "OK"
    assert checks["packages"]["verdict"] == "OK", checks["packages"]
    assert checks["settings"]["verdict"] == "FAIL"


def test_the_doctor_finds_a_fresh_folder_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a folder in which nothing has run, and free ports
    monkeypatch.setenv("WHISPER_ENGINE", "fake")
    monkeypatch.setenv("SUMMARIZER", "extractive")
    monkeypatch.setenv("PORT", str(ports.free_port("127.0.0.1")))
    monkeypatch.setenv("QUEUE_PORT", str(ports.free_port("127.0.0.1")))
    # When the doctor looks
    code = cli.main(["doctor"])
    # Expect each part in the table, and nothing that fails
    lines = capsys.readouterr().out
    assert code == 0, lines
    for name in ("disk", "database", "queue", "weights", "engine", "decoder", "summary", "port"):
        assert f"OK    {name}" in lines, lines


@pytest.mark.parametrize(("model", "words"), [("bse", "choose one of tiny"), ("/nowhere/base", "does not exist")])
def test_the_doctor_does_not_promise_a_model_that_cannot_be_had(
    model: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("WHISPER_MODEL", model)
    check = doctor.guarded("weights", lambda: doctor.weights_check(settings_errors.load_settings()))
    assert check.verdict is doctor.Verdict.FAIL
    assert words in check.detail
    assert doctor.engine(settings_errors.load_settings()).verdict is doctor.Verdict.WARN


def test_the_doctor_says_what_a_service_that_is_not_ready_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service that is well but for the model server, which SUMMARY_FALLBACK=error needs
    answer = Readiness("not_ready", {"queue": {"ok": True}, "model_server": {"ok": False, "detail": "Start Ollama."}})
    monkeypatch.setattr(ports, "port_is_free", lambda *_: False)
    monkeypatch.setattr(readiness_probe, "fetch", lambda *_: answer)
    check = doctor.port(settings_errors.load_settings())
    assert check.verdict is doctor.Verdict.WARN
    assert check.mend == "model server: Start Ollama."


def test_what_breaks_inside_a_check_is_its_verdict() -> None:
    def broken() -> doctor.Check:
        raise RuntimeError("the library is damaged")

    assert doctor.guarded("engine", broken).verdict is doctor.Verdict.FAIL
