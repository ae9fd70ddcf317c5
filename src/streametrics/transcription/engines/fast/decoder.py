"""Whisper's decoder, a few tokens at a time: what does not change is computed once for a window.

Keys and values of the features are made once per window, those of earlier tokens are kept in memory that is
reserved once, and only the positions that are asked for are turned into the vocabulary's scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from whisper.model import ResidualAttentionBlock, TextDecoder

from streametrics.transcription.engines.fast.float16_linear import linear
from streametrics.transcription.engines.fast.output_projection import Vocabulary
from streametrics.transcription.engines.fast.quantized_linear import for_many_rows
from streametrics.transcription.engines.fast.thread_budget import Cores


@dataclass(slots=True)
class Memory:
    """What a batch of rows has heard and said. `used` counts the positions that hold tokens.

    heard: of the features. said: keys and values of the tokens of each block, float32, (rows, heads, positions, head).
    """

    heard: "Heard"
    said: list[tuple[torch.Tensor, torch.Tensor]]
    used: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What can be asked of some rows of features, which were filled up to the longest of them.

    blocks: keys and values of each block, both of shape (rows, heads, head, positions).
    filled: minus infinity where a row has no features, else 0, shape (rows, 1, 1, positions); None where all are full.
    """

    blocks: list[tuple[torch.Tensor, torch.Tensor]]
    filled: torch.Tensor | None

    def keep(self, rows: torch.Tensor) -> "Heard":
        """Of some rows only, given by their numbers."""
        filled = None if self.filled is None else self.filled[rows]
        return Heard([(key[rows], value[rows]) for key, value in self.blocks], filled)


class _Block:
    def __init__(self, reference: ResidualAttentionBlock, dtype: torch.dtype) -> None:
        own, cross, mlp = reference.attn, reference.cross_attn, reference.mlp
        assert cross is not None and reference.cross_attn_ln is not None
        self.heads = own.n_head
        self.scale = (own.query.weight.shape[0] // own.n_head) ** -0.5
        self.own_norm, self.cross_norm, self.mlp_norm = (
            (norm.weight, norm.bias) for norm in (reference.attn_ln, reference.cross_attn_ln, reference.mlp_ln)
        )
        nothing = torch.zeros_like(own.query.bias)
        self.query_key_value = linear(
            torch.cat([own.query.weight, own.key.weight, own.value.weight]),
            torch.cat([own.query.bias, nothing, own.value.bias]),
        )
        self.own_out = linear(own.out.weight, own.out.bias)
        self.cross_query, self.cross_out = (
            linear(cross.query.weight, cross.query.bias),
            linear(cross.out.weight, cross.out.bias),
        )
        self.mlp_in, self.mlp_out = linear(mlp[0].weight, mlp[0].bias), linear(mlp[2].weight, mlp[2].bias)
        self.key_value = for_many_rows(
            torch.cat([cross.key.weight, cross.value.weight]), torch.cat([nothing, cross.value.bias]), dtype
        )


class Decoder:
    """Several threads may use it. `dtype`: of the features' keys and values, bfloat16 or float32.

    words: how many of the tokens are text; the others follow them. cores: to hear with; tokens are said on as many
    threads as torch is set to.
    """

    def __init__(self, reference: TextDecoder, dtype: torch.dtype, *, words: int, cores: Cores) -> None:
        self._cores = cores
        self._embedding = reference.token_embedding.weight.float()
        self._positions = reference.positional_embedding.float()
        self._norm = (reference.ln.weight, reference.ln.bias)
        self._blocks = [_Block(block, dtype) for block in reference.blocks]
        self._vocabulary = Vocabulary(self._embedding, words=words)

    def hear(self, features: Sequence[torch.Tensor]) -> Heard:
        """Keys and values of rows of features, each of shape (positions, state).

        On all of a pass's cores: these matrices are as large as the encoder's.
        """
        lengths = [len(row) for row in features]
        with self._cores.taken():
            blocks = [self._keys_and_values(block, features, max(lengths)) for block in self._blocks]
        if min(lengths) == max(lengths):
            return Heard(blocks, None)
        filled = torch.zeros(len(lengths), 1, 1, max(lengths))
        for row, length in enumerate(lengths):
            filled[row, ..., length:] = -torch.inf
        return Heard(blocks, filled)

    def remember(self, heard: Heard, positions: int) -> Memory:
        """Memory for what was heard, and for at most so many tokens in each row."""
        rows, heads, head, _ = heard.blocks[0][0].shape
        shape = rows, heads, positions, head
        return Memory(heard, [(torch.empty(shape), torch.empty(shape)) for _ in self._blocks])

    def _keys_and_values(
        self, block: _Block, features: Sequence[torch.Tensor], longest: int
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

    def keep(self, memory: Memory, rows: torch.Tensor) -> Memory:
        """The memory of some rows only, given by their numbers."""
        return Memory(
            memory.heard.keep(rows),
            [(key[rows], value[rows]) for key, value in memory.said],
            memory.used,
        )

    def step(self, tokens: torch.Tensor, memory: Memory, *, also_first: bool = False) -> torch.Tensor:
        """Say tokens, shape (rows, count); the scores of what comes next, float32, shape (rows, 1, vocabulary).

        also_first: scores after the first of these tokens too, shape (rows, 2, vocabulary).
        """
        rows, count = tokens.shape
        begin, end = memory.used, memory.used + count
        x = functional.embedding(tokens, self._embedding) + self._positions[begin:end]
        x = x.view(rows * count, -1)
        for block, heard, said in zip(self._blocks, memory.heard.blocks, memory.said, strict=True):
            normed = functional.layer_norm(x, x.shape[-1:], *block.own_norm)
            x = x + block.own_out(self._own(block.query_key_value(normed), block, said, rows, begin, end))
            query = block.cross_query(functional.layer_norm(x, x.shape[-1:], *block.cross_norm))
            x = x + block.cross_out(self._cross(query, block, heard, memory.heard.filled))
            normed = functional.layer_norm(x, x.shape[-1:], *block.mlp_norm)
            x = x + block.mlp_out(functional.gelu(block.mlp_in(normed)))
        memory.used = end
        x = x.view(rows, count, -1)
        x = x[:, [0, -1]] if also_first else x[:, -1:]
        scores = self._vocabulary(functional.layer_norm(x, x.shape[-1:], *self._norm).reshape(-1, x.shape[-1]))
        return scores.view(rows, x.shape[1], -1)

    def _own(
        self,
        joined: torch.Tensor,
        block: _Block,
        said: tuple[torch.Tensor, torch.Tensor],
        rows: int,
        begin: int,
        end: int,
    ) -> torch.Tensor:
        query, key, value = joined.view(rows, end - begin, 3, block.heads, -1).permute(2, 0, 3, 1, 4)
        said[0][:, :, begin:end], said[1][:, :, begin:end] = key, value
        # Only the first call says several tokens, and then nothing was said before: causal is right for it.
        attended = functional.scaled_dot_product_attention(
            query, said[0][:, :, :end], said[1][:, :, :end], is_causal=end - begin > 1
        )
        return attended.transpose(1, 2).reshape(rows * (end - begin), -1)

    def _cross(
        self,
        query: torch.Tensor,
        block: _Block,
        heard: tuple[torch.Tensor, torch.Tensor],
        filled: torch.Tensor | None,
    ) -> torch.Tensor:
        key, value = heard
        rows = len(key)
        count = query.shape[0] // rows
        # A product written out is ten times as fast as torch's fused attention for one query in bfloat16.
        asked = (query * block.scale).view(rows, count, block.heads, -1).transpose(1, 2).to(key.dtype)
        likeness = torch.matmul(asked, key).float()
        weights = torch.softmax(likeness if filled is None else likeness + filled, dim=-1).to(key.dtype)
        return torch.matmul(weights, value.transpose(2, 3)).float().transpose(1, 2).reshape(rows * count, -1)


def are_equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    """Whether these are the same tensors, or others with the same numbers."""
    return len(some) == len(others) and all(torch.equal(one, other) for one, other in zip(some, others, strict=True))
