"""Rows of features become rows of tokens: greedily, or drawn at a temperature."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from streametrics.transcription.engines.fast.decoder import Decoder, Heard, Memory, are_equal
from streametrics.transcription.engines.fast.logit_filters import Rules

#: Tokens said of one window at most, as openai-whisper has it: half of the decoder's context.
LONGEST = 224


@dataclass(frozen=True, slots=True)
class Said:
    """One row: its tokens without the end, and how sure the model was.

    average_logprob: mean natural logarithm of the tokens' probabilities, the end's included.
    no_speech: probability (0…1) that nobody speaks in the window. ended: the end was said, before the limit.
    """

    tokens: list[int]
    average_logprob: float
    no_speech: float
    temperature: float = 0.0
    ended: bool = True


class Sampler:
    """Says what the rows of a memory hold. Not thread-safe.

    prompts: begin with the start of a transcript; all of one length.
    """

    def __init__(self, decoder: Decoder, rules: Rules, *, no_speech_token: int) -> None:
        self._decoder, self._rules, self._no_speech = decoder, rules, no_speech_token
        self._heard_before: tuple[Sequence[torch.Tensor], Heard] | None = None

    def after_first(self, features: Sequence[torch.Tensor], token: int) -> torch.Tensor:
        """Scores of what follows one token, shape (rows, vocabulary).

        What is heard for it is kept for the next call, in case that is about the same features.
        """
        heard = self._hear(features)
        self._heard_before = features, heard
        return self._decoder.step(torch.full((len(features), 1), token), self._decoder.remember(heard, 1))[:, -1]

    def say(self, features: Sequence[torch.Tensor], prompts: Sequence[Sequence[int]], temperature: float) -> list[Said]:
        """Tokens for each row of features, shape (positions, state). The same input always gives the same."""
        asked = torch.tensor(prompts)
        memory = self._decoder.remember(self._hear(features), asked.shape[1] + LONGEST)
        scores = self._decoder.step(asked, memory, also_first=True)
        no_speech = torch.softmax(scores[:, 0], dim=-1)[:, self._no_speech].tolist()
        tokens, sums = self._continue(scores[:, -1], memory, temperature)
        return [
            Said(row, total / (len(row) + 1), float(silent), temperature, ended=len(row) < LONGEST)
            for row, total, silent in zip(tokens, sums, no_speech, strict=True)
        ]

    def _hear(self, features: Sequence[torch.Tensor]) -> Heard:
        before, self._heard_before = self._heard_before, None
        return before[1] if before is not None and are_equal(before[0], features) else self._decoder.hear(features)

    def _continue(
        self, scores: torch.Tensor, memory: Memory, temperature: float
    ) -> tuple[list[list[int]], list[float]]:
        tokens: list[list[int]] = [[] for _ in scores]
        sums = [0.0] * len(tokens)
        alive = list(range(len(tokens)))
        # A chance of its own for each row: what one draws does not depend on who is heard beside it.
        chances = [torch.Generator().manual_seed(0) for _ in tokens]
        self._rules.first(scores)
        while True:
            chosen, logprobs = self._choose(scores, temperature, [chances[row] for row in alive])
            kept: list[int] = []
            for index, (row, token, logprob) in enumerate(zip(alive, chosen, logprobs, strict=True)):
                sums[row] += logprob
                if token != self._rules.end:
                    tokens[row].append(token)
                    kept.append(index)
            if not kept or len(tokens[alive[kept[0]]]) >= LONGEST:
                return tokens, sums
            if len(kept) < len(alive):  # rows that have ended cost nothing any more
                memory = self._decoder.keep(memory, torch.tensor(kept))
                alive = [alive[index] for index in kept]
            scores = self._decoder.step(torch.tensor([[tokens[row][-1]] for row in alive]), memory)[:, -1]
            self._rules.next(scores, [tokens[row] for row in alive])

    def _choose(
        self, scores: torch.Tensor, temperature: float, chances: Sequence[torch.Generator]
    ) -> tuple[list[int], list[float]]:
        if temperature == 0:
            chosen = scores.argmax(dim=-1)
        else:
            shares = torch.softmax(scores / temperature, dim=-1)
            drawn = [torch.multinomial(row, 1, generator=own) for row, own in zip(shares, chances, strict=True)]
            chosen = torch.cat(drawn)
        logprobs = scores.gather(1, chosen[:, None])[:, 0] - scores.logsumexp(dim=-1)
        return chosen.tolist(), logprobs.tolist()
