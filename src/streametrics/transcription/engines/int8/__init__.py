"""openai-whisper's weights and decoding rules over an inference path of our own, for CPUs.

encoder    a window's spectrogram becomes features, in bfloat16 where the CPU multiplies it
linear     a matrix in float16, or in float32 where torch lacks the kernel
vocabulary scores of all tokens: int8 finds the likely words, which are scored exactly
decoder    one token more for each row: cached keys and values, float16 matrices
rules      which tokens Whisper's grammar of timestamps allows next
sampling   rows of features become rows of tokens, greedily or at a temperature
cores      shared out among passes that compute at the same time
lane       passes over windows, one at a time; lanes share the weights
windows    the seek loop: windows of speech become segments, several windows at once
"""
