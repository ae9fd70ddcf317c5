"""Rebuilds openai-whisper's `.pt` from a CTranslate2 folder: both hold the same float16 tensors.

Layout of a CTranslate2 `model.bin` (binary version 6, WhisperSpec revision 3), little-endian: version u32, name of the
specification, revision u32, number of variables u32; then each variable's name (length u16, ended by NUL), rank u8,
dimensions u32, type u8, number of bytes u32, data; then the aliases.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streametrics.errors import WeightsCorrupt

Tensors = dict[str, NDArray[np.generic]]

#: CTranslate2's numbers for the types that occur in Whisper's files.
_DTYPES: dict[int, str] = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
_BINARY_VERSION = 6


def convert_to_openai(folder: Path, target: Path) -> None:
    """Write `target` (a `.pt` that `whisper.load_model` accepts) from the `model.bin` in `folder`.

    Raises WeightsCorrupt when `model.bin` is not a Whisper model of the expected layout.
    """
    # torch takes seconds to load, and only this way of getting weights needs it.
    import torch

    tensors = read_ctranslate2(folder / "model.bin")
    try:
        state = dict(_state(tensors))
        dimensions = _dimensions(state, tensors)
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsCorrupt(f"{folder / 'model.bin'} is not a Whisper model: {error!r} is missing") from error
    torch.save(
        {
            "dims": dimensions,
            "model_state_dict": {name: torch.from_numpy(value.copy()) for name, value in state.items()},
        },
        target,
    )


def read_ctranslate2(file: Path) -> Tensors:
    """Read all variables of a `model.bin` by name. Raises WeightsCorrupt for any other content."""
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return dict(_variables(content))
    except (struct.error, ValueError, KeyError) as error:  # an empty file cannot even be mapped
        raise WeightsCorrupt(f"{file} is not a CTranslate2 model, or is cut off: {error}") from error


def _variables(content: mmap.mmap) -> Iterator[tuple[str, NDArray[np.generic]]]:
    position = 0

    def number(form: str) -> int:
        nonlocal position
        (value,) = struct.unpack_from("<" + form, content, position)
        position += struct.calcsize("<" + form)
        return int(value)

    def data(size: int) -> bytes:
        nonlocal position
        if position + size > len(content):
            raise ValueError(f"{position + size - len(content)} bytes are missing")
        position += size
        return content[position - size : position]

    version = number("I")
    if version != _BINARY_VERSION:
        raise ValueError(f"binary version {version}, expected {_BINARY_VERSION}")
    specification = data(number("H")).rstrip(b"\0").decode()
    if specification != "WhisperSpec":
        raise ValueError(f"a {specification!r}, expected a WhisperSpec")
    number("I")  # revision
    for _ in range(number("I")):
        name = data(number("H")).rstrip(b"\0").decode()
        shape = [number("I") for _ in range(number("B"))]
        dtype = np.dtype(_DTYPES[number("B")])
        yield name, np.frombuffer(data(number("I")), dtype=dtype).reshape(shape)


def _state(tensors: Tensors) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Yield the tensors by openai-whisper's names; CTranslate2 stacks query, key and value, which are apart there."""
    for layer in ("conv1", "conv2"):
        yield from _pair(f"encoder.{layer}", tensors, f"encoder/{layer}")
    yield "decoder.token_embedding.weight", tensors["decoder/embeddings/weight"]
    for side, norm in (("encoder", "ln_post"), ("decoder", "ln")):
        yield f"{side}.positional_embedding", tensors[f"{side}/position_encodings/encodings"]
        yield from _norm(f"{side}.{norm}", tensors, f"{side}/layer_norm")
        for index in range(_layers(tensors, side)):
            theirs, ours = f"{side}/layer_{index}", f"{side}.blocks.{index}"
            yield from _attention(
                f"{ours}.attn", tensors, f"{theirs}/self_attention", stacked=("query", "key", "value")
            )
            yield from _norm(f"{ours}.attn_ln", tensors, f"{theirs}/self_attention/layer_norm")
            if side == "decoder":
                cross = f"{theirs}/attention"
                yield from _attention(f"{ours}.cross_attn", tensors, cross, stacked=("query",), second=("key", "value"))
                yield from _norm(f"{ours}.cross_attn_ln", tensors, f"{cross}/layer_norm")
            yield from _pair(f"{ours}.mlp.0", tensors, f"{theirs}/ffn/linear_0")
            yield from _pair(f"{ours}.mlp.2", tensors, f"{theirs}/ffn/linear_1")
            yield from _norm(f"{ours}.mlp_ln", tensors, f"{theirs}/ffn/layer_norm")


def _attention(
    ours: str, tensors: Tensors, theirs: str, *, stacked: tuple[str, ...], second: tuple[str, ...] = ()
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    groups = [stacked, second] if second else [stacked]
    for index, parts in enumerate(groups):
        weights = np.split(tensors[f"{theirs}/linear_{index}/weight"], len(parts))
        biases = np.split(tensors[f"{theirs}/linear_{index}/bias"], len(parts))
        for part, weight, bias in zip(parts, weights, biases, strict=True):
            yield f"{ours}.{part}.weight", weight
            if part != "key":  # openai-whisper's keys have none; it is all zeros here
                yield f"{ours}.{part}.bias", bias
    yield from _pair(f"{ours}.out", tensors, f"{theirs}/linear_{len(groups)}")


def _pair(ours: str, tensors: Tensors, theirs: str) -> Iterator[tuple[str, NDArray[np.generic]]]:
    yield f"{ours}.weight", tensors[f"{theirs}/weight"]
    yield f"{ours}.bias", tensors[f"{theirs}/bias"]


def _norm(ours: str, tensors: Tensors, theirs: str) -> Iterator[tuple[str, NDArray[np.generic]]]:
    yield f"{ours}.weight", tensors[f"{theirs}/gamma"]
    yield f"{ours}.bias", tensors[f"{theirs}/beta"]


def _layers(tensors: Tensors, side: str) -> int:
    return len({name.split("/")[1] for name in tensors if name.startswith(f"{side}/layer_") and name.count("/") > 2})


def _dimensions(state: Tensors, tensors: Tensors) -> dict[str, int]:
    audio_ctx, audio_state = state["encoder.positional_embedding"].shape
    text_ctx, text_state = state["decoder.positional_embedding"].shape
    return {
        "n_mels": state["encoder.conv1.weight"].shape[1],
        "n_audio_ctx": audio_ctx,
        "n_audio_state": audio_state,
        "n_audio_head": int(tensors["encoder/num_heads"]),
        "n_audio_layer": _layers(tensors, "encoder"),
        "n_vocab": state["decoder.token_embedding.weight"].shape[0],
        "n_text_ctx": text_ctx,
        "n_text_state": text_state,
        "n_text_head": int(tensors["decoder/num_heads"]),
        "n_text_layer": _layers(tensors, "decoder"),
    }
