"""Whisper's encoder without its modules: one matrix for query, key and value, one fused attention."""

from functools import partial
from typing import NamedTuple

import torch
from torch.nn import functional
from whisper.model import AudioEncoder, ResidualAttentionBlock

from streametrics.transcription.engines.fast.float16_linear import Linear
from streametrics.transcription.engines.fast.quantized_linear import for_many_rows

#: Blocks at the beginning that stay in full precision: three quarters of all that int8 would change, the first one does
#: (docs/decisions/0025).
FULL_BLOCKS = 1


class _Affine(NamedTuple):
    weight: torch.Tensor
    bias: torch.Tensor


class _Block(NamedTuple):
    attention_norm: _Affine
    query_key_value: Linear
    out: Linear
    mlp_norm: _Affine
    mlp_in: Linear
    mlp_out: Linear


class Encoder:
    """Spectrograms in, shape (windows, mels, frames), 3000 frames at most; features out, (windows, frames / 2, state).

    `dtype` is what it computes in; where that is float32, most matrices are int8 if torch has them.
    """

    def __init__(self, reference: AudioEncoder, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._heads = reference.blocks[0].attn.n_head
        self._first, self._second = self._affine(reference.conv1), self._affine(reference.conv2)
        self._positions = reference.positional_embedding.to(dtype)
        self._blocks = [
            self._block(block, in_full=number < FULL_BLOCKS) for number, block in enumerate(reference.blocks)
        ]
        self._norm = self._affine(reference.ln_post)

    def __call__(self, mel: torch.Tensor) -> torch.Tensor:
        x = functional.gelu(functional.conv1d(mel.to(self.dtype), *self._first, padding=1))
        x = functional.gelu(functional.conv1d(x, *self._second, stride=2, padding=1))
        x = x.transpose(1, 2).contiguous() + self._positions[: x.shape[-1]]
        for block in self._blocks:
            x = x + self._attention(functional.layer_norm(x, x.shape[-1:], *block.attention_norm), block)
            hidden = block.mlp_in(functional.layer_norm(x, x.shape[-1:], *block.mlp_norm))
            x = x + block.mlp_out(functional.gelu(hidden))
        return functional.layer_norm(x, x.shape[-1:], *self._norm)

    def _attention(self, x: torch.Tensor, block: _Block) -> torch.Tensor:
        windows, frames, state = x.shape
        joined = block.query_key_value(x)
        query, key, value = joined.view(windows, frames, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value)
        return block.out(heard.transpose(1, 2).reshape(windows, frames, state))

    def _block(self, block: ResidualAttentionBlock, *, in_full: bool) -> _Block:
        attention = block.attn
        weight = torch.cat([attention.query.weight, attention.key.weight, attention.value.weight])
        bias = torch.cat([attention.query.bias, torch.zeros_like(attention.query.bias), attention.value.bias])
        linear = partial(for_many_rows, dtype=self.dtype, in_full=in_full)
        return _Block(
            self._affine(block.attn_ln),
            linear(weight, bias),
            linear(attention.out.weight, attention.out.bias),
            self._affine(block.mlp_ln),
            linear(block.mlp[0].weight, block.mlp[0].bias),
            linear(block.mlp[2].weight, block.mlp[2].bias),
        )

    def _affine(self, module: torch.nn.Module) -> _Affine:
        return _Affine(module.weight.to(self.dtype).contiguous(), module.bias.to(self.dtype).contiguous())  # type: ignore[operator]
