"""As the suite times: ``python -P -m bench.rivals.ours FILE`` writes a process' chunks."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.clock import chunk, without_collector
from bench.rivals.call import call

CHUNKS = 10
"""One call each, as they last a tenth of a second or so. More would cost fewer processes."""


def main(file: str) -> None:
    """Warm up with one call, as pyperf does."""
    timed = call()
    timed()
    with without_collector():
        chunks = [asdict(chunk(timed, 1)) for _ in range(CHUNKS)]
    Path(file).write_text(json.dumps(chunks), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
