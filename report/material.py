"""The records of one section, arranged to be compared: which arms there are, and pairs of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from bench.contract import TWIN, Device
from report.contrasts import Arm, Contrast, pair
from report.processes import Processes


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Records of one data set and one device. Pairs are made once, whoever asks for them."""

    device: Device
    trials: pd.DataFrame
    """All that are not of the suite itself, as ``report.processes.described`` gives them."""
    counted: pd.DataFrame
    """Those of them that ended well and may be compared."""
    processes: Processes
    """Of training, of inference, of pipelines alone, and of mistakes without any."""
    mistaken: Mapping[str, Processes] = field(default_factory=dict)
    """Of mistakes, by the field of ``bench.records.Mistakes`` that says which."""
    _pairs: dict[object, Contrast | None] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def arms(self) -> Mapping[tuple[str, str], Mapping[Arm, pd.DataFrame]]:
        """Trials that count, by scenario and workload, and by arm; those of twins are not here."""
        return self._arms("")

    @cached_property
    def sentinels(self) -> Mapping[str, Contrast]:
        """An arm held against itself, of each workload that has one in training."""
        found = {}
        for (scenario, workload), twins in self._arms(TWIN).items():
            for arm, own in twins.items():
                other = self.arms.get((scenario, workload), {}).get(arm)
                contrast = None if other is None else pair(own, other, self.processes)
                if contrast is not None and scenario == "training":
                    found[workload] = contrast
        return found

    def pair(self, scenario: str, workload: str, arm: Arm, against: Arm) -> Contrast | None:
        """Two arms of a workload; None if one has no trial, or no block has both."""
        key = (scenario, workload, arm, against)
        if key not in self._pairs:
            arms = self.arms.get((scenario, workload), {})
            there = arm in arms and against in arms
            found = pair(arms[arm], arms[against], self.processes) if there else None
            if found is not None:
                found.wall.draw()  # A verdict will be asked for, after other pairs.
            self._pairs[key] = found
        return self._pairs[key]

    def _arms(self, label: str) -> dict[tuple[str, str], dict[Arm, pd.DataFrame]]:
        found: dict[tuple[str, str], dict[Arm, pd.DataFrame]] = {}
        own = self.counted[self.counted["label"] == label]
        keys = ["scenario", "workload", "framework", "mode"]
        for (scenario, workload, framework, mode), trials in own.groupby(keys, sort=True):
            arms = found.setdefault((str(scenario), str(workload)), {})
            arms[str(framework), str(mode)] = trials
        return found
