"""`transcribe` with several files, folders and `-o`."""

from pathlib import Path

import pytest

from streametrics.cli import main as cli
from tests.support.media import plain_wav, tone

SOUND = plain_wav(tone(2.0, 44_100), 44_100)


@pytest.fixture(autouse=True)
def fake_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHISPER_ENGINE", "fake")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "arguments", "begins"),
    [
        ("a.srt", [], "1\n00:00:00,000 --> "),
        ("a.VTT", [], "WEBVTT\n"),
        ("a.json", [], "{\n"),
        ("a.txt", [], "word0 word1"),
        ("a", [], "word0 word1"),
        ("a.txt", ["--format", "srt"], "1\n00:00:00,000 --> "),
        ("new/folder/a.txt", ["--format", "txt"], "word0 word1"),
    ],
)
def test_one_text_is_written_in_the_format_of_its_name(
    name: str, arguments: list[str], begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sound.wav").write_bytes(SOUND)
    assert cli.main(["transcribe", "sound.wav", "-o", name, *arguments]) == 0
    assert Path(name).read_text(encoding="utf-8").startswith(begins)
    assert Path(name).read_text(encoding="utf-8").endswith("\n")
    assert capsys.readouterr().out == ""
    assert [path.name for path in Path(name).parent.iterdir() if path.name.endswith(".part")] == []


def test_a_folder_is_searched_for_recordings_and_each_gets_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    # Given recordings by content, of which two share a name, beside other things
    for name in ("in/one.wav", "in/deep/two.bin", "in/deep/one.mp3", "three.wav"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(SOUND)
    Path("in/notes.wav").write_text("no sound at all")
    Path("in/empty.wav").touch()

    assert cli.main(["transcribe", "in", "three.wav", "-o", "out", "--format", "vtt"]) == 0

    written = sorted(path.name for path in Path("out").iterdir())
    assert written == ["one.mp3.vtt", "one.wav.vtt", "three.vtt", "two.vtt"]
    assert all(Path("out", name).read_text().startswith("WEBVTT\n") for name in written)
    told = capsys.readouterr().err
    assert "4 of 4: three.wav" in told
    assert "2 of the 5 files in in are no sound or video, and are left out." in told


def test_one_that_is_damaged_keeps_no_other_from_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.wav").write_bytes(SOUND)
    Path("bad.wav").write_text("no sound at all")
    assert cli.main(["transcribe", "bad.wav", "good.wav", "-o", "out"]) == cli.FAILED
    assert [path.name for path in Path("out").iterdir()] == ["good.txt"]
    errors = capsys.readouterr().err
    assert "not a sound or video" in errors
    assert errors.endswith("1 of 2 have no text: bad.wav. The others' texts lie in out.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["sound.wav", "sound.wav"], cli.BAD_SETTINGS, "name a folder for their texts with -o"),
        (["."], cli.BAD_SETTINGS, "name a folder for their texts with -o"),
        (["sound.wav", "-o", "a.doc"], cli.BAD_SETTINGS, "'.doc' is no format: end the name in .txt, .json, .srt"),
        (["nothing"], cli.FAILED, "There is no sound or video file in nothing."),
        (["sound.wav", "-o", "sound.wav/a.txt"], cli.FAILED, "sound.wav/a.txt cannot be written"),
        (["sound.wav", "sound.wav", "-o", "sound.wav"], cli.BAD_SETTINGS, "sound.wav is a file; name a folder"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sound.wav").write_bytes(SOUND)
    Path("nothing").mkdir()
    assert cli.main(["transcribe", *arguments]) == code
    assert sentence in capsys.readouterr().err
    assert Path("sound.wav").read_bytes() == SOUND


def test_a_folder_that_is_there_takes_the_text_of_one_file() -> None:
    Path("sound.wav").write_bytes(SOUND)
    Path("out").mkdir()
    assert cli.main(["transcribe", "sound.wav", "-o", "out"]) == 0
    assert Path("out/sound.txt").read_text().startswith("word0")


def test_the_same_file_twice_has_two_texts() -> None:
    Path("sound.wav").write_bytes(SOUND)
    assert cli.main(["transcribe", "sound.wav", "sound.wav", "-o", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["sound.wav 2.txt", "sound.wav.txt"]


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["a.wav", "-o", "a.wav"], "a.wav"),
        (["a.wav", "-o", "b.wav"], "b.wav"),
        (["a.wav", "c.txt", "-o", "."], "c.txt"),
        (["c.txt", "-o", "."], "c.txt"),
    ],
)
def test_no_text_takes_a_recordings_place(arguments: list[str], kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.wav", "b.wav", "c.txt"):
        Path(name).write_bytes(SOUND)
    assert cli.main(["transcribe", *arguments]) != 0
    assert Path(kept).read_bytes() == SOUND
    assert "is a recording, which is not written over" in capsys.readouterr().err


def test_several_texts_want_a_folder_before_any_work(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.wav", "b.wav"):
        Path(name).write_bytes(SOUND)
    Path("all.srt").write_text("")
    assert cli.main(["transcribe", "a.wav", "b.wav", "-o", "all.srt"]) != 0
    assert "all.srt is a file" in capsys.readouterr().err
