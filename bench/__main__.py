"""The command line: ``python -m bench``. Arguments only; the work is done elsewhere."""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from rich.console import Console

from bench import code, environments, machine, plan, runner, sources
from bench.arguments import Parser, add_allocator, check_allocator, chosen, percentage
from bench.contract import Device, Implementation, Scenario
from bench.data import open_dataset
from bench.enlarge import enlarge
from bench.errors import UserError
from bench.progress import say
from bench.records import SCHEMA
from bench.workloads import WORKLOADS


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all trials ok, 1 some failed, 2 bad input, 130 interrupted.

    ``export`` as the first argument hands the others to the report, which reads records.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["export"]:
        return subprocess.run(
            [sys.executable, "-m", "report.export", *given[1:]], check=False
        ).returncode
    console = Console(stderr=True)
    try:
        options = parser().parse_args(given)
        return resume(options, console) if options.resume else start(options, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    profiles = plan.profiles()
    texts = "\n".join(f"  {name}: {profile.about}" for name, profile in profiles.items())
    frameworks = environments.frameworks()
    modes = "\n".join(
        f"  {name} {mode}: {found.about}"
        for name, implementation in frameworks.items()
        for mode, found in implementation.modes.items()
    )
    result = Parser(
        prog="nox -s bench --",
        description="Train equivalent networks in several frameworks and record what happens.",
        epilog="export RUN --to FORMAT writes a run's records for other tools; export --help\n\n"
        f"profiles:\n{texts}\n\nworkloads: {', '.join(WORKLOADS)}\n\n"
        f"frameworks and modes (the first of each is its tutorial's):\n{modes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--profile", default="quick", metavar="NAME", help="how much of everything (quick)")
    add("--framework", action="append", metavar="NAME", help="only this one; may be repeated")
    add("--workload", action="append", metavar="NAME", help="in the profile's place; repeatable")
    add("--mode", action="append", metavar="NAME", help="in the profile's place; repeatable")
    add(
        "--scenario",
        action="append",
        metavar="NAME",
        help=f"in the profile's place; repeatable: {', '.join(get_args(Scenario))}",
    )
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
    add(
        "--batch-size",
        type=int,
        metavar="N",
        help="images in a step, in the workloads' place",
    )
    add("--train-images", type=int, metavar="N", help="at most so many, in the profile's place")
    add("--test-images", type=int, metavar="N", help="at most so many, in the profile's place")
    add(
        "--images",
        type=int,
        action="append",
        metavar="N",
        help="of the data sets that pipelines read, in the profile's place; repeatable",
    )
    add("--seconds", type=float, metavar="S", help="of steady steps, in the profile's place")
    add(
        "--precision",
        type=_share,
        metavar="P%",
        help="add blocks (looking at 10, 20 and 30) until every speed is known as well as that",
    )
    add(
        "--budget",
        type=float,
        default=60,
        metavar="MIN",
        help="minutes after which no blocks are added (60)",
    )
    add("--timeout", type=int, metavar="S", help="seconds per trial, in the profile's place")
    add("--seed", type=int, default=0, metavar="N", help="of weights, batch order, trial order (0)")
    add("--threads", type=int, metavar="N", help="CPU threads per trial (one fewer than usable)")
    add_allocator(result)
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
    if device == "cpu" and "energy" in profile.scenarios:
        raise UserError("--scenario energy: read from a GPU's counter; a CPU has none to be read")
    if options.dtype == "tf32" and device == "cpu":
        raise UserError("--dtype tf32: a way of GPUs to multiply; on a CPU use fp32 or bf16")
    check_allocator(options.allocator)
    threads = _threads(options.threads)
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: must not be negative")
    if options.batch_size is not None and options.batch_size < 1:
        raise UserError(f"--batch-size {options.batch_size}: must be at least 1")
    workloads = chosen("workload", options.workload or profile.workloads, WORKLOADS)
    arms = _arms(options, profile, device, console)
    folder = plan.run_folder(options.out, options.profile)

    prepared = sources.prepare(
        options.dataset, cache=sources.default_cache(), report=lambda line: say(console, line)
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
        allocator=options.allocator,
        batch_size=options.batch_size,
        plain={
            (name, mode): found.plain
            for name, implementation in environments.frameworks().items()
            for mode, found in implementation.modes.items()
            if found.plain
        },
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
        precision=options.precision,
        budget=None if options.precision is None else 60 * options.budget,
    )
    _enlarge(planned, console)
    pythons, references = _needed(planned, console)
    folder.mkdir(parents=True, exist_ok=True)
    plan.save(folder, planned)
    return _carry_out(folder, planned, pythons, references, console)


def resume(options: argparse.Namespace, console: Console) -> int:
    """Carry out what an earlier run's plan still lacks."""
    planned = plan.load(options.resume)
    runner.check_unchanged(planned)
    _enlarge(planned, console)
    pythons, references = _needed(planned, console)
    return _carry_out(options.resume, planned, pythons, references, console)


def _carry_out(
    folder: Path,
    planned: plan.Plan,
    pythons: runner.Pythons,
    references: Mapping[str, Path],
    console: Console,
) -> int:
    trials = planned.trials
    say(
        console,
        f"{folder}: {len(trials)} trials on {trials[0].device}, {trials[0].threads} thread(s), "
        f"data set {planned.dataset.name}",
    )
    try:
        counts = runner.execute(folder, planned, pythons, references, console)
        while (extended := _more(folder, planned)) is not planned:
            planned = extended
            plan.save(folder, planned)
            say(console, f"not precise enough yet: {len(planned.trials)} trials in all")
            counts.update(runner.execute(folder, planned, pythons, references, console))
    except KeyboardInterrupt:
        kept, wanted = len(plan.recorded(folder)), len(planned.trials)
        say(
            console,
            f"interrupted; {kept} of {wanted} trials are kept. "
            f"Continue with: nox -s bench -- --resume {folder}",
        )
        return 130
    reported = subprocess.run(
        [sys.executable, "-m", "report", str(folder.resolve())], cwd=code.ROOT, check=False
    )
    return 1 if reported.returncode or set(counts) - {"ok"} else 0


def _more(folder: Path, planned: plan.Plan) -> plan.Plan:
    """The plan, with more blocks where it asks for precision that is not reached yet.

    The report says what is reached: a number on its standard output.
    """
    blocks = max(trial.block for trial in planned.trials) + 1
    more = next((look - blocks for look in plan.LOOKS if look > blocks), 0)
    if planned.precision is None or planned.budget is None or not more:
        return planned
    if plan.seconds(folder) * (blocks + more) / blocks > planned.budget:
        return planned
    asked = [sys.executable, "-m", "report.precision", str(folder.resolve())]
    told = subprocess.run(asked, cwd=code.ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return plan.extended(planned, more) if float(told.stdout) > planned.precision else planned


def _enlarge(planned: plan.Plan, console: Console) -> None:
    """Write what pipelines of the plan read, where it is not there yet."""
    data = open_dataset(Path(planned.dataset_folder))
    wanted = {(trial.source, trial.images) for trial in planned.trials if trial.source}
    for source, images in sorted(wanted):
        enlarge(data, source, images, lambda line: say(console, line))


def _needed(planned: plan.Plan, console: Console) -> tuple[runner.Pythons, Mapping[str, Path]]:
    """Interpreters by arm, and traces of the reference by workload."""

    def report(line: str) -> None:
        say(console, line)

    return runner.pythons(planned, report), runner.references(planned, report)


def _profile(options: argparse.Namespace) -> plan.Profile:
    known = plan.profiles()
    chosen("profile", [options.profile], known)
    changes = {
        name: value
        for name in ("repeats", "epochs", "train_images", "test_images", "timeout", "seconds")
        if (value := getattr(options, name)) is not None
    }
    for name, value in changes.items():
        least = 0.1 if name == "seconds" else 1
        if value < least:
            raise UserError(f"--{name.replace('_', '-')} {value}: must be at least {least}")
    if options.precision is not None and changes.setdefault("repeats", plan.LOOKS[0]) not in (
        plan.LOOKS
    ):
        raise UserError(f"--precision looks at 10, 20 and 30 blocks, not {changes['repeats']}")
    if options.images:
        if min(options.images) < 1:
            raise UserError(f"--images {min(options.images)}: must be at least 1")
        changes["images"] = tuple(dict.fromkeys(options.images))
    if options.scenario:
        changes["scenarios"] = tuple(chosen("scenario", options.scenario, get_args(Scenario)))
    return replace(known[options.profile], **changes)


def _share(text: str) -> float:
    """``3%`` or ``0.03``; raises ``ArgumentTypeError`` for what is not within 0 and 1."""
    share = percentage(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be within 0 and 1, as 0.03, or as 3%")
    return share


def _threads(wanted: int | None) -> int:
    usable = len(machine.usable_cpus())
    if wanted is None:
        return max(1, usable - 1)
    if not 1 <= wanted <= usable:
        raise UserError(f"--threads {wanted}: must be 1 to {usable}, the usable processors")
    return wanted


def _arms(
    options: argparse.Namespace, profile: plan.Profile, device: Device, console: Console
) -> list[tuple[str, str]]:
    known = environments.frameworks()
    names = chosen("framework", options.framework, known)

    def unnamed(found: Implementation) -> list[str]:
        usual = found.usual()
        return {"all": list(found.modes), "usual": usual, "taught": usual[:1]}[profile.modes]

    arms = environments.arms(names, options.mode, device, unnamed)
    if options.interpreter != "current":
        return arms
    demanded = bool(options.framework)
    return environments.present(arms, lambda line: say(console, line), demanded=demanded)


if __name__ == "__main__":
    sys.exit(main())
