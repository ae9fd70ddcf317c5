"""What is masked in recaps, and what only looks like it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.streams.masking import MASK, mask_contacts

NUMBERS = [
    "+49 171 1234567",
    "+49 (0)30 123456-78",
    "+33 6 12 34 56 78",
    "+33 612 345 678",
    "+1 555 123 4567",
    "+1-555-123-4567",
    "+15551234567",
    "+44 20 7946 0958",
    "+8613800138000",
    "+4712345678",
    "0049 171 1234567",
    "0033612345678",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "06-12-34-56-78",
    "0612345678",
    "0171/1234567",
    "0171 1234567",
    "030 / 123 456 78",
    "(030) 12345678",
    "020 7946 0958",
    "090-1234-5678",
    "010-1234-5678",
    "555-123-4567",
    "(555) 123-4567",
    "555.123.4567",
    "1-800-555-0199",
    "13800138000",
    "138 0013 8000",
    "98765 43210",
    "٠٦١٢٣٤٥٦٧٨",
    "０９０-１２３４-５６７８",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("around", ["{}", "She said {}, and laughed.", "Her number is {}.", "({})", "電話は{}です"])
def test_a_telephone_number_is_masked(number: str, around: str) -> None:
    masked = mask_contacts(around.format(number))
    assert masked.replace("(***)", MASK) == around.format(MASK).replace("(***)", MASK)


@pytest.mark.parametrize(
    "said",
    [
        "call me at 555-1234",
        "Ruf mich an: 12 34 56 78",
        "my number is 5551234567",
        "Mon numéro, c'est le 612 34 56 78",
        "WhatsApp 12345678",
        "Мой телефон 916 1234567",
        "我的电话是 62345678",
        "five five five, one two three four",
        "null eins sieben eins zwei drei vier fünf",
        "zéro six un deux trois quatre cinq",
    ],
)
def test_words_before_it_or_digits_as_words_tell_a_number(said: str) -> None:
    masked = mask_contacts(said)
    assert masked.endswith(MASK) and not any(char.isdigit() for char in masked)


@pytest.mark.parametrize(
    "address",
    [
        "zoe@example.com",
        "zoe.la-belle+tv@mail.example.co.uk",
        "ZOE_99@EXAMPLE.DE",
        "zoé@exemple.fr",
        "иван@почта.рф",
        "z@x.io",
        "zoe at gmail dot com",
        "zoe dot belle at gmail.com",
        "zoe ät web punkt de",
        "zoe arroba hotmail punto com",
    ],
)
def test_an_e_mail_address_is_masked(address: str) -> None:
    assert mask_contacts(f"Write: {address}!") == f"Write: {MASK}!"
    assert mask_contacts(f"<{address}>, please") == f"<{MASK}>, please"


@pytest.mark.parametrize(
    "said",
    [
        # Viewers, scores, damage
        "1234567 viewers",
        "1,234,567 viewers and 12,345 subs",
        "1.234.567 Zuschauer",
        "1 234 567 spectateurs",
        "12345678901 points",
        "13800138000 views",
        "It has 1380013 likes",
        "a high score of 98765432",
        "21-14, 21-19, 11-21",
        "3-2-1, 4-4-2, 4-2-3-1",
        "They won 16:14, 13:16, 16:10",
        "100 200 300 400 500",
        "between 500-1000 and 2000-3000",
        "500000-1000000 people",
        "a crit of 9999999",
        "+1000000 gold",
        "+1 000 000 points",
        # Years, dates, times
        "1999 2000 2001 2002",
        "1995-2024",
        "2024-01-15",
        "2024-01-15 12:30:45",
        "15/01/2024",
        "05.06.2024",
        "05.06.2024-07.06.2024",
        "from 01.02.2024 to 03.02.2024",
        "01:02:03",
        "10:30-11:45",
        "00:12:30,500",
        # Prices, measures, versions, addresses of machines
        "$1299.99",
        "$1,299,000.00",
        "1.299.000 €",
        "€ 12345678",
        "0.123456789",
        "3.14159265358",
        "0.000001234",
        "version 1.20.4",
        "192.168.1.10",
        "1920x1080 at 144 Hz",
        "1920 1080 60",
        "100 %, 99.999999 %",
        # Ids, links, names
        "76561198000000000",
        "https://example.com/watch?v=0612345678",
        "order #0612345678",
        "@zoe_tv and @zoe.tv",
        "look at youtube.com",
        "at 5, at 6 and at 7",
        "x0612345678",
        "agent 007 and R2D2",
        # People who count
        "ten nine eight seven six five four three two one zero",
        "one two three four five six seven eight nine",
        "eins zwei drei vier fünf sechs sieben",
        "no no no, one one one one one one one",
        "six seven",
        "",
    ],
)
def test_what_is_no_contact_stays(said: str) -> None:
    assert mask_contacts(said) == said
    assert mask_contacts(f"Then: {said}.") == f"Then: {said}."


@given(st.text(alphabet=st.sampled_from("0123456789 +-./()@,:aé電.oh"), max_size=60))
def test_masking_twice_changes_nothing_more_and_nothing_raises(text: str) -> None:
    masked = mask_contacts(text)
    assert mask_contacts(masked).count(MASK) >= masked.count(MASK)


def test_a_long_text_takes_no_long_time() -> None:

    for piece in ("1 ", "a.", "a@", "one ", "(", "0612345678 ", "a dot "):
        began = time.process_time()
        mask_contacts(piece * (100_000 // len(piece)))
        assert time.process_time() - began < 2
