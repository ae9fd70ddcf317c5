"""The fast engine's own rules beside openai-whisper's, on the library's real tokenizer and real weights."""

import warnings
from collections.abc import Iterator, Sequence
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import whisper
from hypothesis import given, settings
from hypothesis import strategies as st
from whisper.decoding import ApplyTimestampRules, DecodingOptions, DecodingTask
from whisper.tokenizer import Tokenizer, get_tokenizer

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import DecodingStatistics
from streametrics.errors import TranscriptionFailed
from streametrics.settings import Settings
from streametrics.transcription import cpu, engine_benchmark
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.engines.fast import seek_loop
from streametrics.transcription.engines.fast.decoder import CrossAttentionCache, TokenDecoder
from streametrics.transcription.engines.fast.encoder import SpectrogramEncoder
from streametrics.transcription.engines.fast.execution_context import FastExecutionContext, Tokenizers
from streametrics.transcription.engines.fast.float16_linear import linear
from streametrics.transcription.engines.fast.logit_filters import TimestampGrammar
from streametrics.transcription.engines.fast.output_projection import LIKELY_WITHIN, OutputProjection
from streametrics.transcription.engines.fast.quantized_linear import batched_linear, int8_linear
from streametrics.transcription.engines.fast.sampling import DecodedTokens, Sampler
from streametrics.transcription.engines.fast.seek_loop import WindowProgress
from streametrics.transcription.engines.openai_whisper_fast import OpenAIWhisperFast
from streametrics.weights import cache as weights_cache
from tests.support import sounds

VOCABULARY = 51_865


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        made = get_tokenizer(True, num_languages=99, language="en", task="transcribe")
        made.decode([1])
    return made


@pytest.fixture(scope="module")
def reference() -> Iterator[whisper.Whisper]:
    asked = Settings(_env_file=None, whisper_model="base")
    yield whisper.load_model(str(weights_cache.ensure("base", "openai", asked.model_dir)), device="cpu")


@pytest.fixture(scope="module")
def engine() -> OpenAIWhisperFast:
    made = transcriber_factory.create(
        Settings(_env_file=None, whisper_engine="openai-whisper-fast", whisper_model="base")
    )
    assert isinstance(made, OpenAIWhisperFast)
    return made


@pytest.fixture
def context(engine: OpenAIWhisperFast) -> FastExecutionContext:
    return engine.execution_contexts[0]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_grammar_of_timestamps_is_the_references(tokenizer: Tokenizer, data: st.DataObject) -> None:
    # Given what was said so far, words and timestamps in any order, and any scores
    begin = tokenizer.timestamp_begin
    token = st.one_of(st.integers(0, 50_000), st.integers(begin, begin + 300))
    rows = data.draw(st.integers(1, 3))
    length = data.draw(st.integers(1, 6))
    said = [data.draw(st.lists(token, min_size=length, max_size=length)) for _ in range(rows)]
    scores = torch.from_numpy(
        np.random.default_rng(data.draw(st.integers(0, 9999))).normal(0, 5, (rows, VOCABULARY)).astype(np.float32)
    )
    # When the reference forbids what may not come next
    expected = scores.clone()
    expected[:, _suppressed(tokenizer)] = -np.inf
    ApplyTimestampRules(tokenizer, 0, 50).apply(expected, torch.tensor(said))
    # Expect ours to forbid the same
    TimestampGrammar(tokenizer, VOCABULARY).next(scores, said)
    assert torch.equal(scores, expected)


def _suppressed(tokenizer: Tokenizer) -> list[int]:
    class Shell:
        """As much of a task as its list of suppressed tokens needs."""

        options = DecodingOptions()

    Shell.tokenizer = tokenizer  # type: ignore[attr-defined]
    return list(DecodingTask._get_suppress_tokens(Shell()))  # type: ignore[arg-type]


def test_the_decoders_matrices_lose_nothing_of_a_checkpoints_weights() -> None:
    # Given weights as a checkpoint holds them
    generator = torch.Generator().manual_seed(0)
    weight, rows = torch.randn(96, 64, generator=generator).half(), torch.randn(3, 64, generator=generator)

    product = linear(weight, torch.ones(96))(rows)

    assert torch.allclose(product, torch.nn.functional.linear(rows, weight.float(), torch.ones(96)), atol=1e-4)


@pytest.mark.parametrize("gone", [[], ["fbgemm_pack_gemm_matrix_fp16"], ["fbgemm_pack_gemm_matrix_fp16", "ops"]])
def test_whatever_torch_has_taken_out_the_matrices_stay_right(monkeypatch: pytest.MonkeyPatch, gone: list[str]) -> None:
    # Given a torch without the kernels whose end it has announced
    for name in gone:
        monkeypatch.delattr(torch, name)
    weight, rows = torch.randn(96, 64).half(), torch.randn(3, 64)

    assert torch.allclose(linear(weight, None)(rows), torch.nn.functional.linear(rows, weight.float()), atol=1e-4)


@pytest.mark.parametrize("gone", [[], ["quantize_per_channel"]])
def test_likely_words_and_all_signs_have_exact_scores(monkeypatch: pytest.MonkeyPatch, gone: list[str]) -> None:
    # Given a vocabulary of 900 words and 100 signs, and rows of which one is loud, so that some words are likely
    for name in gone:
        monkeypatch.delattr(torch, name)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(1000, 64, generator=generator).half().float()
    rows = torch.randn(3, 64, generator=generator) * torch.tensor([[1.0], [30.0], [0.5]])

    scores = OutputProjection(weight, words=900)(rows)

    exact = torch.nn.functional.linear(rows, weight)
    assert torch.equal(scores.argmax(dim=1), exact.argmax(dim=1))
    assert torch.allclose(scores[:, 900:], exact[:, 900:], atol=1e-3)
    likely = exact[:, :900] >= exact[:, :900].amax(dim=1, keepdim=True) - LIKELY_WITHIN / 2
    assert torch.allclose(scores[:, :900][likely], exact[:, :900][likely], atol=1e-3)
    assert torch.allclose(scores.logsumexp(dim=1), exact.logsumexp(dim=1), atol=0.05)


def test_no_words_score_depends_on_the_rows_beside_it() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(1000, 64, generator=generator)
    rows = torch.randn(3, 64, generator=generator) * torch.tensor([[1.0], [30.0], [0.5]])
    vocabulary = OutputProjection(weight, words=900)

    together, alone = vocabulary(rows), torch.cat([vocabulary(row[None]) for row in rows])

    # Expect the unlikely ones too to be the same: at a temperature even they are drawn
    assert torch.allclose(together, alone, rtol=1e-5, atol=1e-5)


def test_a_quiet_rows_product_is_as_exact_beside_a_loud_one_and_none_depends_on_its_neighbors() -> None:
    # Given rows a thousand times as loud as others, one of nothing, and outputs of different sizes
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(96, 64, generator=generator) * torch.logspace(-2, 1, 96)[:, None]
    rows = torch.randn(4, 64, generator=generator) * torch.tensor([[1.0], [1000.0], [0.001], [0.0]])
    bias = torch.randn(96, generator=generator)
    multiply = int8_linear(weight, bias)
    if multiply is None:
        pytest.skip("torch has no products of int8 on this processor")

    made, exact = multiply(rows), torch.nn.functional.linear(rows, weight)

    for row in range(3):
        assert float((made[row] - bias - exact[row]).norm() / exact[row].norm()) < 0.02
    assert torch.equal(made[3], bias)
    # A scale shared with the loud row would change the quiet ones a thousand times as much. One row alone goes through
    # another kernel on some processors, which rounds the last bit in another order.
    alone = torch.cat([multiply(row[None]) for row in rows])
    assert float(((made - alone).norm(dim=1) / made.norm(dim=1)).max()) < 1e-5


@pytest.mark.parametrize("full_range", [True, False])
def test_the_largest_weights_and_inputs_do_not_overflow(monkeypatch: pytest.MonkeyPatch, full_range: bool) -> None:
    # Given products that are all as large as they can be, on a processor that adds them in 16 bits or one in 32
    if full_range and not cpu.adds_products_of_bytes_widely():
        pytest.skip("this processor adds products of bytes in 16 bits")
    monkeypatch.setattr(cpu, "adds_products_of_bytes_widely", lambda: full_range)
    multiply = int8_linear(torch.full((32, 512), 0.5), torch.zeros(32))
    if multiply is None:
        pytest.skip("torch has no products of int8 on this processor")

    assert torch.allclose(multiply(torch.full((2, 512), 3.0)), torch.full((2, 32), 768.0), rtol=1e-3)


@pytest.mark.parametrize("gone", ["qlinear_prepack", "qlinear_pointwise"])
def test_whatever_torch_has_taken_out_matrices_for_many_rows_stay_right(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    # Given a torch in which one of the operations is missing, or refuses to work on this processor
    def refused(*_: object) -> None:
        raise RuntimeError("not on this processor")

    monkeypatch.setattr(torch.ops.onednn, gone, refused)
    weight, rows, bias = torch.randn(96, 64), torch.randn(3, 64), torch.randn(96)

    assert int8_linear(weight, bias) is None
    exact = torch.nn.functional.linear(rows, weight, bias)
    assert torch.equal(batched_linear(weight, bias, torch.float32)(rows), exact)


@pytest.mark.weights
def test_the_encoder_says_what_the_reference_says(
    monkeypatch: pytest.MonkeyPatch, engine: OpenAIWhisperFast, reference: whisper.Whisper
) -> None:
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(sounds.speech(12)))[None]
    # Given an encoder without narrow numbers too, as on processors or with a torch that multiply none
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    in_full = SpectrogramEncoder(reference.encoder, torch.float32)

    with torch.inference_mode():
        theirs, ours, fully = reference.encoder(mel), engine.execution_contexts[0]._encoder(mel).float(), in_full(mel)

    assert float((fully - theirs).norm() / theirs.norm()) < 1e-4
    # Expect narrow numbers to change little: 0.015 was measured with bfloat16, 0.033 with int8
    most = 0.03 if engine.execution_contexts[0]._encoder.dtype is torch.bfloat16 else 0.05
    assert float((ours - theirs).norm() / theirs.norm()) < most


@pytest.mark.parametrize("seconds", [0.4, 3.1234, 12.0, 30.0])
def test_the_spectrogram_is_the_references_with_30_s_of_silence_behind_it(seconds: float) -> None:
    samples = sounds.speech(30)[: int(seconds * SAMPLE_RATE_HZ)]
    frames = seek_loop.audio_frames(samples)

    theirs = whisper.log_mel_spectrogram(samples, 80, padding=whisper.audio.N_SAMPLES)

    assert torch.equal(seek_loop.spectrogram_of(samples, 80)[:, :frames], theirs[:, :frames])


@pytest.mark.weights
def test_windows_together_say_what_each_says_alone(context: FastExecutionContext) -> None:
    # Given windows of different lengths and languages
    clips = [sounds.clip(name) for name in ("en/quick_brown_fox", "fr/pangrama", "en/counting")]
    heard = [windows_of(clip) for clip in clips]
    languages = [clip.language for clip in clips]

    together = list(context.decode(heard, languages))

    # Expect each window's words, in order, and then its end
    for number, (window, language) in enumerate(zip(heard, languages, strict=True)):
        alone = [segment and segment.text for _, segment in context.decode([window], [language])]
        assert [segment and segment.text for found, segment in together if found == number] == alone
        assert len(alone) > 1 and alone[-1] is None


@pytest.mark.weights
def test_a_loud_neighbor_changes_no_token_of_a_row(context: FastExecutionContext) -> None:
    # Given doubtful sounds, which little would change: quiet speech in noise, and a crowd
    fox = sounds.clip("en/quick_brown_fox").samples() * np.float32(0.01)
    numbers = sounds.clip("it/conteggio").samples() * np.float32(0.01)
    quiet = [fox + sounds.noise(len(fox) / SAMPLE_RATE_HZ, 2e-4), numbers + np.roll(numbers, 5000)]
    neighbors = [sounds.noise(30, 0.3), sounds.tone(30, amplitude=0.9)]
    rows = [SpeechWindow(each, len(each) / SAMPLE_RATE_HZ) for each in [*quiet, *neighbors]]
    prompts = [list(window.tokenizer.sot_sequence) for window in context._windows(rows, ["en", "it", "en", "fr"])]

    with torch.inference_mode():
        features = context._encode([window.piece() for window in context._windows(rows, ["en", "it", "en", "fr"])])
        together = context._sampler.sample(features, prompts, 0.0)
        alone = [context._sampler.sample(features[row : row + 1], [prompts[row]], 0.0)[0] for row in range(2)]

    # Expect the same tokens, and the same doubt
    for row in range(2):
        assert together[row].tokens == alone[row].tokens
        assert together[row].average_logprob == pytest.approx(alone[row].average_logprob, abs=0.01)
        assert together[row].no_speech == pytest.approx(alone[row].no_speech, abs=0.001)


def doubted(context: FastExecutionContext, monkeypatch: pytest.MonkeyPatch, rungs: int) -> list[tuple[int, float]]:
    """Makes the checks fail for French until a window was tried so often; notes rows and temperature of each try."""
    tries: list[tuple[int, float]] = []
    sample = context._sampler.sample

    def noted(features: torch.Tensor, prompts: Sequence[Sequence[int]], temperature: float) -> list[DecodedTokens]:
        tries.append((len(features), temperature))
        return sample(features, prompts, temperature)

    def fails(said: DecodedTokens, tokenizer: Tokenizer) -> bool:
        return tokenizer.language == "fr" and tries[-1][1] < seek_loop.TEMPERATURES[rungs]

    monkeypatch.setattr(context._sampler, "sample", noted)
    monkeypatch.setattr(seek_loop, "_fails", fails)
    return tries


@pytest.mark.weights
def test_nobody_waits_for_a_neighbors_doubts(context: FastExecutionContext, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a doubtful window, and two that are not
    tries = doubted(context, monkeypatch, rungs=2)
    clips = [windows_of(sounds.clip(name)) for name in ("fr/comptage", "en/quick_brown_fox", "en/hello_world")]

    ends = [number for number, part in context.decode(clips, ["fr", "en", "en"]) if part is None]

    # Expect the others to be told while it is tried again, by itself
    assert ends[-1] == 0
    assert sorted(ends) == [0, 1, 2]
    assert [temperature for _, temperature in tries[-2:]] == [0.2, 0.4]
    assert [rows for rows, _ in tries[-2:]] == [1, 1]


@pytest.mark.weights
def test_what_is_drawn_at_a_temperature_does_not_depend_on_neighbors(
    context: FastExecutionContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubted(context, monkeypatch, rungs=5)
    clips = [windows_of(sounds.clip(name)) for name in ("fr/comptage", "fr/bonjour_monde", "fr/pangrama")]

    together = [segment for number, segment in context.decode(clips, ["fr"] * 3) if number == 1]

    assert together == [segment for _, segment in context.decode(clips[1:2], ["fr"])]


def windows_of(clip: sounds.Clip) -> SpeechWindow:
    samples = clip.samples()
    return SpeechWindow(samples, len(samples) / SAMPLE_RATE_HZ)


@pytest.mark.parametrize(
    ("said", "segments", "seek"),
    [
        # Two whole segments and the beginning of a third: heard up to the end of the second.
        ([0, "a", 100, 100, "b", 250, 250, "c"], [(0.0, 2.0), (2.0, 5.0)], 500),
        # The last segment has an end and nothing behind it: all is heard.
        ([0, "a", 100, 100, "b", 250], [(0.0, 2.0), (2.0, 5.0)], 3000),
        # One segment without an end reaches to the end of the piece.
        ([0, "a"], [(0.0, 30.0)], 3000),
        # One segment with an end.
        ([0, "a", 150], [(0.0, 3.0)], 3000),
        # Nothing at all.
        ([], [], 3000),
    ],
)
def test_a_piece_is_cut_at_its_timestamps(
    tokenizer: Tokenizer, said: list[int | str], segments: list[tuple[float, float]], seek: int
) -> None:
    window = WindowProgress(mel=torch.zeros(80, 6000), frames=3000, voiced_frames=3000, tokenizer=tokenizer)
    tokens = [
        tokenizer.encode(f" {item}")[0] if isinstance(item, str) else tokenizer.timestamp_begin + item for item in said
    ]

    seek_loop.accept(window, DecodedTokens(tokens, average_logprob=-0.2, no_speech=0.0))

    assert [(segment.start, segment.end) for segment in window.segments] == segments
    assert window.seek == seek


def test_words_are_where_the_alignment_heads_looked(tokenizer: Tokenizer) -> None:
    # Given a second piece of a window, and queries that look 0.5 s long each at the audio of their tokens
    window = WindowProgress(mel=torch.zeros(80, 6000), frames=3000, voiced_frames=3000, tokenizer=tokenizer, seek=1000)
    begin = tokenizer.timestamp_begin
    said = [begin, *tokenizer.encode(" Thank you."), begin + 100, begin + 100]
    attention = [torch.zeros(2, 1500) for _ in range(len(said) + 1)]
    for number, weights in enumerate(attention):
        weights[:, 25 * number : 25 * number + 25] = 1.0

    seek_loop.accept(window, DecodedTokens(said, -0.2, 0.0, attention=attention))

    (segment,) = window.segments
    assert [word.text for word in segment.words] == [" Thank", " you."]
    assert [(word.start, word.end) for word in segment.words] == [
        (pytest.approx(10.5, abs=0.1), pytest.approx(11.0, abs=0.1)),
        (pytest.approx(11.0, abs=0.1), pytest.approx(11.5, abs=0.1)),
    ]


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("ja", "ご視聴ありがとうございました。", 4),
        ("zh", "謝謝大家，再見。", 3),
        ("ko", "안녕하세요 여러분.", 2),
        ("th", "สวัสดีครับ", 4),
    ],
)
def test_words_of_scripts_without_spaces_are_the_text(
    tokenizer: Tokenizer, language: str, text: str, count: int
) -> None:
    # Given characters of which some are several tokens
    tokenizer = get_tokenizer(True, num_languages=99, language=language, task="transcribe")
    window = WindowProgress(mel=torch.zeros(80, 6000), frames=3000, voiced_frames=3000, tokenizer=tokenizer)
    said = [tokenizer.timestamp_begin, *tokenizer.encode(text), tokenizer.timestamp_begin + 500]
    attention = [
        torch.rand(2, 1500, generator=torch.Generator().manual_seed(number)) for number in range(len(said) + 1)
    ]

    seek_loop.accept(window, DecodedTokens(said, -0.2, 0.0, attention=attention))

    (segment,) = window.segments
    assert "".join(word.text for word in segment.words).strip() == segment.text == text
    assert len(segment.words) >= count


def test_a_rows_attention_is_its_own_when_others_have_ended(context: FastExecutionContext) -> None:
    # Given a short sentence and a long one, so that one row ends before the other
    clips = [sounds.clip(f"en/{name}").samples() for name in ("hello_world", "counting")]
    windows = [SpeechWindow(samples, len(samples) / SAMPLE_RATE_HZ) for samples in clips]

    together = [(number, segment) for number, segment in context.decode(windows, ["en", "en"]) if segment is not None]
    alone = [
        (number, segment)
        for number, window in enumerate(windows)
        for _, segment in context.decode([window], ["en"])
        if segment is not None
    ]

    words = [
        [(number, word.text, word.start) for number, segment in found for word in segment.words]
        for found in (together, alone)
    ]
    assert sorted(words[0]) == [
        (number, text, pytest.approx(start, abs=0.05)) for number, text, start in sorted(words[1])
    ]


def test_what_is_likely_silence_gets_no_second_pass_and_its_words_say_how_doubtful_they_are(
    tokenizer: Tokenizer,
) -> None:
    window = WindowProgress(mel=torch.zeros(80, 6000), frames=3000, voiced_frames=3000, tokenizer=tokenizer)
    begin = tokenizer.timestamp_begin
    said = [begin, *tokenizer.encode(" Thank you."), begin + 100, begin + 100, *tokenizer.encode(" And")]

    seek_loop.accept(window, DecodedTokens(said, -1.3, no_speech=0.9))

    assert [segment.text for segment in window.segments] == ["Thank you."]
    assert window.segments[0].statistics == DecodingStatistics(-1.3, 0.9, pytest.approx(0.7, abs=0.3), 0.0, ended=True)
    assert window.is_decoded


@pytest.mark.parametrize(
    ("logprob", "ended", "tries"),
    [(-0.2, True, 1), (-0.2, False, 6), (-0.9, True, 6)],
    ids=["ends-and-is-sure", "never-ends", "ends-and-is-unsure"],
)
def test_a_text_that_repeats_itself_is_tried_again_unless_it_ends_by_itself(
    tokenizer: Tokenizer, logprob: float, ended: bool, tries: int
) -> None:
    # Given a sampler that always says the same words twenty times
    temperatures: list[float] = []

    class Chanting:
        def sample(self, features: torch.Tensor, prompts: list[list[int]], temperature: float) -> list[DecodedTokens]:
            temperatures.append(temperature)
            return [DecodedTokens(tokenizer.encode(" Go on!" * 20), logprob, 0.0, temperature, ended)]

    window = WindowProgress(mel=torch.zeros(80, 6000), frames=3000, voiced_frames=3000, tokenizer=tokenizer)
    window.features = torch.zeros(1, 1)

    while window.features is not None:
        seek_loop.decode_once(Chanting(), [window])  # type: ignore[arg-type]

    assert len(temperatures) == tries


def test_what_is_doubtful_with_little_silence_is_heard_with_all_of_it(tokenizer: Tokenizer) -> None:
    # Given a sampler that loops where a window is shorter than the model was taught on
    heard: list[tuple[int, float]] = []

    class Looping:
        def sample(
            self, features: list[torch.Tensor], prompts: list[list[int]], temperature: float
        ) -> list[DecodedTokens]:
            heard.append((len(features[0]), temperature))
            words = " Hello world." * (1 if len(features[0]) == 1500 else 7)
            return [DecodedTokens(tokenizer.encode(words), -0.2, 0.0, temperature)]

    window = WindowProgress(mel=torch.zeros(80, 6000), frames=700, voiced_frames=700, tokenizer=tokenizer)

    while not window.is_decoded:
        window.features = torch.zeros(window.piece().shape[-1] // 2, 1)
        seek_loop.decode_once(Looping(), [window])  # type: ignore[arg-type]

    assert heard == [(500, 0.0), (1500, 0.0)]
    assert [segment.text for segment in window.segments] == ["Hello world."]
    assert not window.is_whole


def test_a_rest_without_a_voice_is_not_worth_a_pass(tokenizer: Tokenizer) -> None:
    window = WindowProgress(mel=torch.zeros(80, 6000), frames=3000, voiced_frames=2500, tokenizer=tokenizer, seek=2490)
    assert window.is_decoded
    window.seek = 2400
    assert not window.is_decoded


@pytest.mark.weights
def test_the_trials_clip_is_heard_in_one_go(engine: OpenAIWhisperFast, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the clip by which engines are compared; when its answer is drawn
    temperatures: list[float] = []
    sample = Sampler.sample

    def noted(
        sampler: Sampler, features: torch.Tensor, prompts: Sequence[Sequence[int]], temperature: float
    ) -> list[DecodedTokens]:
        temperatures.append(temperature)
        return sample(sampler, features, prompts, temperature)

    monkeypatch.setattr(Sampler, "sample", noted)
    transcript = engine.transcribe(engine_benchmark.clip(), speech_language="en")

    # Expect no second try, which would be measured as the engine's slowness
    assert set(temperatures) == {0.0}
    assert "ask not what your country can do for you" in transcript.text


@pytest.mark.weights
def test_what_torch_refuses_is_an_error_of_ours(context: FastExecutionContext, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a machine that has no memory left for the encoder
    def refuse(mel: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(context, "_encoder", refuse)
    heard = [windows_of(sounds.clip("it/conteggio"))]
    # Expect both that ask it to say so, with the cause, and threads to be as before
    with pytest.raises(TranscriptionFailed, match="not enough memory"):
        context.detect_languages(heard)
    with pytest.raises(TranscriptionFailed, match="not enough memory"):
        list(context.decode(heard, ["it"]))
    assert torch.get_num_threads() == cpu.available_cores()


@pytest.mark.weights
def test_what_detecting_the_language_heard_is_not_heard_again(
    context: FastExecutionContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a sound whose language is asked for first
    passes: list[int] = []
    attend = TokenDecoder.attend

    def noted(decoder: TokenDecoder, features: Sequence[torch.Tensor]) -> CrossAttentionCache:
        passes.append(len(features))
        return attend(decoder, features)

    monkeypatch.setattr(TokenDecoder, "attend", noted)
    fox = windows_of(sounds.clip("en/quick_brown_fox"))

    ((language, _),) = context.detect_languages([fox])
    once = [segment and segment.text for _, segment in context.decode([fox], [language])]

    # Expect one pass over the features for both, and none kept for a later sound
    assert passes == [1]
    assert once == [segment and segment.text for _, segment in context.decode([fox], [language])]
    assert passes == [1, 1]


def test_a_model_that_knows_english_alone_hears_english_in_every_stretch() -> None:
    nothing = Mock()
    context = FastExecutionContext(nothing, nothing, Tokenizers(multilingual=False, languages=99), nothing, mels=80)

    assert context.probe_languages([sounds.silence(1), sounds.silence(2)]) == [("en", 1.0)] * 2
    nothing.assert_not_called()
