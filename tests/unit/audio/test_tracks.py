"""How a track is asked for, and what a stranger's titles become."""

import pytest

from streametrics.audio.tracks import Track, TrackList, parse_track


@pytest.mark.parametrize(
    ("text", "expected"), [("auto", "auto"), (" MIX ", "mix"), ("1", "1"), ("07", "7"), ("99", "99")]
)
def test_a_track_is_a_number_or_a_word(text: str, expected: str) -> None:
    assert parse_track(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "100", "1.5", "two", "²", "٣", "1 2", "9" * 5000, "plain", "nan"])
def test_other_tracks_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="a number from 1 to 99, 'auto'"):
        parse_track(text)


def said(**values: object) -> Track:
    track = {"number": 2, "codec": "aac", "channels": ["FL", "FR"], "title": "", "language": ""}
    return Track.from_json(track | {"is_default": False, "is_accepted": True} | values)


@pytest.mark.parametrize(
    ("title", "language", "expected"),
    [
        ("Mic/Aux", "en", '2 ("Mic/Aux", en)'),
        ("", "", "2"),
        ("SoundHandler", "und", "2"),
        ("ISO Media file produced by Google Inc.", "eng", "2 (eng)"),
        ("two\nlines\x1b[31m red\u202e and\x00 back", "x" * 50, '2 ("two lines [31m red and back")'),
        ('<script>"alert"</script>', "<b>", '2 ("script alert /script")'),
        ("ü" * 200, "zh-Hant", f'2 ("{"ü" * 39}…", zh-Hant)'),
    ],
)
def test_titles_are_made_harmless(title: str, language: str, expected: str) -> None:
    assert said(title=title, language=language).description == expected


def test_a_track_that_cannot_be_read_names_its_format() -> None:
    assert (
        said(codec="ac4\n<b>", is_accepted=False, channels=[]).description
        == "2 (in the format ac4b, which is not read)"
    )


def test_all_tracks_are_described_in_order() -> None:
    assert TrackList((said(number=1),)).description == "1 sound track: 1"
    assert TrackList((said(number=1, title="Game"), said())).description == '2 sound tracks: 1 ("Game"), 2'


def test_a_track_comes_through_json_unchanged() -> None:
    track = said(title="Mic", language="en", is_default=True)
    assert Track.from_json(track.to_json()) == track


def test_of_many_tracks_the_first_are_described() -> None:
    text = TrackList(tuple(said(number=number) for number in range(1, 1001))).description

    assert text.startswith("1000 sound tracks: 1, 2, ")
    assert text.endswith(", 10, 990 more")
