"""Runs one trial in a fresh process. Every way it can end becomes an outcome, none an exception."""

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from pydantic import TypeAdapter

from bench.certificate import Certificate
from bench.code import ROOT
from bench.contract import Mode, Trial
from bench.environments import frameworks
from bench.kept import held, lend
from bench.machine import device_bytes_in_use, gpu_state
from bench.records import GpuState, Measurement, Status

TICK_SECONDS = 0.25
"""How often memory is sampled and the progress display may move, outside the worker."""

INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""The only variables a worker takes over: everything else could change what is measured."""

KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**62)}
"""Has glibc's malloc keep what is freed: no pieces mapped on their own, and no end of the heap
given back (mallopt(3)). Only glibc reads these."""

_MEASUREMENT = TypeAdapter(Measurement)
_CERTIFICATE = TypeAdapter(Certificate)
_STATUS: TypeAdapter[Status] = TypeAdapter(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a trial ended; the fields are those of ``bench.records.Record``."""

    status: Status
    message: str
    seconds: float
    certificate: Certificate | None = None
    measurement: Measurement | None = None
    sampled_host_bytes: int | None = None
    sampled_device_bytes: int | None = None
    gpu_before: GpuState | None = None
    gpu_after: GpuState | None = None


def launch(
    trial: Trial,
    *,
    python: Path,
    worker: Sequence[str],
    cpus: Sequence[int],
    timeout: float,
    log: Path,
    tick: Callable[[], None],
    root: Path = ROOT,
) -> Outcome:
    """Run ``trial`` with the interpreter ``python`` on the processors ``cpus``.

    ``worker`` is a module of ``bench`` and its arguments, to which the pipe's descriptor is added;
    it and the implementation are those of the tree ``root``.
    What the worker prints goes to ``log``; its home and temporary folder are its own, and empty but
    for what its mode keeps on a machine, so that neither the user's settings
    (``~/.keras/keras.json``) nor what earlier trials compiled (TorchInductor's cache) can change a
    measurement. ``tick`` is called every ``TICK_SECONDS``. A worker that outlasts ``timeout``
    seconds is killed; so is one still alive when this function is left by an exception, such as
    Ctrl-C.
    """
    reader, writer = os.pipe()
    on_gpu = trial.device == "cuda"
    before, state = (device_bytes_in_use(), gpu_state()) if on_gpu else (None, None)
    started = time.monotonic()
    home = tempfile.TemporaryDirectory(prefix="trial-", ignore_cleanup_errors=True)
    if mode := _mode(trial, root):
        lend(mode, held(python, mode), Path(home.name))
    with log.open("wb") as output, bound_to(cpus):
        process = subprocess.Popen(
            [str(python), "-P", "-m", *worker, str(writer)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=root,
            env=environment(trial, home.name, os.environ, root),
            pass_fds=[writer],
            start_new_session=True,  # Ctrl-C reaches the harness alone, which ends the worker
        )
    os.close(writer)
    received, host, device = b"", 0, before or 0
    timed_out = False
    try:
        assert process.stdin is not None  # noqa: S101 - it is a pipe: see above
        _send(process, json.dumps(asdict(trial)).encode())
        open_ended = True
        while open_ended and not timed_out:
            ready, _, _ = select.select([reader], [], [], TICK_SECONDS)
            if ready:
                chunk = os.read(reader, 1 << 16)
                received += chunk
                open_ended = bool(chunk)
            host = max(host, resident_bytes(process.pid))
            if before is not None:
                device = max(device, device_bytes_in_use() or 0)
            timed_out = time.monotonic() - started > timeout
            tick()
        # After a whole answer nothing of interest comes: frameworks take themselves apart.
        if not timed_out and not received.endswith(b"\n"):
            process.wait(timeout=max(1.0, timeout - (time.monotonic() - started)))
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        os.close(reader)
        _end(process)
        home.cleanup()
    outcome = _outcome(
        received,
        process.returncode,
        log,
        timed_out=timed_out,
        seconds=time.monotonic() - started,
        timeout=timeout,
        host=host or None,
        device=None if before is None else device - before,
    )
    return replace(outcome, gpu_before=state, gpu_after=gpu_state() if on_gpu else None)


def environment(
    trial: Trial, home: str, outside: Mapping[str, str], root: Path = ROOT
) -> dict[str, str]:
    """The environment variables a worker gets: the same for all, and those its mode consists of.

    Thread counts are set for whatever BLAS or OpenMP a framework brings; the frameworks' own
    settings are made by their trainers. On a CPU trial every CUDA device is hidden.
    """
    count = str(trial.threads)
    variables = {name: outside[name] for name in INHERITED if name in outside}
    variables |= {
        "HOME": home,
        "TMPDIR": home,
        "PYTHONPATH": str(root),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
    }
    if trial.allocator == "keep":
        variables |= KEPT
    visible = "" if trial.device == "cpu" else outside.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        variables["CUDA_VISIBLE_DEVICES"] = visible
    mode = _mode(trial, root)
    return variables | (dict(mode.variables) if mode else {})


def _mode(trial: Trial, root: Path) -> Mode | None:
    """None of an unknown framework, which is the worker's to complain of."""
    known = frameworks(root).get(trial.framework)
    return known.modes[trial.mode] if known else None


@contextmanager
def bound_to(cpus: Sequence[int]) -> Iterator[None]:
    """Have processes started inside bound to ``cpus`` from their first instruction."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def _send(process: subprocess.Popen[bytes], request: bytes) -> None:
    try:
        with process.stdin as stdin:  # type: ignore[union-attr]
            stdin.write(request)
    except BrokenPipeError:  # it died before reading; its exit status will say why
        pass


def resident_bytes(pid: int) -> int:
    """Resident sets of a process and its descendants, summed (shared pages count each time)."""
    try:
        parent = psutil.Process(pid)
        return sum(_rss(process) for process in (parent, *parent.children(recursive=True)))
    except psutil.Error:
        return 0


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of the worker behind: not itself, nor what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(
    received: bytes,
    returncode: int,
    log: Path,
    *,
    timed_out: bool,
    seconds: float,
    timeout: float,
    host: int | None,
    device: int | None,
) -> Outcome:
    status: Status = "error"
    message = f"the worker's answer cannot be read; {_ending(returncode)}"
    certificate = measurement = None
    try:
        answer = json.loads(received) if received and not timed_out else {}
        if "certificate" in answer:
            certificate = _CERTIFICATE.validate_python(answer["certificate"])
        if timed_out:
            status, message = "timeout", f"ended after {timeout:g} s"
        elif "measurement" in answer:
            measurement = _MEASUREMENT.validate_python(answer["measurement"])
            status, message = "ok", ""
        elif answer:
            status = _STATUS.validate_python(answer["status"])
            message = _one_line(str(answer["message"]))
        else:
            message = _one_line(f"{_ending(returncode)}; {_last_line(log)}")
    except (ValueError, KeyError, TypeError):  # what is not of the worker's making
        certificate = measurement = None
    return Outcome(
        status=status,
        message=message,
        seconds=seconds,
        certificate=certificate,
        measurement=measurement,
        sampled_host_bytes=host,
        sampled_device_bytes=device,
    )


def _ending(returncode: int) -> str:
    if returncode >= 0:
        return f"the worker exited with status {returncode} and no answer"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"the worker was ended by {name}{hint}"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it printed nothing")


def _one_line(text: str) -> str:
    """Printable, on one line, of a bearable length; the whole text is in the trial's log."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 500 else line[:499] + "…"
