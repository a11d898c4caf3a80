"""As pyperf's users time: ``python -P -m bench.rivals.pyperf_script --processes N -o FILE``."""

import pyperf

from bench.rivals.call import call


def main() -> None:
    """Time the call in pyperf's own way: this process starts workers that run this module again."""
    runner = pyperf.Runner(program_args=("-P", "-m", "bench.rivals.pyperf_script"))
    # Only workers need what is timed.
    runner.bench_func("call", call() if runner.parse_args().worker else int)


if __name__ == "__main__":
    main()
