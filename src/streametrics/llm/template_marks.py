"""Knows the marks of chat templates and of thoughts, by kind and not by model."""

import re
from dataclasses import dataclass

#: A mark of any kind. `bar` tells a template's own marks from tags that a text may be about.
MARK = re.compile(
    r"<(?P<bar>[|｜])\s*(?P<close>/)?(?P<name>[^<>|｜\n]{1,40}?)\s*[|｜]?>"
    r"|<(?P<close2>/)?(?P<name2>[^\W\d][\w▁:.-]{0,40})(?:\s[^<>\n]{0,80})?/?>"
    r"|<(?P<name3>[^\W\d]\w{0,30})(?P<bar3>[|｜])>"
    r"|[\[◁【⟨](?P<close4>/)?(?P<name4>[^\W\d][\w:]{2,20})[\]▷】⟩]"
    r"|(?P<bar5>\]~!?b[\[\]]|\[e~\[|<</?SYS>>|\[end of text\])|\[(?P<bar6>[|｜])(?P<name6>[^\[\]|｜\n]{1,30})[|｜]\]"
)
#: The beginning of a mark, at the end of a text that grows.
MARK_BEGINS = re.compile(
    r"(?:<</?[A-Z]{0,3}>?|<[|｜/]?[^<>\n]{0,60}|\[[|｜][^\[\]\n]{0,31}|[\[◁【⟨]/?[\w:]{0,20}|\[e~\[?|\]~!?b?"
    r"|\[end [a-z ]{0,7}|&[a-z#0-9]{0,5})$"
)

THOUGHT = re.compile(
    r"(?:(?:begin|start|(?P<end>end))_?(?:of_)?)?(?:[a-z0-9]{1,12}[:_.]|ant)?"
    r"(?:think(?:ing)?|thoughts?|reason(?:ing|s)?|reflect(?:ions?|ing)?|analysis|analyz(?:e|ing)|scratch_?pad"
    r"|(?:inner_?|internal_?)?(?:monologue|dialog(?:ue)?)|deliberat(?:e|ion)|rationale|cot|chain_of_thought"
    r"|plan(?:ning)?|ponder(?:ing)?|contemplat(?:e|ion)|brainstorm(?:ing)?|introspection|(?:self_?)?critique|draft"
    r"|rumination|details|unused94|ctrl94"
    r"|pens[ée]es?|r[ée]flexion|raisonnement|denken|gedanken|nachdenken|[üu]berlegung(?:en)?|pensamientos?|razonamiento"
    r"|reflexi[óo]n|pensamentos?|racioc[íi]nio|reflex[ãa]o|pensieri?|ragionamento|размышлени[ея]|мысли|рассуждени[ея]"
    r"|d[üu][şs][üu]nce|思考(?:过程|過程)?|思维|推理|考え|생각|추론|تفكير|التفكير|सोच|विचार)"
    r"(?:[:_.][a-z0-9_]{1,30})?"
)
#: Marks that end thoughts under a name of their own.
THOUGHT_ENDS = frozenset({"unused95", "ctrl95", "channel|"})
ANSWER = re.compile(
    r"(?:(?:begin|start|(?P<end>end))_?(?:of_)?)?(?:final_?)?"
    r"(?:answer|output|response|solution|summary|result|reply|r[ée]sum[ée]|zusammenfassung|resumen|resumo|riassunto"
    r"|摘要|总结|要約|요약|ответ|резюме)|final"
)
TURN = re.compile(
    r"im_start|start|start_header_id|header_start|start_of_turn(?:_token)?|start_of_role|turn|role|sot|\]~b\]|\]~!b\["
)
CONTENT = re.compile(r"end_header_id|header_end|end_of_role|message|im_sep|im_middle|role_sep")
ROLE = re.compile(r"(?:assistant|model|ai|bot|gpt|chatbot|user|human|system|tool|developer|observation)(?:_token)?")
OWN_ROLES = ("assistant", "model", "ai", "bot", "gpt", "chatbot")
#: The name of a turn that is no role: of thoughts, and of the answer.
THOUGHT_TURN = re.compile(r"\s*(?:think|thinking|thoughts?|reasoning|analysis)[ \t]*\n", re.IGNORECASE)
ANSWER_TURN = re.compile(r"\s*(?:answer|response|final|output)[ \t]*\n", re.IGNORECASE)
ROLE_NAME = re.compile(rf"\s*(?P<role>{ROLE.pattern})\b[ \t]*:?[ \t]*\n?", re.IGNORECASE)
CHANNEL_NAME = re.compile(r"\s*(?:(?P<own>final|answer|response|output)|[a-z]*)", re.IGNORECASE)
#: Marks without a bar that templates use. Those that begin a text are no end of it.
BARE = re.compile(
    r"s|[be]os|bos_token|eos_token|pad|unk|eo[tm](?:_id)?|eod|(?:start|end|begin)_of_\w+|end▁of▁\w+|endoftext"
    r"|reserved_\d+|unused\d+|special_\d+|extra_id_\d+"
)
#: Names in square brackets that templates use, in capitals.
SQUARE = re.compile(r"system_prompt|available_tools|tool_calls|tool_results|tool_content|eos|bos|end|sys")
#: Tags of HTML, which are no marks.
HTML_TAGS = frozenset(
    (
        "p", "b", "i", "u", "em", "strong", "br", "hr", "ul", "ol", "li", "div",
        "span", "h1", "h2", "h3", "h4", "h5", "h6", "code", "pre", "a", "table", "tr",
        "td", "th", "tbody",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark in a text: its name in one spelling, and where it stands."""

    name: str
    closes: bool
    has_bar: bool
    is_square: bool
    is_lower: bool
    start: int
    end: int

    @classmethod
    def of(cls, match: re.Match[str]) -> "Mark":
        names = (match["name"], match["name2"], match["name3"], match["name4"], match["bar5"], match["name6"])
        name = next(each for each in names if each is not None)
        closes = bool(match["close"] or match["close2"] or match["close4"])
        if match["bar3"] is not None:
            closes, name = True, f"{name}|" if name == "channel" else name
        return cls(
            re.sub(r"[\s▁-]+", "_", name.strip()).lower(),
            closes,
            any(match[bar] for bar in ("bar", "bar3", "bar5", "bar6")),
            match["name4"] is not None,
            name != name.upper(),
            match.start(),
            match.end(),
        )
