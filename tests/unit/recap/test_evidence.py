"""What a model wrote stands only where its names and numbers were said."""

import pytest

from streametrics.recap.evidence import is_supported

SAID = "So Zoé lost the rook in move 23, and then Magnus's clock ran down to 1:30. They talk about Paris a lot."


@pytest.mark.parametrize(
    "text",
    [
        "The speaker says that Zoé lost the rook in move 23.",
        "Magnus had 1:30 left.",
        "Somebody lost a piece.",
        "After that the speaker talks about Zoé's game in Paris.",
        "",
    ],
)
def test_what_was_said_is_supported(text: str) -> None:
    assert is_supported(text, SAID)


@pytest.mark.parametrize(
    "text",
    [
        "The speaker says that Zoé lost the rook in move 24.",
        "Zoé lost 2 rooks.",
        "Magnus had 130 left of 900.",
        "The speaker met Hikaru.",
        "They talked about Paris and London.",
        "Hikaru Nakamura lost the rook.",
    ],
)
def test_another_name_or_number_is_not(text: str) -> None:
    assert not is_supported(text, SAID)


def test_capitals_tell_no_names_where_every_noun_has_one() -> None:
    said = "Der Turm steht auf dem Feld, und die Dame schlägt den Bauern, weil der König keinen Zug mehr hat im Spiel."
    assert is_supported("Der Sprecher verliert die Partie.", said)
    assert not is_supported("Der Sprecher verliert in Zug 7.", said)
    assert is_supported("彼女は飛車を失った。", "彼女は飛車を失ったと言った。")
