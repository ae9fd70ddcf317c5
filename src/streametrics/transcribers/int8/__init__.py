"""openai-whisper's weights and decoding rules over an inference path of our own, for CPUs.

encoder    a window's spectrogram becomes features, in bfloat16 where the CPU multiplies it
linear     a matrix in int8, or in float32 where torch lacks the kernel
decoder    one token more for each row: cached keys and values, int8 matrices
rules      which tokens Whisper's grammar of timestamps allows next
sampling   rows of features become rows of tokens, greedily or at a temperature
windows    the seek loop: windows of speech become segments, several windows at once
"""
