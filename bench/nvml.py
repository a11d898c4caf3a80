"""What a GPU says of itself: energy used, memory. Standard library only; runs in the workers."""

import ctypes
from functools import cache


@cache
def _nvml() -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    """NVML and its handle of the first GPU; raises ``RuntimeError`` where there is none."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        raise RuntimeError("no NVML here: energy and memory are those of an NVIDIA GPU") from None
    handle = ctypes.c_void_p()
    if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)):
        raise RuntimeError("NVML finds no GPU: there is no energy or memory to be read")
    return library, handle


def joules() -> float:
    """Joules since the driver was loaded: ``nvmlDeviceGetTotalEnergyConsumption``, since Volta.

    Raises ``RuntimeError`` where the GPU does not count.
    """
    library, handle = _nvml()
    millijoules = ctypes.c_ulonglong()
    if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)):
        raise RuntimeError("this GPU has no energy counter")
    return millijoules.value / 1000


class _Memory(ctypes.Structure):
    """``nvmlMemory_t`` (NVML API reference): bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def device_bytes() -> int:
    """Memory that the GPU has, whoever uses it. Raises ``RuntimeError`` where it does not say."""
    library, handle = _nvml()
    found = _Memory()
    if library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(found)):
        raise RuntimeError("this GPU does not say how much memory it has")
    return int(found.total)
