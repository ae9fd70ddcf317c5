"""How long one call may take: until its first token, between two tokens, and as a whole.

The first token comes after the whole prompt was read, and reading is the slower the longer the prompt is: 8,000 tokens
take 40 s where a processor reads 200 a second. So a short prompt has half of the call's time for its first token, one
that fills the context seven eighths; what is left is for writing. A server that has begun to write and then says
nothing for a quarter of the call's time has stalled: no machine that is worth asking needs that long for one token.
"""

from collections.abc import Callable

from streametrics.errors import SummarizerTimeout

FIRST_TOKEN_SHARE = 0.5
FIRST_TOKEN_SHARE_OF_FULL_CONTEXT = 0.875
SILENCE_SHARE = 0.25

#: Bytes of UTF-8 a token, at the least: a low guess, so that a long prompt is given its time.
_BYTES_A_TOKEN = 3


class Patience:
    """The clock of one call, from now on; seconds of `clock`. first_s and silence_s: None for no limit of their own."""

    def __init__(
        self,
        clock: Callable[[], float],
        whole_s: float,
        *,
        first_s: float | None = None,
        silence_s: float | None = None,
    ) -> None:
        self.whole_s = whole_s
        self._clock = clock
        self._silence_s = silence_s
        self._ends_at = clock() + whole_s
        self._next_by = None if first_s is None else clock() + first_s
        self._reason = f"The model server wrote nothing within {first_s or 0:.3g} seconds."

    def heard(self) -> None:
        """A token came."""
        if self._silence_s is not None:
            self._next_by = self._clock() + self._silence_s
            self._reason = f"The model server broke off: nothing came for {self._silence_s:.3g} seconds."

    def hurry(self, seconds: float) -> None:
        """What still comes is worth waiting only so long for."""
        self._ends_at = min(self._ends_at, self._clock() + seconds)

    def left_s(self) -> float:
        ends_at = self._ends_at if self._next_by is None else min(self._ends_at, self._next_by)
        return ends_at - self._clock()

    def over(self) -> SummarizerTimeout:
        """Why the time is out."""
        if self._next_by is not None and self._next_by < self._ends_at:
            return SummarizerTimeout(self._reason)
        return SummarizerTimeout(f"The model server did not finish within {self.whole_s:.3g} seconds.")


def for_chat(clock: Callable[[], float], whole_s: float, prompt_bytes: int, context_tokens: int) -> Patience:
    """The limits of a call with such a prompt."""
    filled = min(1.0, prompt_bytes / _BYTES_A_TOKEN / context_tokens)
    first = FIRST_TOKEN_SHARE + (FIRST_TOKEN_SHARE_OF_FULL_CONTEXT - FIRST_TOKEN_SHARE) * filled
    return Patience(clock, whole_s, first_s=whole_s * first, silence_s=whole_s * SILENCE_SHARE)
