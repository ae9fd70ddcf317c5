"""Which engine `auto` is, without loading one; and how many cores it gets."""

import subprocess
import sys
from pathlib import Path

import pytest

from streametrics.errors import TranscriptionFailed
from streametrics.settings import EngineName, Settings
from streametrics.transcription import benchmark_cache, cpu, engine_benchmark
from streametrics.transcription import factory as transcriber_factory


@pytest.fixture(autouse=True)
def without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcriber_factory, "has_nvidia_gpu", lambda: False)


def settings(engine: EngineName = "auto", model: str = "base", model_dir: Path = Path("/nowhere")) -> Settings:
    return Settings(_env_file=None, whisper_engine=engine, whisper_model=model, model_dir=model_dir)


@pytest.mark.parametrize(
    ("installed", "model", "chosen"),
    [
        ({"faster_whisper", "whisper"}, "base", "faster-whisper"),
        ({"whisper"}, "base", "openai-whisper-fast"),
        ({"faster_whisper", "whisper"}, "/models/mine.pt", "openai-whisper-fast"),
        ({"faster_whisper"}, "/models/mine", "faster-whisper"),
    ],
)
def test_auto_takes_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], model: str, chosen: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name in installed else None)

    assert transcriber_factory.resolve_engine(settings(model=model)) == chosen


def test_auto_without_an_engine_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(TranscriptionFailed, match="pip install"):
        transcriber_factory.resolve_engine(settings())


def test_auto_takes_what_was_the_fastest_here(tmp_path: Path) -> None:
    # Given a measurement made on this machine
    here = benchmark_cache.machine_fingerprint(cpu.available_cores())
    benchmark_cache.save(tmp_path, here, {"faster-whisper": 2.0, "openai-whisper-fast": 0.8})

    # Expect its winner, and no second measurement
    assert transcriber_factory.resolve_engine(settings(model_dir=tmp_path)) == "openai-whisper-fast"
    assert not engine_benchmark.is_due(settings(model_dir=tmp_path))


def test_the_fast_engine_keeps_its_former_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a .env and a measurement of before, when the engine was called otherwise
    monkeypatch.setenv("WHISPER_ENGINE", "openai-whisper-int8")
    benchmark_cache.save(
        tmp_path,
        benchmark_cache.machine_fingerprint(cpu.available_cores()),
        {"faster-whisper": 2.0, "openai-whisper-int8": 0.8},
    )

    # Expect both to mean the same engine, and no second measurement
    assert Settings(_env_file=None).whisper_engine == "openai-whisper-fast"
    monkeypatch.delenv("WHISPER_ENGINE")
    assert transcriber_factory.resolve_engine(settings(model_dir=tmp_path)) == "openai-whisper-fast"
    assert not engine_benchmark.is_due(settings(model_dir=tmp_path))


def test_a_measurement_holds_for_its_machine_only(tmp_path: Path) -> None:
    benchmark_cache.save(tmp_path, "another processor", {"faster-whisper": 2.0, "openai-whisper-fast": 0.8})

    assert transcriber_factory.resolve_engine(settings(model_dir=tmp_path)) == "faster-whisper"
    assert engine_benchmark.is_due(settings(model_dir=tmp_path))


@pytest.mark.parametrize("torn", ["", "[]", "{", '{"machine": 1}', '{"machine": "here", "seconds": {"x": "fast"}}'])
def test_a_torn_measurement_is_as_good_as_none(tmp_path: Path, torn: str) -> None:
    (tmp_path / "fastest-engine.json").write_text(torn)

    assert benchmark_cache.load(tmp_path, "here") == {}


def test_a_set_engine_is_not_measured(tmp_path: Path) -> None:
    assert not engine_benchmark.is_due(settings("faster-whisper", model_dir=tmp_path))


def test_a_set_engine_is_kept() -> None:
    assert transcriber_factory.resolve_engine(settings("openai-whisper")) == "openai-whisper"
    assert transcriber_factory.create(settings("fake")).engine == "fake"
    assert [transcriber_factory.weights_format(engine) for engine in ("faster-whisper", "openai-whisper", "fake")] == [
        "ctranslate2",
        "openai",
        None,
    ]


@pytest.mark.slow
def test_choosing_loads_no_engine() -> None:
    code = (
        "import sys; from streametrics.transcription import factory; from streametrics.settings import Settings;"
        "factory.create(Settings(_env_file=None, whisper_engine='fake'));"
        "factory.resolve_engine(Settings(_env_file=None, whisper_engine='auto'));"
        "print({'torch', 'ctranslate2', 'whisper', 'faster_whisper', 'onnxruntime'} & set(sys.modules))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "set()"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000", "cpu.max": "400000 100000"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
    ],
)
def test_a_containers_share_is_read(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    membership = tmp_path / "membership"
    membership.write_text("0::/a/b\n")

    assert cpu.cgroup_quota(tmp_path, membership) == cores


def test_there_is_at_least_one_core() -> None:
    assert cpu.available_cores() >= 1
