"""Does it train? A few steps in this process: ``python -P -m bench.capped PIPE < trial.json``.

For ``bench.scenarios.memory``, which asks with less and less memory: a framework's limit is set
once in a process.
"""

import sys
from typing import Any

from bench.contract import Trial
from bench.scenarios.memory import train
from bench.starter import ready
from bench.worker import answer


def trains(trial: Trial) -> dict[str, Any]:
    """Train as the memory pass does; whatever is raised says why it cannot."""
    train(ready(trial), trial)
    return {"status": "ok", "message": ""}


if __name__ == "__main__":
    answer(int(sys.argv[1]), trains)
