"""Estimates of tokens: never below what real vocabularies need, and wiser after each count."""

import base64
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from streametrics.errors import TranscriptTooLong
from streametrics.summarization.token_budget import (
    LARGEST_FACTOR,
    LEAST_FACTOR,
    LEAST_ROOM_TOKENS,
    Script,
    TokenBudget,
    TokenEstimator,
    main_script,
    price,
)

SPOKEN = {
    "English": "Welcome back everybody, today we fight the ice dragon with the new sword that the chat chose.",
    "Finnish": "Tervetuloa takaisin kaikki, tänään taistelemme jäälohikäärmettä vastaan uudella miekalla.",
    "Polish": "Witajcie ponownie, dzisiaj walczymy z lodowym smokiem nowym mieczem, który czat wybrał wczoraj.",
    "Hungarian": "Üdvözlök mindenkit, ma a jégsárkánnyal küzdünk meg az új karddal, amelyet tegnap választottak.",
    "Vietnamese": "Chào mừng mọi người quay trở lại, hôm nay chúng ta chiến đấu với con rồng băng bằng kiếm mới.",
    "Turkish": "Herkese tekrar hoş geldiniz, bugün sohbetin dün seçtiği yeni kılıçla buz ejderhasıyla savaşıyoruz.",
    "Russian": "Добро пожаловать, сегодня мы сражаемся с ледяным драконом новым мечом, который выбрал чат.",
    "Greek": "Καλώς ήρθατε πίσω, σήμερα πολεμάμε τον δράκο του πάγου με το νέο σπαθί που επέλεξε το κοινό.",
    "Hebrew": "ברוכים השבים כולם, היום אנחנו נלחמים בדרקון הקרח עם החרב החדשה שנבחרה אתמול.",
    "Arabic": "مرحبا بعودتكم جميعا، اليوم نقاتل تنين الجليد بالسيف الجديد الذي اختاره المتابعون أمس.",
    "Armenian": "Բարի գալուստ բոլորին, այսօր մենք կռվում ենք սառցե վիշապի դեմ նոր թրով։",
    "Georgian": "კეთილი იყოს თქვენი დაბრუნება, დღეს ჩვენ ვებრძვით ყინულის დრაკონს ახალი ხმლით.",
    "Hindi": "सभी का फिर से स्वागत है, आज हम नई तलवार से बर्फ के ड्रैगन से लड़ेंगे।",
    "Thai": "ยินดีต้อนรับทุกคนกลับมา วันนี้เราจะสู้กับมังกรน้ำแข็งด้วยดาบเล่มใหม่",
    "Chinese": "欢迎大家回来，今天我们用观众昨天选的新剑与冰龙战斗。",
    "Japanese": "皆さん、お帰りなさい。今日は昨日チャットが選んだ新しい剣で氷のドラゴンと戦います。",
    "Korean": "여러분 다시 오신 것을 환영합니다. 오늘은 어제 채팅이 고른 새 검으로 얼음 용과 싸웁니다.",
    "emoji": "🐉🔥👩‍👩‍👧 🎉🎉 😂😂😂",
    "numbers": "1234567 3.1415 2026-11-24 00:12:55 42",
    "letters": "a b c d e f g I u x",
    "marks": '"Wait..." -- (no?!) [laughs]; #1 @home ~50% & more_to/come…',
}


def vocabulary(name: str) -> tiktoken.Encoding:
    """A real vocabulary that comes with openai-whisper; its merges alone, without the rest of the package."""
    package = importlib.util.find_spec("whisper")
    assert package is not None
    assert package.origin is not None
    lines = (Path(package.origin).parent / "assets" / f"{name}.tiktoken").read_text().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    words = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    return tiktoken.Encoding(name=name, pat_str=words, mergeable_ranks=ranks, special_tokens={})


@pytest.mark.parametrize("name", ["gpt2", "multilingual"])
def test_no_text_that_people_say_is_estimated_below_what_a_real_vocabulary_needs(name: str) -> None:
    real = vocabulary(name)
    for language, text in SPOKEN.items():
        assert price(text) >= len(real.encode(text)), language


def test_english_is_not_estimated_at_more_than_three_times_its_tokens() -> None:
    text = SPOKEN["English"]
    assert price(text) <= 3 * len(vocabulary("gpt2").encode(text))


@given(st.text(), st.text())
def test_prices_add_up(one: str, other: str) -> None:
    assert price(one + other) == pytest.approx(price(one) + price(other))


@pytest.mark.parametrize(
    ("language", "script"),
    [
        ("English", Script.LATIN),
        ("Vietnamese", Script.LATIN),
        ("Russian", Script.ALPHABET),
        ("Arabic", Script.ALPHABET),
        ("Thai", Script.BRAHMIC),
        ("Georgian", Script.BRAHMIC),
        ("Korean", Script.IDEOGRAPHIC),
        ("Japanese", Script.IDEOGRAPHIC),
    ],
)
def test_scripts_are_told_apart(language: str, script: Script) -> None:
    assert main_script(SPOKEN[language]) is script


def test_a_count_above_the_price_raises_the_estimate_at_once() -> None:
    estimator, text = TokenEstimator(), SPOKEN["Polish"] * 20
    estimator.counted(text, int(price(text) * 1.5))
    assert estimator.tokens(text) >= int(price(text) * 1.5)
    # And nothing that is measured later lowers it below that
    for _ in range(10):
        estimator.counted(text, int(price(text) * 0.5))
    assert estimator.tokens(text) >= int(price(text) * 1.5)


def test_counts_below_the_price_lower_the_estimate_within_bounds_and_for_their_script_alone() -> None:
    estimator, text = TokenEstimator(), SPOKEN["English"] * 20
    for _ in range(2):
        estimator.counted(text, int(price(text) * 0.4))
        assert estimator.tokens(text) == price(text)
    estimator.counted(text, int(price(text) * 0.4))
    assert estimator.tokens(text) == pytest.approx(price(text) * LEAST_FACTOR)
    assert estimator.tokens(SPOKEN["Thai"]) == price(SPOKEN["Thai"])
    # What pieces are cut by does not move
    assert estimator.steady_factor() == 1.0


@given(st.lists(st.tuples(st.sampled_from(sorted(SPOKEN)), st.floats(0.01, 5)), max_size=20))
def test_whatever_is_counted_the_factor_stays_in_its_bounds_and_above_what_was_measured(
    counts: list[tuple[str, float]],
) -> None:
    estimator = TokenEstimator()
    largest = dict.fromkeys(Script, 0.0)
    for language, share in counts:
        text = SPOKEN[language] * 40
        tokens = int(price(text) * share)
        estimator.counted(text, tokens)
        if 200 <= tokens <= len(text.encode()):
            script = main_script(text)
            largest[script] = max(largest[script], tokens / price(text))
    for script in Script:
        factor = estimator.factor(script)
        assert LEAST_FACTOR <= factor <= LARGEST_FACTOR
        assert factor >= min(largest[script], LARGEST_FACTOR)
        assert estimator.steady_factor() >= factor


@pytest.mark.parametrize(("text", "tokens"), [("Hi.", 150), ("Hi.", 100_000), ("word " * 1000, 100_000)])
def test_a_short_prompt_and_an_impossible_count_teach_nothing(text: str, tokens: int) -> None:
    estimator = TokenEstimator()
    estimator.counted(text, tokens)
    assert estimator.tokens(text) == price(text)


def test_a_refused_prompt_is_not_sent_again() -> None:
    estimator, text = TokenEstimator(), SPOKEN["English"] * 10
    limit = price(text) * 1.7
    assert estimator.refused(text, limit)
    assert estimator.tokens(text) > limit


def test_refusals_that_no_vocabulary_can_explain_stop_teaching() -> None:
    # Given a server that finds a few words too long for thousands of tokens
    estimator, text = TokenEstimator(), SPOKEN["English"]
    taught = [estimator.refused(text, 8000) for _ in range(5)]
    # Expect no endless carefulness: other prompts would not be sent any more
    assert taught[0]
    assert not taught[-1]
    assert estimator.factor(Script.LATIN) <= LARGEST_FACTOR


def test_many_threads_may_learn_at_once() -> None:
    estimator, text = TokenEstimator(), SPOKEN["Russian"] * 20
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda share: estimator.counted(text, int(price(text) * share / 400)), range(560)))
    assert estimator.tokens(text) >= price(text) * 1.39


def test_room_is_what_context_answer_and_instruction_leave() -> None:
    room = TokenBudget(8192).room("word " * 100, answer_tokens=160, factor=1.0)
    assert 7500 < room < 8192 - 160 - 200
    assert TokenBudget(8192).room("word " * 100, 160, factor=2.0) < room / 2


def test_a_context_without_room_is_refused_with_what_to_set() -> None:
    with pytest.raises(TranscriptTooLong, match="MISTRAL_NUM_CTX"):
        TokenBudget(512).room("word " * 200, answer_tokens=100, factor=1.0)
    assert TokenBudget(512).room("", answer_tokens=100, factor=1.0) >= LEAST_ROOM_TOKENS


def test_an_answer_in_a_costly_script_may_be_longer_and_never_fills_the_context() -> None:
    assert TokenBudget(8192).answer_tokens(160, Script.LATIN) == 160
    assert TokenBudget(8192).answer_tokens(160, Script.BRAHMIC) == 400
    assert TokenBudget(1000).answer_tokens(700, Script.LATIN) == 200
