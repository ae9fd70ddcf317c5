"""Names that recognition misspelled are spelled as an upload's fields do, and nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.summarization.spoken_names import corrected

MEETING = (
    "So the remote control should have a big button, and the case is made of rubber. We looked at the costs of that,"
    " and it is in the country where the parts come from. The chat was shutting down, so I was counting on you. Just"
    " writing that down is out of control; it has taken the whole day, and the old rust by the lake, an d uh, I b y."
)


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("Elden Ring", "Back in eldon ring, and Eldonring again.", "Back in Elden Ring, and Elden Ring again."),
        ("Minecraft", "This is mine craft.", "This is Minecraft."),
        ("Fortnite", "We play fort night now.", "We play Fortnite now."),
        ("Hollow Knight", "Welcome to hollow night!", "Welcome to Hollow Knight!"),
        ("Kratos", "And cratos is angry.", "And Kratos is angry."),
        ("Among Us", "Let us play a mongus.", "Let us play Among Us."),
        ("Genshin Impact", "A hero in gension impact.", "A hero in Genshin Impact."),
        ("Baldur's Gate 3", "In Balders Gate three you lose.", "In Baldur's Gate three you lose."),
        ("KaiCenat", "My guest is Kay Senat.", "My guest is KaiCenat."),
        ("xQc", "And x q c says no.", "And xQc says no."),
        ("The Legend of Zelda: Tears of the Kingdom", "Where is Selda's bow?", "Where is Zelda's bow?"),
        ("Валорант", "играем в валарант", "играем в Валорант"),
    ],
)
def test_a_name_that_was_recognized_otherwise_is_put_right(name: str, text: str, right: str) -> None:
    assert corrected(text, [name]) == right


@pytest.mark.parametrize(
    ("title", "text", "right"),
    [
        ("Malenia attempts, no summons", "Malaynia has ten. I summoned it.", "Malenia has ten. I summoned it."),
        ("[DROPS] Talking with POKIMANE | !merch", "We met Pokyman at the con.", "We met POKIMANE at the con."),
        ("A blind run of Elden Ring and Zelda", "First eldon ring, then Selda.", "First Elden Ring, then Zelda."),
        ("talking with marisol", "Marysole is here.", "Marysole is here."),
    ],
)  # fmt: skip
def test_of_a_title_the_capitalized_words_count(title: str, text: str, right: str) -> None:
    assert corrected(text, [], title) == right


@pytest.mark.parametrize(
    "name",
    [
        "Just Chatting", "Elden Ring", "League of Legends", "Tekken", "KaiCenat", "ninja_42", "原神", "Rust", "Control",
        "Counter-Strike 2", "Writing", "Dead by Daylight", "", "!?", "I", "🐉",
    ],
)  # fmt: skip
def test_what_only_sounds_a_little_alike_stays(name: str) -> None:
    assert corrected(MEETING, [name], name) == MEETING


@pytest.mark.parametrize("text", ["We were just chatting.", "in elden ring", "Elden Ring", "Ada wins."])
def test_what_differs_in_case_only_stays(text: str) -> None:
    assert corrected(text, ["Ada", "Elden Ring", "Just Chatting"], "Ada in Elden Ring") == text


def test_the_most_alike_of_several_places_is_taken_and_a_whole_name_before_its_parts() -> None:
    assert corrected("eldon ring a ring", ["Elden Ring"], "Ring") == "Elden Ring a ring"
    assert corrected("It is Valerant a", ["Valorant"]) == "It is Valorant a"


@given(fields=st.lists(st.text(max_size=40), max_size=2), title=st.text(max_size=60), text=st.text(max_size=200))
def test_any_fields_and_any_text_are_taken(fields: list[str], title: str, text: str) -> None:
    right = corrected(text, fields, title)
    assert isinstance(right, str)
    assert corrected(text, [], "") == text


@given(name=st.text(alphabet="bdegiklmnorstuz", min_size=6, max_size=12), before=st.text(max_size=20))
def test_what_is_right_already_stays(name: str, before: str) -> None:
    text = f"{before} {name.title()} wins"
    assert name.title() in corrected(text, [name.title()], name.title())
