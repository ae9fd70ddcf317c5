"""What the benchmark makes of the times of chunks beside a recording."""

from benchmarks.beside import Beside, percentile_95


def test_of_few_chunks_the_slowest_counts_and_of_many_one_may_be_slower() -> None:
    assert percentile_95([1.0, 3.0, 2.0]) == 3.0
    assert percentile_95([*range(1, 20), 100.0]) == 19.0


def test_times_are_told_beside_those_of_an_idle_service() -> None:
    found = Beside(6, idle=[1.0, 2.0], decoding=[2.0, 3.0, 1.0], transcribing=[4.0])

    assert found.figure == "3.00 and 4.00 s"
    assert "idle 2.00 s" in found.describe()
    assert "1.5 times that while 6 h of Opus is decoded (median 2.00 s, 3 chunks)" in found.describe()
    assert "2.0 times that while 6 h of Opus is transcribed" in found.describe()
