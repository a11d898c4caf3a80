"""``nox -s prove``: every implementation against the reference, in every precision."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from bench import certificate, environments, machine, reference, sources
from bench.contract import Device, Precision
from bench.errors import UserError
from bench.keep import keep
from bench.launch import Outcome, launch
from bench.progress import say
from bench.runner import worker_cpus
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


def workloads(precision: Precision) -> dict[str, Workload]:
    """What is proven in a precision: every network.

    In float64 with settings at which training is stable: at their own learning rate of 0.1 residual
    networks amplify rounding from 1e-16 to anything. ``resnet18-narrow`` stands for ``resnet18``,
    which is too large for a CPU: the code is the same.
    """
    narrow = replace(WORKLOADS["resnet18"], name="resnet18-narrow", network="resnet18-narrow")
    proven = {
        name: replace(certificate.without_dropout(workload), augmentation=False)
        for name, workload in {**WORKLOADS, narrow.name: narrow}.items()
        if name != "resnet18"
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
        for case in cases(options, device):
            workload = workloads(case.precision)[case.workload]
            results[case] = prove(case, workload, console, device=device)
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
    return result


def arms(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose what is proven."""
    add = parser.add_argument
    known, names = list(environments.frameworks()), list(workloads("fp64"))
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
    """What the options ask for, in the order of the table."""
    known = environments.frameworks()
    for workload in options.workload or workloads("fp64"):
        for precision in options.dtype or [p for p in STEPS if p != "tf32" or device == "cuda"]:
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


def prove(
    case: Case,
    workload: Workload,
    console: Console,
    *,
    device: Device = "cpu",
    threads: int = 1,
    nudges: int = 0,
) -> Outcome:
    """Run one case in a process of its framework's environment; raises ``UserError``."""

    def report(line: str) -> None:
        say(console, line)

    if case.precision == "tf32" and device == "cpu":
        raise UserError("tf32 is a way of GPUs to multiply; on a CPU use fp32 or bf16")
    steps = STEPS[case.precision]
    trace = reference.trace(workload, cache=sources.default_cache(), report=report, steps=steps)
    trial = certificate.trial(
        case.framework, case.mode, workload, case.precision, device=device, threads=threads
    )
    python = environments.environment(case.framework, case.mode, device, report)
    keep(trial, python, report)
    with tempfile.TemporaryDirectory() as folder:
        outcome = launch(
            trial,
            python=python,
            worker=("bench.proof", str(trace), str(steps), str(nudges)),
            cpus=worker_cpus(threads),
            timeout=TIMEOUT,
            log=Path(folder, "log"),
            tick=lambda: None,
        )
    report(f"{' '.join(case)}: {outcome.status} ({outcome.seconds:.0f} s)")
    return outcome


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
