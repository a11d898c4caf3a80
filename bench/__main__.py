"""The command line: ``python -m bench``. Arguments only; the work is done elsewhere."""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from bench import code, environments, machine, plan, reference, runner, sources
from bench.contract import Implementation, Trial
from bench.data import open_dataset
from bench.errors import UserError
from bench.records import SCHEMA
from bench.workloads import WORKLOADS

RUNS = code.ROOT / "results" / "runs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all trials ok, 1 some failed, 2 bad input, 130 interrupted."""
    console = Console(stderr=True)
    try:
        options = parser().parse_args(arguments)
        return resume(options, console) if options.resume else start(options, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line, as everywhere in the suite."""

    def error(self, message: str) -> NoReturn:
        """Raise ``UserError`` in the place of printing the usage and exiting."""
        raise UserError(f"{message}; --help explains every option")


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    profiles = plan.profiles()
    texts = "\n".join(f"  {name}: {profile.about}" for name, profile in profiles.items())
    frameworks = environments.frameworks()
    modes = "\n".join(
        f"  {name} {mode}: {about}"
        for name, implementation in frameworks.items()
        for mode, about in implementation.modes.items()
    )
    result = Parser(
        prog="nox -s bench --",
        description="Train equivalent networks in several frameworks and record what happens.",
        epilog=f"profiles:\n{texts}\n\nworkloads: {', '.join(WORKLOADS)}\n\n"
        f"frameworks and modes (the first of each is its default):\n{modes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--profile", default="quick", metavar="NAME", help="how much of everything (quick)")
    add("--framework", action="append", metavar="NAME", help="only this one; may be repeated")
    add("--workload", action="append", metavar="NAME", help="in the profile's place; repeatable")
    add("--mode", action="append", metavar="NAME", help="in the place of each default; repeatable")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: cuda if there")
    add("--dtype", default="fp32", choices=("fp32", "tf32", "bf16"), help="to compute with (fp32)")
    add(
        "--dataset",
        default="auto",
        metavar="auto|cifar10|synthetic|PATH",
        help="PATH: CIFAR-10 batches or class folders of images, unpacked or as an archive; auto: "
        "CIFAR-10 if cached or downloadable, else synthetic",
    )
    add("--repeats", type=int, metavar="N", help="repeats of every trial, in the profile's place")
    add("--epochs", type=int, metavar="N", help="epochs, in the profile's place")
    add("--train-images", type=int, metavar="N", help="at most so many, in the profile's place")
    add("--test-images", type=int, metavar="N", help="at most so many, in the profile's place")
    add("--timeout", type=int, metavar="S", help="seconds per trial, in the profile's place")
    add("--seed", type=int, default=0, metavar="N", help="of weights, batch order, trial order (0)")
    add("--threads", type=int, metavar="N", help="CPU threads per trial (one fewer than usable)")
    add("--out", type=Path, metavar="FOLDER", help="the run's folder (results/runs/<time>-<name>)")
    add("--resume", type=Path, metavar="FOLDER", help="run what that run still lacks, as planned")
    add(
        "--interpreter",
        default="environments",
        choices=("environments", "current"),
        help="current: the running Python for all, with the frameworks it has; else one locked "
        "environment per framework, made when needed",
    )
    return result


def start(options: argparse.Namespace, console: Console) -> int:
    """Plan a new run and carry it out."""
    profile = _profile(options)
    device = machine.chosen_device(options.device)
    if options.dtype == "tf32" and device == "cpu":
        raise UserError("--dtype tf32: a way of GPUs to multiply; on a CPU use fp32 or bf16")
    threads = _threads(options.threads)
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: must not be negative")
    workloads = _chosen("workload", options.workload or profile.workloads, WORKLOADS)
    arms = _arms(options, console)
    folder = options.out or RUNS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{options.profile}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--out {folder} exists; name another folder, or --resume {folder}")

    prepared = sources.prepare(
        options.dataset, cache=sources.default_cache(), report=lambda line: _say(console, line)
    )
    dataset = open_dataset(prepared).info
    trials = plan.trials(
        arms,
        workloads,
        profile,
        dataset=dataset,
        device=device,
        precision=options.dtype,
        threads=threads,
        seed=options.seed,
    )
    planned = plan.Plan(
        schema=SCHEMA,
        run=folder.resolve().name,
        profile=options.profile,
        seed=options.seed,
        timeout=profile.timeout,
        interpreter=sys.executable if options.interpreter == "current" else "environments",
        dataset=dataset,
        dataset_folder=str(prepared),
        machine=machine.describe(),
        code=code.describe(),
        trials=trials,
    )
    pythons, references = _pythons(planned, console), _references(planned, console)
    folder.mkdir(parents=True, exist_ok=True)
    plan.save(folder, planned)
    return _carry_out(folder, planned, pythons, references, console)


def resume(options: argparse.Namespace, console: Console) -> int:
    """Carry out what an earlier run's plan still lacks."""
    planned = plan.load(options.resume)
    runner.check_unchanged(planned)
    pythons, references = _pythons(planned, console), _references(planned, console)
    return _carry_out(options.resume, planned, pythons, references, console)


def _carry_out(
    folder: Path,
    planned: plan.Plan,
    pythons: Mapping[str, Path],
    references: Mapping[str, Path],
    console: Console,
) -> int:
    trials = planned.trials
    _say(
        console,
        f"{folder}: {len(trials)} trials on {trials[0].device}, {trials[0].threads} thread(s), "
        f"data set {planned.dataset.name}",
    )
    try:
        counts = runner.execute(
            folder, planned, lambda trial: pythons[trial.framework], references, console
        )
    except KeyboardInterrupt:
        kept = len(plan.recorded(folder))
        _say(
            console,
            f"interrupted; {kept} of {len(trials)} trials are kept. "
            f"Continue with: nox -s bench -- --resume {folder}",
        )
        return 130
    reported = subprocess.run(
        [sys.executable, "-m", "report", str(folder.resolve())], cwd=code.ROOT, check=False
    )
    return 1 if reported.returncode or set(counts) - {"ok"} else 0


def _pythons(planned: plan.Plan, console: Console) -> dict[str, Path]:
    def python(trial: Trial) -> Path:
        if planned.interpreter != "environments":
            return Path(planned.interpreter)
        return environments.environment(
            trial.framework, trial.device, lambda line: _say(console, line)
        )

    return {trial.framework: python(trial) for trial in planned.trials}


def _references(planned: plan.Plan, console: Console) -> dict[str, Path]:
    return {
        workload.name: reference.trace(
            workload, cache=sources.default_cache(), report=lambda line: _say(console, line)
        )
        for workload in {trial.workload for trial in planned.trials}
    }


def _profile(options: argparse.Namespace) -> plan.Profile:
    known = plan.profiles()
    _chosen("profile", [options.profile], known)
    changes = {
        name: value
        for name in ("repeats", "epochs", "train_images", "test_images", "timeout")
        if (value := getattr(options, name)) is not None
    }
    for name, value in changes.items():
        if value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value}: must be at least 1")
    return replace(known[options.profile], **changes)


def _threads(wanted: int | None) -> int:
    usable = len(machine.usable_cpus())
    if wanted is None:
        return max(1, usable - 1)
    if not 1 <= wanted <= usable:
        raise UserError(f"--threads {wanted}: must be 1 to {usable}, the usable processors")
    return wanted


def _arms(options: argparse.Namespace, console: Console) -> list[tuple[str, str]]:
    known = environments.frameworks()
    names = _chosen("framework", options.framework, known)
    if options.interpreter == "current":
        names = _present(names, known, console, demanded=bool(options.framework))
    modes = sorted({mode for name in names for mode in known[name].modes})
    wanted = set(_chosen("mode", options.mode, modes)) if options.mode else None
    return [
        (name, mode)
        for name in names
        for index, mode in enumerate(known[name].modes)
        if (mode in wanted if wanted else index == 0)
    ]


def _present(
    names: list[str], known: dict[str, Implementation], console: Console, *, demanded: bool
) -> list[str]:
    present = []
    for name in names:
        if not (lacking := environments.missing(known[name])):
            present.append(name)
            continue
        line = f"{name} cannot run in {sys.executable}: no module {', '.join(lacking)}"
        if demanded:
            raise UserError(f"{line}; install it or leave out --interpreter current")
        _say(console, f"left out: {line}")
    if not present:
        raise UserError(f"{sys.executable} has none of the frameworks; install one")
    return present


def _chosen(kind: str, wanted: Sequence[str] | None, known: Iterable[str]) -> list[str]:
    known = list(known)
    for name in wanted or ():
        if name not in known:
            raise UserError(f"unknown {kind} {name!r}; there are: {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
