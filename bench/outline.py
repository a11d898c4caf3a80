"""What the implementations of this tree say of themselves: ``python -P -m bench.outline``, JSON."""

import json
from dataclasses import asdict

from bench.environments import frameworks

if __name__ == "__main__":
    print(json.dumps({name: asdict(found) for name, found in frameworks().items()}))
