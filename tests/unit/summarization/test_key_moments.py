"""Key moments say something of their own, and are shown while they are written."""

import json
from itertools import pairwise

import pytest

from streametrics.summarization import key_moments
from streametrics.summarization.base import KeyMoment
from streametrics.summarization.chunking import Timeline
from streametrics.summarization.output_validation import Overview

OVERVIEW = (
    "Ada plays the castle level and beats the dragon on the third try. The group discussed the price of the remote"
    " control, which is to be sold for 25 euros in round 2. Finally she thanks everybody."
)
TIMELINE = Timeline(tuple(float(second) for second in range(0, 1200, 10)), 1200.0)


def kept(*said: str, overview: str = OVERVIEW) -> list[str]:
    moments = tuple(KeyMoment(60.0 * index, what) for index, what in enumerate(said))
    return [moment.what for moment in key_moments.distinct(Overview(overview, moments)).moments]


@pytest.mark.parametrize(
    "repeated",
    [
        "Ada plays the castle level and beats the dragon on the third try.",
        "ada plays the castle level, and beats the dragon on the third try",
        "[0:01:00] Ada beats the dragon on the third try.",
        "Group discusses the price of the remote control.",
        "Finally she thanks everybody.",
        "Ada beats the dragon on the third try. Finally she thanks everybody.",
    ],
)
def test_a_moment_that_repeats_a_sentence_of_the_overview_is_dropped(repeated: str) -> None:
    assert kept("The lights go out.", repeated) == ["The lights go out."]


@pytest.mark.parametrize(
    "own",
    [
        "The dragon falls.",
        "Ada sells the sword that she took from the dragon at the market.",
        "The group discussed the price of the remote control in round 3.",
        "Bob beats Ada in the castle level on the third try.",
        "Ada beats the dragon on the third try. Then the lights go out in the studio.",
    ],
)
def test_a_moment_that_says_more_or_else_is_kept(own: str) -> None:
    assert kept(own) == [own]


def test_a_moment_that_repeats_another_is_dropped_and_the_first_one_stays() -> None:
    moment = KeyMoment(60.0, "The team decides on rubber for the case.")
    again = KeyMoment(300.0, "The team decides on rubber for the case")
    found = key_moments.distinct(Overview("It is about a remote control.", (moment, again)))
    assert found.moments == (moment,)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ada wins the second round against Bob.", "Bob wins the second round against Ada."),
        ("Red scores the first goal of the match.", "Red scores the second goal of the match."),
        (
            "The group walks all the way back to the old village for the sword of level 3.",
            "The group walks all the way back to the old village for the sword of level 4.",
        ),
        ("It begins.", "It ends."),
    ],
)
def test_moments_that_differ_in_who_or_which_are_two(first: str, second: str) -> None:
    assert kept(first, second, overview="Something else.") == [first, second]


def test_scripts_without_spaces_are_compared_by_letters() -> None:
    overview = "阿达在第三次尝试中打败了龙，并感谢大家。"
    assert kept("阿达在第三次尝试中打败了龙。", "她把剑卖给了商人。", overview=overview) == ["她把剑卖给了商人。"]


def test_moments_are_shown_as_each_is_complete_and_what_is_shown_is_the_result() -> None:
    moments = [{"time": f"0:{minute:02}:00", "what": f"Chest {minute} is opened."} for minute in range(1, 8)]
    moments.insert(4, {"time": "0:05:30", "what": "Finally she thanks everybody."})
    answer = json.dumps({"overview": OVERVIEW, "moments": moments})

    shown = [key_moments.so_far(answer[:end], "", TIMELINE) for end in range(len(answer) + 1)]

    # Given an answer that grows, expect what is shown to grow with each sentence and each moment
    assert all(later.startswith(earlier) for earlier, later in pairwise(shown))
    listed = [text.partition("\n\n")[2].count("\n") + 1 for text in shown if "\n\n" in text]
    assert sorted(set(listed)) == list(range(1, 8))
    assert shown[-1].splitlines()[:3] == [OVERVIEW, "", "0:01:00 Chest 1 is opened."]
    assert "0:05:30" not in shown[-1]


def test_nothing_is_shown_before_the_overview() -> None:
    assert key_moments.so_far('{"moments": [{"time": "0:01:00", "what": "It begins."}], "ov', "", TIMELINE) == ""


def test_a_long_moment_grows_word_by_word_and_one_that_repeats_is_never_shown() -> None:
    own = "The group walks all the way back to the old village because somebody forgot the map there."
    told = "Ada plays the castle level and beats the dragon on the third try."
    moments = [{"time": "0:01:00", "what": own}, {"time": "0:02:00", "what": told}, {"time": "0:03:00", "what": own}]
    answer = json.dumps({"overview": OVERVIEW, "moments": moments})

    shown = [key_moments.so_far(answer[:end], "", TIMELINE) for end in range(len(answer) + 1)]

    assert all(later.startswith(earlier) for earlier, later in pairwise(shown))
    assert len({text for text in shown if "\n\n" in text}) > 8
    assert shown[-1] == f"{OVERVIEW}\n\n0:01:00 {own}"


def test_a_moment_that_comes_too_early_or_outside_the_recording_is_not_shown_while_it_grows() -> None:
    begun = json.dumps({"overview": OVERVIEW, "moments": [{"time": "0:05:00", "what": "The market closes."}]})[:-2]
    for at in ("0:04:00", "0:05:00", "9:00:00", "soon"):
        text = f'{begun}, {{"time": "{at}", "what": "Somebody walks all the way back to the old vil'
        assert key_moments.so_far(text, "", TIMELINE) == f"{OVERVIEW}\n\n0:05:00 The market closes."
