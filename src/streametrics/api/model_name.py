"""Names Whisper models as answers tell them: where weights lie is nobody's business who may call."""

import re


def model_names(model: str) -> list[str]:
    """List the names under which the installed model can be asked for; that of OpenAI's clients is among them."""
    return list(dict.fromkeys([model_name(model), "whisper-1"]))


def model_name(model: str) -> str:
    """Name a Whisper model without telling where on the disk weights of one's own lie."""
    name = re.split(r"[/\\]", model.strip().rstrip("/\\"))[-1]
    return name.removesuffix(".pt") or "whisper"
