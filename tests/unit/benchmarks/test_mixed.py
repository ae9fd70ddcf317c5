"""Mixes are the same whenever they are made, and their reference says where what is said."""

import numpy as np
import pytest

from benchmarks import mixed
from benchmarks.mixed import EVERYONE, KINDS, MAX_S, MIN_S, Mix
from benchmarks.voices import Line, leveled, trimmed
from streametrics.audio.pcm import SAMPLE_RATE_HZ
from tests.support import sounds

SENTENCES = (1.2, 2.0, 2.8, 4.0, 5.0)


@pytest.fixture(autouse=True)
def voices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tones stand for sentences: nothing is fetched, and nothing synthesized."""

    def lines(language: str, voice: str) -> tuple[Line, ...]:
        return tuple(
            Line(sounds.tone(seconds), f"{language} {voice} {seconds}", language, voice) for seconds in SENTENCES
        )

    monkeypatch.setattr(mixed, "lines", lines)


@pytest.fixture
def many() -> list[Mix]:
    return list(mixed.mixes(208))


def test_a_larger_set_holds_the_smaller_one(many: list[Mix]) -> None:
    few = list(mixed.mixes(17))

    assert [each.name for each in few] == [each.name for each in many[:17]]
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(few, many, strict=False))


def test_kinds_go_by_turns_and_have_their_length(many: list[Mix]) -> None:
    assert {mix.kind for mix in many[: len(KINDS)]} == set(KINDS)
    assert len({mix.name for mix in many}) == len(many)
    assert all(MIN_S <= len(mix.samples) / SAMPLE_RATE_HZ <= MAX_S + 0.01 for mix in many)


def test_a_mix_of_some_kinds_is_the_one_of_all(many: list[Mix]) -> None:
    [_, second] = mixed.mixes(2, ["alert"])

    [same] = [mix for mix in many if mix.name == "alert 1"]
    assert second.stretches == same.stretches


def test_stretches_are_where_the_sound_is(many: list[Mix]) -> None:
    for mix in many[:32]:
        loud = np.zeros(len(mix.samples), dtype=bool)
        for stretch in mix.stretches:
            loud[round(stretch.start_s * SAMPLE_RATE_HZ) : round(stretch.end_s * SAMPLE_RATE_HZ)] = True
        assert not np.any(mix.samples[~loud])
        assert [each.start_s for each in mix.stretches] == sorted(each.start_s for each in mix.stretches)


def test_each_kind_is_what_it_says(many: list[Mix]) -> None:
    for mix in many:
        languages = [stretch.language for stretch in mix.stretches]
        speakers = {(stretch.language, stretch.voice) for stretch in mix.stretches}
        match mix.kind:
            case "short then long" | "loudness":
                assert len(speakers) == 2 and len(set(languages)) == 1
            case "alert":
                assert mix.stretches[1].voice == "synthetic" and mix.stretches[0].voice == mix.stretches[2].voice
            case "greeting" | "other language":
                assert len(set(languages)) == 2
            case "four languages":
                assert len(set(languages)) == 4
            case "repeated":
                assert 4 <= len(mix.stretches) <= 10 and len({stretch.text for stretch in mix.stretches}) == 1
            case "three voices":
                assert len(speakers) == 3 and len(set(languages)) == 1


def test_what_can_be_made_anywhere_wants_no_announcer() -> None:
    assert not any("announcer" in voices for voices in mixed.ANYWHERE.values())
    assert "ru" not in mixed.ANYWHERE
    assert set(mixed.ANYWHERE) < set(EVERYONE)
    assert all(each.voice != "announcer" for mix in mixed.mixes(40, cast=mixed.ANYWHERE) for each in mix.stretches)


def test_a_line_is_trimmed_and_at_its_level() -> None:
    samples = np.concatenate([sounds.silence(1), sounds.tone(2), sounds.silence(1)])

    made = leveled(trimmed(samples), -26)

    assert len(made) == pytest.approx(2.1 * SAMPLE_RATE_HZ, abs=50)
    assert np.sqrt(np.mean(np.square(made[2000:-2000]))) == pytest.approx(10 ** (-26 / 20), rel=0.05)
