"""A benchmark transcribes nothing twice that it has transcribed under the same circumstances."""

from pathlib import Path

import pytest

from benchmarks import answers
from benchmarks.answers import Answer, kept
from benchmarks.spoken import PACKAGES, Spoken, noisy
from tests.support import sounds


def test_an_answer_is_kept_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "FOLDER", tmp_path)
    transcribed: list[str] = []

    def ask(
        engine: str = "engine",
        weights: str = "w",
        language: str | None = "en",
        seconds: float = 1.0,
        *,
        is_ours: bool = True,
    ) -> Answer:
        def transcribe() -> Answer:
            transcribed.append(engine)
            return Answer("été", 0.5, {"loop": 2})

        return kept(engine, weights, sounds.tone(seconds), language, transcribe, is_ours=is_ours)

    # Given an answer; when the same is asked again, expect it to be there
    assert ask() == ask() == Answer("été", 0.5, {"loop": 2})
    assert len(transcribed) == 1
    # And a change of anything to be transcribed anew, a torn file too
    ask(engine="another")
    ask(weights="v")
    ask(language=None)
    ask(seconds=2.0)
    assert len(transcribed) == 5
    for file in tmp_path.iterdir():
        file.write_text("{")
    ask()
    assert len(transcribed) == 6


def test_a_change_of_our_code_leaves_the_libraries_answers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "FOLDER", tmp_path)
    transcribed: list[str] = []

    def ask(*, is_ours: bool) -> None:
        def transcribe() -> Answer:
            transcribed.append("ours" if is_ours else "library")
            return Answer("", 0.5)

        kept("engine", "w", sounds.tone(1), "en", transcribe, is_ours=is_ours)

    for code in ("before", "after"):
        monkeypatch.setattr(answers, "_our_code", lambda code=code: code)
        ask(is_ours=True)
        ask(is_ours=False)

    assert transcribed == ["ours", "library", "ours"]


def test_a_larger_set_of_chunks_holds_the_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given chunks of every language, and backgrounds that are made at once
    monkeypatch.setattr("benchmarks.spoken.BACKGROUNDS", {name: lambda: sounds.noise(1) for name in ("a", "b", "c")})

    def mixed(count: int) -> dict[str, str]:
        clean = [Spoken(f"{code} {n}", sounds.tone(0.1), "", code) for code in PACKAGES for n in range(count)]
        return {chunk.name.rsplit(" ", 3)[0]: chunk.background for chunk in noisy(clean)}

    few, many = mixed(2), mixed(9)

    assert few.items() <= many.items()
    assert {background.split()[0] for background in few.values()} == {"a", "b", "c"}
    for code in PACKAGES:
        assert len({background for name, background in many.items() if name.startswith(code)}) == 6
