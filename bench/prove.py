"""``nox -s prove``: every implementation against the reference, in every precision."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from bench import certificate, environments, machine, reference, sources
from bench.contract import Device, Precision, Trial
from bench.errors import UserError
from bench.keep import keep
from bench.launch import Outcome, launch
from bench.progress import say
from bench.runner import interrupts
from bench.workloads import WORKLOADS, Workload

STEPS: dict[Precision, int] = {
    "fp64": 50,
    "fp32": certificate.STEPS,
    "tf32": certificate.STEPS,
    "bf16": certificate.STEPS,
}
"""In float64 there is room for many; with less, rounding takes over after ten."""

TIMEOUT = 3600


class Case(NamedTuple):
    """One line of the table."""

    workload: str
    framework: str
    mode: str
    precision: Precision


def workloads(precision: Precision, device: Device = "cpu") -> dict[str, Workload]:
    """What is proven in a precision: every network.

    In float64 with settings at which training is stable: at their own learning rate of 0.1 residual
    networks amplify rounding from 1e-16 to anything. ``resnet18-narrow`` stands for ``resnet18``,
    whose ten steps take minutes on a CPU, and its fifty of float64 on a GPU: the code is the same.
    """
    narrow = replace(WORKLOADS["resnet18"], name="resnet18-narrow", network="resnet18-narrow")
    proven = {
        name: replace(certificate.without_dropout(workload), augmentation=False)
        for name, workload in {**WORKLOADS, narrow.name: narrow}.items()
        if name != "resnet18" or (device == "cuda" and precision != "fp64")
    }
    if precision != "fp64":
        return proven
    for name in ("resnet20", "resnet18-narrow"):
        optimizer = replace(
            proven[name].optimizer, learning_rate=0.01, schedule=((20, 0.1), (40, 0.01))
        )
        proven[name] = replace(proven[name], optimizer=optimizer, batch_size=32)
    return proven


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all proven, 1 some not, 2 bad input, 130 interrupted."""
    console = Console(stderr=True)
    options = parser().parse_args(arguments)
    results: dict[Case, Outcome] = {}
    status = 0
    try:
        device = machine.chosen_device(options.device)
        places = places_for(options.jobs, device)
        wanted = dict(_ready(options, device, lambda line: say(console, line)))
        for case, outcome in carried_out(wanted, places, device):
            results[case] = outcome
            say(console, f"{' '.join(case)}: {outcome.status} ({outcome.seconds:.0f} s)")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = 130
    Console(width=None if console.is_terminal else 120).print(table(results))
    for case, outcome in results.items():
        if outcome.message:
            print(f"not proven: {' '.join(case)}: {outcome.message}", file=sys.stderr)
    return status or int(any(outcome.status != "ok" for outcome in results.values()))


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    result = argparse.ArgumentParser(
        prog="nox -s prove --",
        description="Hold every implementation against the float64 reference; print the largest "
        "deviations of logits, losses, updates and weights (README: what is proven).",
    )
    arms(result)
    result.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    result.add_argument("--dtype", action="append", choices=list(STEPS), help="repeatable")
    result.add_argument("--jobs", type=int, default=1, metavar="N", help="cases at once (1)")
    result.add_argument(
        "--interpreter",
        default="environments",
        choices=("environments", "current"),
        help="current: the running Python, with the frameworks it has",
    )
    return result


def arms(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose what is proven."""
    add = parser.add_argument
    known, names = list(environments.frameworks()), list(workloads("fp32", "cuda"))
    add("--framework", action="append", choices=known, help="repeatable")
    add("--workload", action="append", choices=names, help="repeatable")
    every = {mode for name in known for mode in modes(name)}
    add(
        "--mode",
        action="append",
        choices=[*sorted(every), ALL],
        help="in the place of each framework's first; repeatable",
    )


def cases(options: argparse.Namespace, device: Device) -> Iterator[Case]:
    """What the options ask for, in the order of the table. Raises ``UserError``."""
    if device == "cpu" and "tf32" in (options.dtype or ()):
        raise UserError("tf32 is a way of GPUs to multiply; on a CPU use fp32 or bf16")
    known = environments.frameworks()
    for workload in options.workload or workloads("fp32", device):
        for precision in options.dtype or [p for p in STEPS if p != "tf32" or device == "cuda"]:
            if workload not in workloads(precision, device):
                continue
            for framework in options.framework or known:
                here = modes(framework, device)
                wanted = options.mode or here[:1]
                for mode in here:
                    if mode in wanted or ALL in wanted:
                        yield Case(workload, framework, mode, precision)


ALL = "all"


def modes(framework: str, device: Device | None = None) -> list[str]:
    """A framework's modes, first the one of its tutorial; those of a device only, if named."""
    known = environments.frameworks()[framework].modes
    return [name for name, mode in known.items() if device is None or device in mode.devices]


class Ready(NamedTuple):
    """What a case is run with."""

    workload: Workload
    python: Path
    trace: Path
    """Of the reference."""


def ready(
    case: Case, device: Device, report: Callable[[str], None], python: Path | None = None
) -> Ready:
    """Make what there is not yet: the reference's trace; unless ``python`` is given, environments.

    Raises ``UserError``.
    """
    workload = workloads(case.precision, device)[case.workload]
    trace = reference.trace(
        workload, cache=sources.default_cache(), report=report, steps=STEPS[case.precision]
    )
    if python is None:
        python = environments.environment(case.framework, case.mode, device, report)
        keep(_trial(case, workload, device), python, report)
    return Ready(workload, python, trace)


def _ready(
    options: argparse.Namespace, device: Device, report: Callable[[str], None]
) -> Iterator[tuple[Case, Ready]]:
    wanted = list(cases(options, device))
    if not wanted:
        raise UserError(
            "resnet18 is proven on GPUs alone, and not in fp64; resnet18-narrow is the same code"
        )
    if options.interpreter == "environments":
        yield from ((case, ready(case, device, report)) for case in wanted)
        return
    arms = list(dict.fromkeys((case.framework, case.mode) for case in wanted))
    here = environments.present(arms, report, demanded=bool(options.framework))
    for case in wanted:
        if (case.framework, case.mode) in here:
            yield case, ready(case, device, report, Path(sys.executable))


def places_for(jobs: int, device: Device) -> "SimpleQueue[list[int]]":
    """The processors of each of so many cases at once. Raises ``UserError`` for too many.

    One computes with one; what computes on a GPU shares all there are, because XLA compiles with
    what it gets, for minutes with one.
    """
    cpus = machine.usable_cpus()
    if not 1 <= jobs <= len(cpus):
        raise UserError(f"--jobs {jobs}: must be 1 to {len(cpus)}, the usable processors")
    each = len(cpus) // jobs if device == "cuda" else 1
    places: SimpleQueue[list[int]] = SimpleQueue()
    for number in range(jobs):
        places.put(cpus[len(cpus) - (number + 1) * each :][:each])
    return places


def carried_out(
    wanted: Mapping[Case, Ready], places: "SimpleQueue[list[int]]", device: Device
) -> Iterator[tuple[Case, Outcome]]:
    """Each case with its outcome, in their order; as many at once as there are places."""
    with (
        interrupts() as check,
        ThreadPoolExecutor(places.qsize()) as pool,
    ):

        def run(case: Case) -> Outcome:
            cpus = places.get()
            try:
                return prove(case, wanted[case], cpus, device=device, tick=check)
            finally:
                places.put(cpus)

        try:
            yield from zip(wanted, pool.map(run, wanted), strict=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise


def prove(
    case: Case,
    given: Ready,
    cpus: Sequence[int],
    *,
    device: Device = "cpu",
    nudges: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run one case in a process of its own, with a thread for each of the processors ``cpus``."""
    trial = _trial(case, given.workload, device, threads=len(cpus))
    with tempfile.TemporaryDirectory() as folder:
        return launch(
            trial,
            python=given.python,
            worker=("bench.proof", str(given.trace), str(STEPS[case.precision]), str(nudges)),
            cpus=cpus,
            timeout=TIMEOUT,
            log=Path(folder, "log"),
            tick=tick,
        )


def _trial(case: Case, workload: Workload, device: Device, threads: int = 1) -> Trial:
    return certificate.trial(
        case.framework, case.mode, workload, case.precision, device=device, threads=threads
    )


def table(results: dict[Case, Outcome]) -> Table:
    """The largest relative deviations of each case."""
    shown = Table(box=box.SIMPLE_HEAD, padding=0)
    for heading in (*Case._fields, "steps"):
        shown.add_column(heading)
    for heading in ("first logits", "first loss", "first update", "losses", "weights", "logits"):
        shown.add_column(heading, justify="right")
    for case, outcome in results.items():
        if earned := outcome.certificate:
            found = asdict(earned)
            values = (found[name] for name in asdict(earned.tolerance))
            cells = ("-" if value is None else f"{value:.1e}" for value in values)
            shown.add_row(*case, str(earned.steps), *cells)
    return shown


if __name__ == "__main__":
    sys.exit(main())
