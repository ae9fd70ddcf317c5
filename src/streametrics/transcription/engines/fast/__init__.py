"""openai-whisper's weights and decoding rules over an inference path of our own, for CPUs.

encoder            a window's spectrogram becomes features, in bfloat16 where the CPU multiplies it
float16_linear     a matrix in float16, or in float32 where torch lacks the kernel
quantized_linear   a matrix for many rows at once, in bfloat16 or int8
output_projection  scores of all tokens: int8 finds the likely words, which are scored exactly
decoder            one token more for each row: cached keys and values, float16 matrices
logit_filters      which tokens Whisper's grammar of timestamps allows next
sampling           rows of features become rows of tokens, greedily or at a temperature
thread_budget      cores shared out among passes that compute at the same time
execution_context  passes over windows, one at a time; lanes share the weights
seek_loop          windows of speech become segments, several windows at once
"""
