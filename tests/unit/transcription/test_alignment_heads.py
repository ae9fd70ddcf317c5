"""The table of alignment heads is openai-whisper's."""

import base64
import gzip

import numpy as np
import pytest

from streametrics.transcription.engines import alignment_heads

#: Dimensions of the library's models, for those whose heads are not another one's too.
DIMENSIONS = {
    "tiny": (4, 6, 80, True),
    "tiny.en": (4, 6, 80, False),
    "base": (6, 8, 80, True),
    "base.en": (6, 8, 80, False),
    "small": (12, 12, 80, True),
    "small.en": (12, 12, 80, False),
    "medium": (24, 16, 80, True),
    "medium.en": (24, 16, 80, False),
    "large-v2": (32, 20, 80, True),
    "large-v3": (32, 20, 128, True),
    "large-v3-turbo": (4, 20, 128, True),
}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_known_heads_are_the_librarys(name: str) -> None:
    whisper = pytest.importorskip("whisper")
    if not hasattr(whisper, "_ALIGNMENT_HEADS"):
        pytest.skip("the library keeps its table elsewhere now")
    blocks, heads, mels, is_multilingual = DIMENSIONS[name]
    packed = gzip.decompress(base64.b85decode(whisper._ALIGNMENT_HEADS[name]))
    expected = np.argwhere(np.frombuffer(packed, dtype=bool).reshape(blocks, heads)).tolist()

    found = alignment_heads.of(blocks=blocks, heads=heads, mels=mels, is_multilingual=is_multilingual)

    assert sorted(found) == [tuple(each) for each in expected]


def test_an_unknown_decoder_uses_the_upper_half() -> None:
    found = alignment_heads.of(blocks=3, heads=2, mels=80, is_multilingual=True)

    assert found == ((1, 0), (1, 1), (2, 0), (2, 1))
