"""Renders pages with untrusted text: a stream's title, a transcript, a model's answer. It stays text.

A page is built of elements whose names stand in our source, and of text; there is no way to put markup in. What a
page shows later, by script, goes through `textContent` alone: the policy below forbids everything else.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

#: Elements that a page of ours may have. None of them runs, loads or sends anything by itself.
ELEMENTS = frozenset(
    [
        "main",
        "header",
        "footer",
        "section",
        "article",
        "h1",
        "h2",
        "h3",
        "p",
        "span",
        "div",
        "ol",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "time",
        "strong",
        "em",
        "blockquote",
        "pre",
        "code",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "caption",
        "button",
        "output",
    ]
)
#: Attributes of these elements; `data-` ones too, which a script of ours may read.
ATTRIBUTES = frozenset({"id", "class", "lang", "dir", "title", "role", "datetime", "aria-live", "aria-label", "scope"})

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "`": "&#96;"})


def escaped(text: str) -> str:
    """Escape text for any place between tags or inside a quoted attribute.

    Control characters, which a parser may drop from the middle of a word, become the replacement character.
    """
    visible = "".join(char if char in "\n\t" or ord(char) >= 0x20 else "\ufffd" for char in text)
    return visible.replace("\x7f", "\ufffd").translate(_ESCAPED)


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its children are elements and text. Raises ValueError for a name that is not ours to use."""

    name: str
    children: tuple["Element | str", ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in ELEMENTS:
            raise ValueError(f"no element of our pages: {self.name!r}")
        for name in self.attributes:
            plain = name.removeprefix("data-").replace("-", "")
            is_data = name.startswith("data-") and plain.isascii() and plain.isalpha()
            if name not in ATTRIBUTES and not is_data:
                raise ValueError(f"no attribute of our pages: {name!r}")

    def html(self) -> str:
        return "".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        yield f"<{self.name}"
        for name, value in self.attributes.items():
            yield f' {name}="{escaped(value)}"'
        yield ">"
        for child in self.children:
            yield child.html() if isinstance(child, Element) else escaped(child)
        yield f"</{self.name}>"


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page, and the headers that it has to be sent with. script and style are files of ours, never data."""

    title: str
    body: tuple[Element, ...]
    language: str = "en"
    script: str = ""
    style: str = ""
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def html(self) -> str:
        for code in (self.script, self.style):
            if "</" in code or "<!--" in code:
                raise ValueError("a script or style that would end its own element")
        style = f'<style nonce="{self.nonce}">{self.style}</style>' if self.style else ""
        script = f'<script nonce="{self.nonce}">{self.script}</script>' if self.script else ""
        return (
            f'<!DOCTYPE html><html lang="{escaped(self.language)}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escaped(self.title)}</title>{style}</head><body>"
            f"{''.join(element.html() for element in self.body)}{script}</body></html>"
        )

    def headers(self) -> dict[str, str]:
        """Make the headers: only the page's own script runs, by its nonce; nothing is loaded or framed."""
        policy = {
            "default-src": "'none'",
            "script-src": f"'nonce-{self.nonce}'",
            "style-src": f"'nonce-{self.nonce}'",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
            # A string can become markup nowhere, so `innerHTML` fails even in our own script.
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        return {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
