"""Which heads of each Whisper model's decoder attend to the audio of the token that they choose next.

OpenAI published them with openai-whisper; weights hold no such list, so a model is recognized by its dimensions. They
are counted by block and head, both from 0.
"""

from typing import NamedTuple

Heads = tuple[tuple[int, int], ...]


class _Decoder(NamedTuple):
    """Dimensions that tell a model."""

    blocks: int
    heads: int
    is_multilingual: bool
    mels: int = 80


def _heads(**by_block: tuple[int, ...]) -> Heads:
    return tuple((int(block[1:]), head) for block, heads in by_block.items() for head in heads)


#: large-v1 has large-v2's dimensions and other heads: it gets large-v2's.
_KNOWN: dict[_Decoder, Heads] = {
    _Decoder(4, 6, True): _heads(b2=(2,), b3=(0, 2, 3, 4, 5)),
    _Decoder(4, 6, False): _heads(b1=(0,), b2=(0, 5), b3=(0, 1, 2, 3, 4)),
    _Decoder(6, 8, True): _heads(b3=(1,), b4=(2, 3, 7), b5=(1, 2, 4, 6)),
    _Decoder(6, 8, False): _heads(b3=(3,), b4=(7,), b5=(1, 5, 7)),
    _Decoder(12, 12, True): _heads(b5=(3, 9), b8=(0, 4, 7, 8), b9=(0, 7, 9), b10=(5,)),
    _Decoder(12, 12, False): _heads(
        b6=(6,), b7=(0, 3, 8), b8=(2, 5, 7), b9=(0, 4, 8, 10), b10=(0, 1, 2, 3, 6, 11), b11=(2, 4)
    ),
    _Decoder(24, 16, True): _heads(b13=(15,), b15=(4, 15), b16=(1,), b20=(0,), b23=(4,)),
    _Decoder(24, 16, False): _heads(
        b11=(4,), b14=(1, 12, 14), b15=(4,), b16=(0, 4, 9), b17=(12, 14), b18=(7, 10, 15), b20=(0, 3, 9, 14), b21=(12,)
    ),
    _Decoder(32, 20, True): _heads(
        b10=(12,),
        b13=(17,),
        b16=(11, 12, 13),
        b17=(15, 16),
        b18=(4, 11, 19),
        b19=(11,),
        b21=(2, 3),
        b22=(3, 9, 12),
        b23=(5, 7, 13),
        b25=(5,),
        b26=(1, 12),
        b27=(15,),
    ),
    _Decoder(32, 20, True, mels=128): _heads(
        b7=(0,), b10=(17,), b12=(18,), b13=(12,), b16=(1,), b17=(14,), b19=(11,), b21=(4,), b24=(1,), b25=(6,)
    ),
    _Decoder(4, 20, True, mels=128): _heads(b2=(4, 11), b3=(3, 6, 11, 14)),
}


def of(*, blocks: int, heads: int, mels: int, is_multilingual: bool) -> Heads:
    """Return a decoder's alignment heads; of an unknown one the library's guess: all of the upper half of blocks."""
    known = _KNOWN.get(_Decoder(blocks, heads, is_multilingual, mels))
    return known or tuple((block, head) for block in range(blocks // 2, blocks) for head in range(heads))
