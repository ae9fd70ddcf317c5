"""The text fields of an upload: the track, and the spoken language."""

import pytest

from streametrics.domain.job import JobRequest
from streametrics.errors import InvalidRequest
from streametrics.uploads.fields import job_request

FIELDS = {"streamer": "s", "language": "en", "game": "", "time": "0", "title": ""}


def request(model: str = "base", **fields: str) -> JobRequest:
    return job_request(FIELDS | fields, whisper_model=model)


def test_an_old_client_sends_neither() -> None:
    assert (request().track, request().speech_language) == ("auto", None)


@pytest.mark.parametrize("sent", ["", "  ", "\x1f", "\x01\n", "\u2028", "\x00 ", "\x85", "\x7f\x9f", "\ufeff"])
def test_a_name_of_which_nothing_can_be_seen_is_empty(sent: str) -> None:
    with pytest.raises(InvalidRequest, match="'streamer' is empty"):
        request(streamer=sent)


@pytest.mark.parametrize(("sent", "track"), [("", "auto"), ("auto", "auto"), ("Mix", "mix"), ("2", "2"), (" 3 ", "3")])
def test_a_track_can_be_asked_for(sent: str, track: str) -> None:
    assert request(track=sent).track == track


@pytest.mark.parametrize("sent", ["0", "-1", "first", "1,2", "100", "\x00", "1" * 9])
def test_another_track_is_refused_by_name(sent: str) -> None:
    with pytest.raises(InvalidRequest, match="'track'"):
        request(track=sent)


@pytest.mark.parametrize("sent", ["", " ", "auto", "detect", "AUTO", " Detect "])
def test_a_language_that_is_to_be_detected(sent: str) -> None:
    assert request(speech_language=sent).speech_language is None


@pytest.mark.parametrize("sent", ["yue", "Cantonese", "粵語"])
def test_cantonese_is_for_models_that_know_it(sent: str) -> None:
    for model in ("tiny", "base", "small", "medium", "large-v1", "large-v2"):
        with pytest.raises(InvalidRequest, match=f"'{model}' does not know Cantonese"):
            request(model, speech_language=sent)
    for model in ("large-v3", "large", "large-v3-turbo", "turbo", "/weights/of/my/own"):
        assert request(model, speech_language=sent).speech_language == "yue"


def test_a_model_for_english_knows_english() -> None:
    assert request("base.en", speech_language="English").speech_language == "en"
    assert request("base.en", speech_language="auto").speech_language is None
    with pytest.raises(InvalidRequest, match="knows English alone"):
        request("base.en", speech_language="fr")
