"""Samples tokens for rows of features: greedily, or at a temperature."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from streametrics.transcription.engines.fast.decoder import CrossAttentionCache, KVCache, TokenDecoder, are_equal
from streametrics.transcription.engines.fast.logit_filters import TimestampGrammar

#: The most tokens of one window, as in openai-whisper: half of the decoder's context.
MAX_TOKENS = 224


@dataclass(frozen=True, slots=True)
class DecodedTokens:
    """The tokens of one row, without the end token, and the model's confidence.

    average_logprob: mean natural logarithm of the tokens' probabilities, the end's included.
    no_speech: probability (0…1) that nobody speaks in the window. ended: the end token came, before the limit.
    logprobs: natural logarithm of each token's probability, the end's included.
    attention: of the query that chose each token, the end's included, shape (alignment heads, positions).
    """

    tokens: list[int]
    average_logprob: float
    no_speech: float
    temperature: float = 0.0
    ended: bool = True
    logprobs: list[float] = field(default_factory=list, compare=False, repr=False)
    attention: list[torch.Tensor] = field(default_factory=list, compare=False, repr=False)


class Sampler:
    """Decodes tokens for a batch of rows from its KV cache. Not thread-safe.

    prompts: begin with the start of a transcript; all of one length.
    """

    def __init__(self, decoder: TokenDecoder, grammar: TimestampGrammar, *, no_speech_token: int) -> None:
        self._decoder, self._grammar, self._no_speech = decoder, grammar, no_speech_token
        self._last_cross: tuple[Sequence[torch.Tensor], CrossAttentionCache] | None = None

    def scores_after(self, features: Sequence[torch.Tensor], token: int, *, keep: bool) -> torch.Tensor:
        """Return the scores of what follows one token, shape (rows, vocabulary).

        keep: the features' keys and values for the next call that is about the same features; else what was kept stays.
        """
        cross = self._attend(features) if keep else self._decoder.attend(features)
        if keep:
            self._last_cross = features, cross
        return self._decoder.step(torch.full((len(features), 1), token), self._decoder.new_cache(cross, 1))[:, -1]

    def sample(
        self, features: Sequence[torch.Tensor], prompts: Sequence[Sequence[int]], temperature: float
    ) -> list[DecodedTokens]:
        """Decode tokens for each row of features, shape (positions, state). Deterministic at any temperature."""
        prompt_tokens = torch.tensor(prompts)
        cache = self._decoder.new_cache(self._attend(features), prompt_tokens.shape[1] + MAX_TOKENS)
        scores = self._decoder.step(prompt_tokens, cache, also_first=True)
        no_speech = torch.softmax(scores[:, 0], dim=-1)[:, self._no_speech].tolist()
        attention: list[list[torch.Tensor]] = [[] for _ in features]
        tokens, logprobs = self._continue(scores[:, -1], cache, temperature, attention)
        return [
            DecodedTokens(
                row, sum(own) / (len(row) + 1), float(silent), temperature, len(row) < MAX_TOKENS, own, weights
            )
            for row, own, silent, weights in zip(tokens, logprobs, no_speech, attention, strict=True)
        ]

    def _attend(self, features: Sequence[torch.Tensor]) -> CrossAttentionCache:
        before, self._last_cross = self._last_cross, None
        return before[1] if before is not None and are_equal(before[0], features) else self._decoder.attend(features)

    def _continue(
        self, scores: torch.Tensor, cache: KVCache, temperature: float, attention: list[list[torch.Tensor]]
    ) -> tuple[list[list[int]], list[list[float]]]:
        tokens: list[list[int]] = [[] for _ in scores]
        known: list[list[float]] = [[] for _ in scores]
        alive = list(range(len(tokens)))
        # A generator for each row: what one draws does not depend on the other rows.
        generators = [torch.Generator().manual_seed(0) for _ in tokens]
        self._grammar.first(scores)
        while True:
            chosen, logprobs = self._choose(scores, temperature, [generators[row] for row in alive])
            kept: list[int] = []
            for row, weights in zip(alive, cache.attention, strict=False):
                attention[row].append(weights)
            for index, (row, token, logprob) in enumerate(zip(alive, chosen, logprobs, strict=True)):
                known[row].append(logprob)
                if token != self._grammar.end:
                    tokens[row].append(token)
                    kept.append(index)
            if not kept or len(tokens[alive[kept[0]]]) >= MAX_TOKENS:
                return tokens, known
            if len(kept) < len(alive):  # rows that have ended cost nothing any more
                cache = self._decoder.select_rows(cache, torch.tensor(kept))
                alive = [alive[index] for index in kept]
            scores = self._decoder.step(torch.tensor([[tokens[row][-1]] for row in alive]), cache)[:, -1]
            self._grammar.next(scores, [tokens[row] for row in alive])

    def _choose(
        self, scores: torch.Tensor, temperature: float, generators: Sequence[torch.Generator]
    ) -> tuple[list[int], list[float]]:
        if temperature == 0:
            chosen = scores.argmax(dim=-1)
        else:
            shares = torch.softmax(scores / temperature, dim=-1)
            drawn = [torch.multinomial(row, 1, generator=own) for row, own in zip(shares, generators, strict=True)]
            chosen = torch.cat(drawn)
        logprobs = scores.gather(1, chosen[:, None])[:, 0] - scores.logsumexp(dim=-1)
        return chosen.tolist(), logprobs.tolist()
