"""What uv is told by environment variables: the newcomer's own pip settings, where uv's are not set."""

import ast
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

#: pip's sections, the stronger later: pip.conf's `[global]`, its `[install]`, and PIP_* variables.
PIP_SECTIONS = ("global", "install", ":env:")


def parse_pip_config(listing: str) -> dict[str, str]:
    """The output of `pip config list` (lines such as `global.index-url='https://…'`) as one mapping."""
    found: dict[tuple[int, str], str] = {}
    for line in listing.splitlines():
        key, separator, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if separator and section in PIP_SECTIONS:
            try:
                found[PIP_SECTIONS.index(section), name] = str(ast.literal_eval(value))
            except (ValueError, SyntaxError):
                continue
    return {name: value for (_, name), value in sorted(found.items())}


def translate(pip: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """pip's settings under uv's names; nothing that uv's own variables in `env` already decide."""
    out: dict[str, str] = {}
    extra = pip.get("extra-index-url", "").split()
    if "index-url" in pip and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & env.keys():
        out["UV_DEFAULT_INDEX"] = pip["index-url"]
    if extra and not {"UV_INDEX", "UV_EXTRA_INDEX_URL"} & env.keys():
        out["UV_INDEX"] = " ".join(extra)
        if "UV_INDEX_STRATEGY" not in env:  # pip compares all of its indexes, uv stops at the first
            out["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    # uv refuses a folder that is not there, pip passes over it.
    links = [link for link in pip.get("find-links", "").split() if "://" in link or Path(link).is_dir()]
    out.update({"UV_FIND_LINKS": ",".join(links)} if links else {})
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        out["UV_NO_INDEX"] = "1"
    for name, uv_name in (
        ("cert", "SSL_CERT_FILE"),
        ("client-cert", "SSL_CLIENT_CERT"),
        ("proxy", "HTTPS_PROXY"),
        ("proxy", "HTTP_PROXY"),
    ):
        if pip.get(name):
            out[uv_name] = pip[name]
    if pip.get("trusted-host"):
        out["UV_INSECURE_HOST"] = " ".join(pip["trusted-host"].split())
    # uv gives up after 30 s without a byte, too soon for a slow line.
    out["UV_HTTP_TIMEOUT"] = str(max(120, int(float(pip.get("default-timeout", pip.get("timeout", "0"))))))
    return {name: value for name, value in out.items() if name not in env}


def cache_settings(env: Mapping[str, str], venv: Path) -> dict[str, str]:
    """Keep uv's cache in use: a second environment is then linked in seconds instead of copied or fetched."""
    home = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "/")) / ".cache")
    cache = Path(env.get("UV_CACHE_DIR") or home / "uv")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK)
    except OSError:
        writable = False
    if not writable:  # a service's account without a home
        return {"UV_CACHE_DIR": str(venv / "uv-cache")}
    if cache.stat().st_dev != venv.stat().st_dev and "UV_LINK_MODE" not in env:
        return {"UV_LINK_MODE": "copy"}  # files cannot be linked from one file system to another
    return {}


def uv_environment(python: Path, venv: Path) -> dict[str, str]:
    """This process's environment with what uv should know beside it."""
    env = dict(os.environ)
    # uv's own settings files speak for it, and variables would overrule them.
    if not any(Path(path).is_file() for path in _uv_files(env)):
        listing = subprocess.run([python, "-I", "-m", "pip", "config", "list"], capture_output=True, text=True)
        env |= translate(parse_pip_config(listing.stdout), env)
    env.pop("VIRTUAL_ENV", None)
    return env | cache_settings(env, venv)


def _uv_files(env: Mapping[str, str]) -> list[str]:
    config = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME", "/")) / ".config")
    return [env.get("UV_CONFIG_FILE", ""), f"{config}/uv/uv.toml", "/etc/uv/uv.toml"]
