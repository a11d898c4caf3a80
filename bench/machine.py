"""What this machine is, as data."""

import os
import platform
from collections.abc import Callable
from pathlib import Path

import psutil
import pynvml

from bench.contract import Device
from bench.errors import UserError
from bench.records import GpuState, Machine


def usable_cpus() -> list[int]:
    """Numbers of the logical processors this process may run on, ascending."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def chosen_device(wanted: str) -> Device:
    """What ``--device`` means here: ``cpu``, ``cuda``, or ``auto`` for whichever there is.

    Raises ``UserError`` for ``cuda`` where there is none.
    """
    gpu = describe().gpu
    if wanted == "cuda" and gpu is None:
        raise UserError("--device cuda: no CUDA device is visible here; use --device cpu or auto")
    return "cuda" if wanted != "cpu" and gpu is not None else "cpu"


def describe() -> Machine:
    """This machine. Where something cannot be found out, the field says so or is None."""
    gpu, driver = _gpu()
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        cpu=_cpu(),
        cores=len(usable_cpus()),
        memory_bytes=psutil.virtual_memory().total,
        gpu=gpu,
        gpu_driver=driver,
    )


def device_bytes_in_use() -> int | None:
    """Memory in use on the first GPU, by whatever process, in bytes; None without a GPU."""
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
    except pynvml.NVMLError:
        return None


def gpu_state() -> GpuState | None:
    """The first GPU as it is now; None without one. What it does not tell is None."""
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError:
        return None
    reasons = _told(lambda: pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)) or 0
    watts = _told(lambda: pynvml.nvmlDeviceGetPowerUsage(handle))
    return GpuState(
        clock_mhz=_told(lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),
        celsius=_told(lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
        watts=None if watts is None else watts / 1000,
        throttled=tuple(name for bit, name in THROTTLED.items() if reasons & bit),
        processes=_told(lambda: len(pynvml.nvmlDeviceGetComputeRunningProcesses(handle))),
    )


THROTTLED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits of ``nvmlClocksEventReasons`` (NVML API reference) that slow work down."""


def _told(ask: Callable[[], int]) -> int | None:
    try:
        return int(ask())
    except pynvml.NVMLError:
        return None


def _gpu() -> tuple[str | None, str | None]:
    try:
        pynvml.nvmlInit()
        if not pynvml.nvmlDeviceGetCount():
            return None, None
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
        return str(name), str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None, None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"
