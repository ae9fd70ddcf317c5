"""Finds when tokens were said with plain openai-whisper: one more pass of its decoder over all of a text's tokens.

Torch's fused attention keeps no weights, so the alignment heads' are computed again from their queries and keys.
"""

import math
from collections.abc import Callable, Sequence

import torch
import whisper

from streametrics.transcription.engines import alignment_heads
from streametrics.transcription.word_alignment import POSITION_S, token_times


class CrossAttention:
    """Computes how much each of a text's tokens attends to the audio."""

    def __init__(self, model: whisper.Whisper) -> None:
        self._model = model
        self._heads = alignment_heads.of(
            blocks=model.dims.n_text_layer,
            heads=model.dims.n_text_head,
            mels=model.dims.n_mels,
            is_multilingual=model.is_multilingual,
        )

    def token_times(
        self, prompt: Sequence[int], tokens: Sequence[int], features: torch.Tensor, *, audio_s: float
    ) -> list[tuple[float, float]]:
        """Return when each token begins and ends, in seconds from the window's beginning.

        prompt: what the tokens were decoded after. features: of the window, shape (positions, state).
        """
        positions = min(max(1, math.ceil(audio_s / POSITION_S)), len(features))
        queries, keys = self._queries_and_keys([*prompt, *tokens], features)
        rows = [
            self._weights(queries[block], keys[block], head)[len(prompt) - 1 :, :positions]
            for block, head in self._heads
        ]
        return token_times(torch.stack(rows, dim=1).cpu().numpy())[: len(tokens)]

    @torch.inference_mode()
    def _queries_and_keys(
        self, tokens: Sequence[int], features: torch.Tensor
    ) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor]]:
        queries: dict[int, torch.Tensor] = {}
        keys: dict[int, torch.Tensor] = {}
        hooks = []
        for number in {block for block, _ in self._heads}:
            attention = self._model.decoder.blocks[number].cross_attn
            hooks.append(attention.query.register_forward_hook(_kept(queries, number)))
            hooks.append(attention.key.register_forward_hook(_kept(keys, number)))
        try:
            self._run_blocks(torch.tensor([tokens], device=features.device), features[None])
        finally:
            for hook in hooks:
                hook.remove()
        return queries, keys

    def _run_blocks(self, tokens: torch.Tensor, features: torch.Tensor) -> None:
        """Run the decoder up to its last block with such a head, and score no tokens."""
        decoder, last = self._model.decoder, max(block for block, _ in self._heads)
        x = decoder.token_embedding(tokens) + decoder.positional_embedding[: tokens.shape[-1]]
        x = x.to(features.dtype)
        for block in decoder.blocks[: last + 1]:
            x = block(x, features, mask=decoder.mask)

    def _weights(self, query: torch.Tensor, key: torch.Tensor, head: int) -> torch.Tensor:
        size = query.shape[-1] // self._model.dims.n_text_head
        own = slice(head * size, (head + 1) * size)
        similarity = query[:, own].float() @ key[:, own].float().T
        return torch.softmax(similarity * size**-0.5, dim=-1)


def _kept(by_block: dict[int, torch.Tensor], number: int) -> Callable[[object, object, torch.Tensor], None]:
    def keep(_module: object, _inputs: object, output: torch.Tensor) -> None:
        by_block[number] = output[0]

    return keep
