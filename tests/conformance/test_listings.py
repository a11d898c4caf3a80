"""The article's listings, run in PyTorch's environment, end as the committed audit says."""

import json
import sys
from pathlib import Path

import pytest

from bench import listings
from bench.contract import BASELINE, Implementation

SCRIPTS = listings.scripts()


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_a_listing_ends_as_it_did(implementation: Implementation, path: Path) -> None:
    if implementation.name != BASELINE[0]:
        pytest.skip("they are PyTorch's")
    audit = json.loads(listings.OUTPUT.read_text(encoding="utf-8"))
    (kept,) = (of for of in audit["outcomes"] if of["script"] == path.stem)
    found = listings.outcome(path, Path(sys.executable))
    assert found.holds == kept["holds"]
    # Deviations are numbers of one machine; what kind of an error it is is not.
    assert found.error.partition(":")[0] == kept["error"].partition(":")[0]
