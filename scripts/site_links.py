"""A hook of mkdocs: what lies outside docs/ is no page of the site, so a link to it becomes the file's name."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parent.parent

_LINK = re.compile(r"(?<!!)\[(?P<words>[^\]]+)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:  # noqa: ANN401 - mkdocs' own page object
    """Replace links that leave docs/. Raises PluginError where nothing lies at their end."""
    source = Path(page.file.abs_src_path)

    def replaced(link: re.Match[str]) -> str:
        if "://" in link["target"]:
            return link[0]
        target = (source.parent / link["target"]).resolve()
        if not target.exists():
            raise PluginError(f"{source.name} links to {link['target']}, which does not exist")
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        path = target.relative_to(ROOT).as_posix()
        words = link["words"].strip("`")
        return f"`{path}`" if path.endswith(words) else f"{link['words']} (`{path}`)"

    return _LINK.sub(replaced, markdown)
