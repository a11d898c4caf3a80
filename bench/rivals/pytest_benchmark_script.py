"""As pytest-benchmark's users time: ``pytest FILE --benchmark-json=...``, all by its defaults."""

from pytest_benchmark.fixture import BenchmarkFixture

from bench.rivals.call import call


def test_call(benchmark: BenchmarkFixture) -> None:
    """Time the call; a test, hence the name."""
    benchmark(call())
