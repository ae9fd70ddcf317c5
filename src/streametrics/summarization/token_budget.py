"""How many tokens a text will be, without its model's tokenizer, and what room a context leaves for it.

The estimate is an upper one for words that people say: a price for each byte that begins a character, by script, set
above what the costliest common vocabularies (GPT-2's byte pairs, Llama 2's 32,000 pieces) need. What a server counted
corrects it, per script, and a refusal raises it.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from streametrics.errors import TranscriptTooLong
from streametrics.llm.base import Message

#: Tokens that a chat's own marks take, and what estimates of single lines may miss when they are put together.
MARGIN_TOKENS = 64
#: Below this much room for words no useful prompt can be made.
LEAST_ROOM_TOKENS = 64

#: The correction never leaves these bounds, whatever was counted.
LEAST_FACTOR, LARGEST_FACTOR = 0.7, 3.0
#: A correction stands this much above the largest share that was counted.
_CAUTION = 1.1
#: A token is a byte at least, but for so many of a chat's own: a larger count is no count.
_HIDDEN_TOKENS = 200
#: Shorter prompts tell too little: the chat's own marks weigh too much in them.
_LEAST_COUNTED_TOKENS = 200
#: Counts that are wanted before a script is believed to be cheaper than its price.
_COUNTS_TO_LOWER = 3
#: Pieces of a transcript are cut by a factor that moves in steps, so that they seldom change.
_STEPS = (1.0, 1.25, 1.5, 2.0, 2.5, LARGEST_FACTOR)


class Script(StrEnum):
    """Scripts that a vocabulary treats alike."""

    LATIN = "latin"  #: and all of ASCII
    ALPHABET = "alphabet"  #: two bytes a letter: Greek, Cyrillic, Armenian, Hebrew, Arabic
    BRAHMIC = "brahmic"  #: three bytes a letter: Indic scripts, Thai, Burmese, Khmer, Georgian, Ethiopic
    IDEOGRAPHIC = "ideographic"  #: Chinese, Japanese, Korean
    PICTURE = "picture"  #: emoji and everything else of four bytes


def _prices() -> dict[int, tuple[float, Script]]:
    """Tokens of a character, and its script, by its first byte in UTF-8; bytes that continue one are free."""
    prices = dict.fromkeys(range(0x80), (1.0, Script.LATIN))  # digits and marks: many vocabularies join none of them
    letters = [*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]
    prices |= dict.fromkeys(letters, (0.4, Script.LATIN))
    prices[ord(" ")] = (0.85, Script.LATIN)  # the beginning of a word
    prices |= dict.fromkeys(range(0xC2, 0xCE), (2.0, Script.LATIN))
    prices |= dict.fromkeys(range(0xCE, 0xD4), (1.35, Script.ALPHABET))
    prices |= dict.fromkeys(range(0xD4, 0xD7), (2.1, Script.ALPHABET))
    prices |= dict.fromkeys(range(0xD7, 0xE0), (1.6, Script.ALPHABET))
    prices |= dict.fromkeys((0xE0, 0xE1), (3.0, Script.BRAHMIC))
    prices[0xE2] = (3.0, Script.LATIN)  # typographic marks
    prices |= dict.fromkeys(range(0xE3, 0xF0), (3.0, Script.IDEOGRAPHIC))
    prices |= dict.fromkeys(range(0xF0, 0xF8), (4.0, Script.PICTURE))
    return prices


_PRICES = _prices()
#: How much longer the same words are than in English, in tokens.
_LENGTH = {Script.ALPHABET: 1.5, Script.IDEOGRAPHIC: 1.5, Script.BRAHMIC: 2.5}


def price(text: str) -> float:
    """Tokens of a text by price alone; the price of two texts together is the sum of theirs."""
    counts = Counter(text.encode("utf-8", "replace"))
    return sum(_PRICES[byte][0] * count for byte, count in counts.items() if byte in _PRICES)


def main_script(text: str) -> Script:
    """The script that most of a text's price goes to; ASCII alone is Latin."""
    shares = dict.fromkeys(Script, 0.0)
    for byte, count in Counter(text.encode("utf-8", "replace")).items():
        if byte in _PRICES:
            amount, script = _PRICES[byte]
            shares[script] += amount * count
    return max(shares, key=lambda script: shares[script])


class TokenEstimator:
    """Upper estimates for one model; thread-safe.

    For each script it keeps the largest share of the price that a server ever counted, and never estimates below it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._largest = dict.fromkeys(Script, 0.0)
        self._counts = dict.fromkeys(Script, 0)

    def tokens(self, text: str) -> float:
        """At most so many tokens, by all that is known."""
        return price(text) * self.factor(main_script(text))

    def factor(self, script: Script) -> float:
        """What a price in this script is multiplied with."""
        with self._lock:
            largest, counts = self._largest[script], self._counts[script]
        wanted = largest * _CAUTION
        if wanted < 1.0 and counts < _COUNTS_TO_LOWER:
            return 1.0
        return min(max(wanted, LEAST_FACTOR), LARGEST_FACTOR)

    def steady_factor(self) -> float:
        """A factor that is enough for every script, never below 1 and in steps: pieces of a transcript that are cut
        by it come out the same in every process, unless a server counted more than was thought possible."""
        factor = max(self.factor(script) for script in Script)
        return next((step for step in _STEPS if step >= factor), LARGEST_FACTOR)

    def counted(self, text: str, tokens: int) -> None:
        """A server counted so many tokens in a text; a count that cannot be is left aside."""
        if _LEAST_COUNTED_TOKENS <= tokens <= _bytes(text) + _HIDDEN_TOKENS:
            self._learn(text, tokens / price(text))

    def refused(self, text: str, limit_tokens: float) -> bool:
        """A server found that a text has more than `limit_tokens`. Whether that taught anything: where it did not,
        smaller pieces would not help, for the server has less context than it is said to have."""
        known = self.factor(main_script(text))
        worst = _bytes(text) / max(price(text), 1.0)
        wanted = min(max(1.5 * known, limit_tokens / max(price(text), 1.0)), worst)
        self._learn(text, wanted)
        return self.factor(main_script(text)) > known

    def _learn(self, text: str, share: float) -> None:
        script = main_script(text)
        with self._lock:
            self._largest[script] = max(self._largest[script], share)
            self._counts[script] += 1


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Budget:
    """What a model's context has to hold: instruction, words and answer."""

    context_tokens: int

    def prompt_tokens(self, answer_tokens: int) -> int:
        """The most that a prompt may be, its instruction included."""
        return self.context_tokens - answer_tokens - MARGIN_TOKENS

    def room(self, instruction: str, answer_tokens: int, factor: float) -> float:
        """What the words of a transcript may be priced at beside an instruction.

        Raises TranscriptTooLong where the context is too small for any use.
        """
        room = self.prompt_tokens(answer_tokens) / factor - price(instruction)
        if room < LEAST_ROOM_TOKENS:
            raise TranscriptTooLong(
                f"The model's context of {self.context_tokens} tokens has no room for a transcript: raise"
                " MISTRAL_NUM_CTX, or OPENAI_CONTEXT_TOKENS."
            )
        return room

    def answer_tokens(self, english_tokens: int, written_in: Script) -> int:
        """Tokens for an answer that takes so many in English; at most a fifth of the context."""
        return min(int(english_tokens * _LENGTH.get(written_in, 1.0)), self.context_tokens // 5)


def content(messages: Iterable[Message]) -> str:
    """All words of a chat, for an estimate."""
    return "\n".join(message["content"] for message in messages)
