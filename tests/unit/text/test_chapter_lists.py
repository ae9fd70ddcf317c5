"""Lists of chapters are what YouTube, a Markdown page, a player and FFmpeg take, whatever the titles are."""

import io
import re

import av
import pytest
import webvtt

from streametrics.text.chapter_lists import ListedChapter, render

HOSTILE = "a=b;c#d\\e\nf --> <i>g</i> & [h](i) *j* `k` 0:00"


def chapters(*starts_s: float, end_s: float = 8000.0, title: str = "Rook endgame") -> list[ListedChapter]:
    ends = [*starts_s[1:], end_s]
    return [
        ListedChapter(start_s, end, f"{title} {at}", "It was said.")
        for at, (start_s, end) in enumerate(zip(starts_s, ends, strict=True), start=1)
    ]


def test_youtube_shows_the_list() -> None:
    assert render(chapters(0.4, 61.9, 3723.5), "youtube") == (
        "0:00:00 Rook endgame 1\n0:01:01 Rook endgame 2\n1:02:03 Rook endgame 3\n"
    )
    # The first is at 0, whenever it really begins; a short stream has no hours
    assert render(chapters(12.0, 61.9, 200.0), "youtube") == (
        "0:00 Rook endgame 1\n1:01 Rook endgame 2\n3:20 Rook endgame 3\n"
    )


def test_youtube_is_given_no_list_that_it_refuses() -> None:
    # Given too few, or too few that are long enough
    assert render(chapters(0.0, 100.0), "youtube") is None
    assert render(chapters(0.0, 5.0, 100.0), "youtube") is None
    assert render([], "youtube") is None
    found = render(chapters(0.0, 5.0, 100.0, 200.0, end_s=205.0), "youtube")
    assert found is None
    long = render([ListedChapter(at * 100.0, at * 100.0 + 100, HOSTILE * 20) for at in range(3)], "youtube")
    assert long is not None
    for line in long.splitlines():
        assert re.match(r"\d+:\d\d ", line) and len(line) <= 110 and not re.search("[<>]", line)


def test_a_list_for_ffmpeg_is_read_back(tmp_path: object) -> None:
    titles = ["Rook endgame", HOSTILE]
    written = render([ListedChapter(at * 10.0, at * 10.0 + 10, title) for at, title in enumerate(titles)], "ffmetadata")
    assert written is not None
    with av.open(io.BytesIO(written.encode()), format="ffmetadata") as read:
        found = read.chapters()
    assert [(each["start"] * each["time_base"], each["end"] * each["time_base"]) for each in found] == [
        (0, 10),
        (10, 20),
    ]
    assert [each["metadata"]["title"] for each in found] == [" ".join(title.split()) for title in titles]


def test_a_webvtt_list_is_read_back() -> None:
    written = render([*chapters(0.0, 61.25), ListedChapter(8000.0, 8001.0, HOSTILE)], "vtt")
    assert written is not None
    found = list(webvtt.from_string(written))
    assert [(cue.start, cue.end) for cue in found] == [
        ("00:00:00.000", "00:01:01.250"),
        ("00:01:01.250", "02:13:20.000"),
        ("02:13:20.000", "02:13:21.000"),
    ]
    assert "\n" not in found[2].raw_text and "&lt;i&gt;" in found[2].raw_text


def test_a_markdown_page_has_no_markup_of_the_titles() -> None:
    written = render([ListedChapter(0.0, 3700.0, HOSTILE, "It was\nsaid.")], "markdown")
    assert written is not None
    head, _, text, *_ = written.split("\n")
    assert head.startswith("## 0:00:00–1:01:40 a=b;c\\#d\\\\e f") and text == "It was said."
    assert not re.search(r"(?<!\\)[*`\[\]]|[<>]", head)


@pytest.mark.parametrize("kind", ["markdown", "vtt", "ffmetadata"])
def test_no_chapters_are_an_empty_list(kind: str) -> None:
    assert render([], kind) is not None  # type: ignore[arg-type]
