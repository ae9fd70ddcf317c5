"""Which tokens Whisper may say next: its grammar of timestamps, for many rows at once.

The rules are those of Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022),
section 4.5, as openai-whisper's reference decoder applies them: timestamps come in pairs and never go back,
text begins with one, and where all timestamps together are likelier than any word, one of them is next.
"""

import torch
from whisper.tokenizer import Tokenizer

#: A window's first segment begins within so many steps of 0.02 s.
FIRST_TIMESTAMP_AT_MOST = 50

_FORBIDDEN = float("-inf")


class Rules:
    """The grammar for one tokenizer. Scores are changed in place."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int) -> None:
        self.begin, self.end = tokenizer.timestamp_begin, tokenizer.eot
        assert tokenizer.no_speech is not None
        never = [
            *tokenizer.non_speech_tokens,
            tokenizer.transcribe,
            tokenizer.translate,
            tokenizer.sot,
            tokenizer.sot_prev,
            tokenizer.sot_lm,
            tokenizer.no_speech,
            tokenizer.no_timestamps,
        ]
        self._always = torch.zeros(vocabulary)
        self._always[never] = _FORBIDDEN

    def first(self, scores: torch.Tensor) -> None:
        """Before anything is said, shape (rows, vocabulary): a timestamp near the beginning."""
        scores[:, : self.begin] = _FORBIDDEN
        scores[:, self.begin + FIRST_TIMESTAMP_AT_MOST + 1 :] = _FORBIDDEN

    def next(self, scores: torch.Tensor, said: list[list[int]]) -> None:
        """After `said`, the tokens of each row, in which at least one is."""
        scores += self._always
        for row, tokens in enumerate(said):
            self._pairs(scores[row], tokens)
        times, words = scores[:, self.begin :], scores[:, : self.begin]
        likelier = times.logsumexp(dim=1) > words.amax(dim=1)
        words[likelier] = _FORBIDDEN

    def _pairs(self, scores: torch.Tensor, tokens: list[int]) -> None:
        last_is_time = tokens[-1] >= self.begin
        before_is_time = len(tokens) < 2 or tokens[-2] >= self.begin
        if last_is_time and before_is_time:
            scores[self.begin :] = _FORBIDDEN  # a segment has begun: words
        elif last_is_time:
            scores[: self.end] = _FORBIDDEN  # one has ended: the next begins, or all ends
        latest = next((token for token in reversed(tokens) if token >= self.begin), None)
        if latest is not None:
            # A segment has a length; only the beginning of the next may repeat the end of the last.
            earliest = latest if last_is_time and not before_is_time else latest + 1
            scores[self.begin : earliest] = _FORBIDDEN
