"""The most that the device gave, through each framework."""

import numpy as np
import pandas as pd

from bench.contract import work
from report.tables.columns import EVIDENCE, Cell, Column, Table, digits, named, text

KEY = "ceiling"

_KERNELS = ("matmul", "conv", "copy")


def _rate(rate: float, best: bool) -> Cell:
    return ("-", "") if np.isnan(rate) else (digits(rate / 1e9), "best" if best else "")


_MEANINGS = {
    "matmul": "the product of two large square matrices, the fastest call of any trial",
    "conv": "a 3x3 convolution of 128 channels, likewise",
    "copy": "a copy of a large array, bytes copied per second, likewise",
}

_COLUMNS = (
    Column(keys=("framework",), title="framework", show=text),
    *(
        Column(
            keys=(kernel, f"{kernel}_best"),
            title=kernel,
            unit="GB/s" if kernel == "copy" else "GFLOP/s",
            better="higher",
            show=_rate,
            meaning=_MEANINGS[kernel],
        )
        for kernel in _KERNELS
    ),
    EVIDENCE,
)


def _rates(compared: pd.DataFrame) -> pd.DataFrame:
    """Work per second of each kernel and framework, by their fastest trials."""
    least = compared.groupby("framework")[[f"{kernel}_seconds" for kernel in _KERNELS]].min()
    least.columns = pd.Index(_KERNELS)
    if len(compared) == 0:
        return least.astype("float64")
    return pd.Series(work(compared["device"].iloc[0])) / least


def _fastest(trials: pd.DataFrame) -> str | None:
    """The records that the rates of a framework are from."""
    places = [int(trials[f"{kernel}_seconds"].argmin()) for kernel in _KERNELS]
    return named(trials["record"].iloc[places])


def best(compared: pd.DataFrame) -> float:
    """Floating-point operations per second of the fastest kernel; NaN where there is none."""
    rates = _rates(compared)[["matmul", "conv"]].to_numpy()
    return float(rates.max()) if rates.size else np.nan


def table(compared: pd.DataFrame) -> Table:
    """A row for each framework, over all its modes: kernels are called as the framework has it."""
    rates = _rates(compared)
    for kernel in _KERNELS:
        rates[f"{kernel}_best"] = rates[kernel] == rates[kernel].max()
    own = (compared[compared["framework"] == framework] for framework in rates.index)
    rates["records"] = pd.Series(map(_fastest, own), index=rates.index, dtype="str")
    return Table(key=KEY, title="Ceiling", columns=_COLUMNS, rows=rates.reset_index())
