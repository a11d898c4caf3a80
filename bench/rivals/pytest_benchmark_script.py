"""As pytest-benchmark's users time: ``pytest FILE --benchmark-json=...``, all by its defaults."""

from typing import Any

from bench.rivals.call import call


def test_call(benchmark: Any) -> None:  # noqa: ANN401 - the tool's fixture, absent where we check
    """Time the call; a test, hence the name."""
    benchmark(call())
