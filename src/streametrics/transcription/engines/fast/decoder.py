"""Whisper's decoder with a KV cache: what does not change is computed once for a window.

Keys and values of the features are computed once per window, those of earlier tokens are kept in tensors that are
allocated once, and scores are projected only for the positions that are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch.nn import functional
from whisper.model import ResidualAttentionBlock, TextDecoder

from streametrics.transcription.engines.fast.float16_linear import linear
from streametrics.transcription.engines.fast.output_projection import OutputProjection
from streametrics.transcription.engines.fast.quantized_linear import batched_linear
from streametrics.transcription.engines.fast.thread_budget import ThreadBudget


@dataclass(slots=True)
class KVCache:
    """Keys and values of a batch of rows. `used` counts the positions that hold tokens.

    cross: of the features. own: of the tokens, for each block, float32, (rows, heads, positions, head). attention: how
    much the last token fed attends to each position of the features, of the alignment heads alone, float32, (rows,
    heads, positions); empty before the first step.
    """

    cross: "CrossAttentionCache"
    own: list[tuple[torch.Tensor, torch.Tensor]]
    used: int = 0
    attention: torch.Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass(frozen=True, slots=True)
class CrossAttentionCache:
    """Keys and values of some rows of features, padded to the longest of them.

    blocks: for each block, keys and values of shape (rows, heads, head, positions).
    mask: minus infinity where a row is padded, else 0, shape (rows, 1, 1, positions); None where no row is.
    """

    blocks: list[tuple[torch.Tensor, torch.Tensor]]
    mask: torch.Tensor | None

    def select_rows(self, rows: torch.Tensor) -> "CrossAttentionCache":
        """Return the cache of some rows only, given by their numbers."""
        mask = None if self.mask is None else self.mask[rows]
        return CrossAttentionCache([(key[rows], value[rows]) for key, value in self.blocks], mask)


class _DecoderBlock:
    """One block's weights. alignment_heads: numbers of the heads whose cross-attention follows the audio."""

    def __init__(self, reference: ResidualAttentionBlock, dtype: torch.dtype, alignment_heads: list[int]) -> None:
        self.alignment_heads = alignment_heads
        attention, cross, mlp = reference.attn, reference.cross_attn, reference.mlp
        assert cross is not None and reference.cross_attn_ln is not None
        self.heads = attention.n_head
        self.scale = (attention.query.weight.shape[0] // attention.n_head) ** -0.5
        self.own_norm, self.cross_norm, self.mlp_norm = (
            (norm.weight, norm.bias) for norm in (reference.attn_ln, reference.cross_attn_ln, reference.mlp_ln)
        )
        no_bias = torch.zeros_like(attention.query.bias)
        self.query_key_value = linear(
            torch.cat([attention.query.weight, attention.key.weight, attention.value.weight]),
            torch.cat([attention.query.bias, no_bias, attention.value.bias]),
        )
        self.own_out = linear(attention.out.weight, attention.out.bias)
        self.cross_query, self.cross_out = (
            linear(cross.query.weight, cross.query.bias),
            linear(cross.out.weight, cross.out.bias),
        )
        self.mlp_in, self.mlp_out = linear(mlp[0].weight, mlp[0].bias), linear(mlp[2].weight, mlp[2].bias)
        self.key_value = batched_linear(
            torch.cat([cross.key.weight, cross.value.weight]), torch.cat([no_bias, cross.value.bias]), dtype
        )


class TokenDecoder:
    """Computes the next token's scores. Thread-safe. `dtype`: of the features' keys and values, bfloat16 or float32.

    words: how many of the tokens are text; the others follow them. budget: threads for the features' keys and values;
    `step` runs on as many threads as torch is set to. alignment_heads: block and number of each head to keep the
    cross-attention of.
    """

    def __init__(
        self,
        reference: TextDecoder,
        dtype: torch.dtype,
        *,
        words: int,
        budget: ThreadBudget,
        alignment_heads: Sequence[tuple[int, int]] = (),
    ) -> None:
        self._budget = budget
        self._embedding = reference.token_embedding.weight.float()
        self._positions = reference.positional_embedding.float()
        self._norm = (reference.ln.weight, reference.ln.bias)
        self._blocks = [
            _DecoderBlock(block, dtype, [head for of, head in alignment_heads if of == number])
            for number, block in enumerate(reference.blocks)
        ]
        self._vocabulary = OutputProjection(self._embedding, words=words)

    def attend(self, features: Sequence[torch.Tensor]) -> CrossAttentionCache:
        """Compute keys and values of rows of features, each of shape (positions, state).

        On all of a batch's cores: these matrices are as large as the encoder's.
        """
        lengths = [len(row) for row in features]
        with self._budget.threads():
            blocks = [self._keys_and_values(block, features, max(lengths)) for block in self._blocks]
        if min(lengths) == max(lengths):
            return CrossAttentionCache(blocks, None)
        mask = torch.zeros(len(lengths), 1, 1, max(lengths))
        for row, length in enumerate(lengths):
            mask[row, ..., length:] = -torch.inf
        return CrossAttentionCache(blocks, mask)

    def new_cache(self, cross: CrossAttentionCache, positions: int) -> KVCache:
        """Allocate a KV cache over these features for at most `positions` tokens in each row."""
        rows, heads, head, _ = cross.blocks[0][0].shape
        shape = rows, heads, positions, head
        return KVCache(cross, [(torch.empty(shape), torch.empty(shape)) for _ in self._blocks])

    def _keys_and_values(
        self, block: _DecoderBlock, features: Sequence[torch.Tensor], longest: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # Positions last: a query then reads the values along them, in about 70 % of the time. And two tensors: torch
        # copies halves of one for every product of several rows, as rows and heads are no common stride apart there.
        state, dtype = features[0].shape[-1], features[0].dtype
        shape = (len(features), block.heads, state // block.heads, longest)
        keys, values = torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=dtype)
        for row, each in enumerate(features):
            made = block.key_value(each).t()
            keys[row, ..., : len(each)], values[row, ..., : len(each)] = made.view(2, *shape[1:3], -1)
        return keys, values

    def select_rows(self, cache: KVCache, rows: torch.Tensor) -> KVCache:
        """Return the KV cache of some rows only, given by their numbers."""
        return KVCache(
            cache.cross.select_rows(rows),
            [(key[rows], value[rows]) for key, value in cache.own],
            cache.used,
        )

    def step(self, tokens: torch.Tensor, cache: KVCache, *, also_first: bool = False) -> torch.Tensor:
        """Feed tokens, shape (rows, count); returns the next token's scores, float32, shape (rows, 1, vocabulary).

        also_first: scores after the first of these tokens too, shape (rows, 2, vocabulary).
        """
        rows, count = tokens.shape
        begin, end = cache.used, cache.used + count
        x = functional.embedding(tokens, self._embedding) + self._positions[begin:end]
        x = x.view(rows * count, -1)
        attention: list[torch.Tensor] = []
        for block, cross, own in zip(self._blocks, cache.cross.blocks, cache.own, strict=True):
            normed = functional.layer_norm(x, x.shape[-1:], *block.own_norm)
            x = x + block.own_out(self._self_attention(block.query_key_value(normed), block, own, rows, begin, end))
            query = block.cross_query(functional.layer_norm(x, x.shape[-1:], *block.cross_norm))
            x = x + block.cross_out(self._cross_attention(query, block, cross, cache.cross.mask, attention))
            normed = functional.layer_norm(x, x.shape[-1:], *block.mlp_norm)
            x = x + block.mlp_out(functional.gelu(block.mlp_in(normed)))
        cache.used = end
        if attention:
            cache.attention = torch.cat(attention, dim=1)
        x = x.view(rows, count, -1)
        x = x[:, [0, -1]] if also_first else x[:, -1:]
        scores = self._vocabulary(functional.layer_norm(x, x.shape[-1:], *self._norm).reshape(-1, x.shape[-1]))
        return scores.view(rows, x.shape[1], -1)

    def _self_attention(
        self,
        joined: torch.Tensor,
        block: _DecoderBlock,
        own: tuple[torch.Tensor, torch.Tensor],
        rows: int,
        begin: int,
        end: int,
    ) -> torch.Tensor:
        query, key, value = joined.view(rows, end - begin, 3, block.heads, -1).permute(2, 0, 3, 1, 4)
        own[0][:, :, begin:end], own[1][:, :, begin:end] = key, value
        # Only the first call feeds several tokens, with none before them: a causal mask is right for it.
        attended = functional.scaled_dot_product_attention(
            query, own[0][:, :, :end], own[1][:, :, :end], is_causal=end - begin > 1
        )
        return attended.transpose(1, 2).reshape(rows * (end - begin), -1)

    def _cross_attention(
        self,
        query: torch.Tensor,
        block: _DecoderBlock,
        cross: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        attention: list[torch.Tensor],
    ) -> torch.Tensor:
        """Attend to the features, and add to `attention` what the alignment heads of the last position attend to."""
        key, value = cross
        rows = len(key)
        count = query.shape[0] // rows
        # A product written out is ten times as fast as torch's fused attention for one query in bfloat16.
        asked = (query * block.scale).view(rows, count, block.heads, -1).transpose(1, 2).to(key.dtype)
        similarity = torch.matmul(asked, key).float()
        weights = torch.softmax(similarity if mask is None else similarity + mask, dim=-1)
        if block.alignment_heads:
            attention.append(weights[:, block.alignment_heads, -1])
        return (
            torch.matmul(weights.to(key.dtype), value.transpose(2, 3)).float().transpose(1, 2).reshape(rows * count, -1)
        )


def are_equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    """Tell whether these are the same tensors, or others with the same values."""
    return len(some) == len(others) and all(torch.equal(one, other) for one, other in zip(some, others, strict=True))
