"""``nox -s calibrate``: the suite measures itself (``docs/calibration.md`` says how to read it).

Processes that are the same but for their label, into which known slow-downs are planted (scenario
``calibration``); every framework's trainer against a bare loop (``overhead``) and against the loop
of the framework's own example (``example``); and the suite's way of timing against those of pyperf
and pytest-benchmark (``bench.duel``).
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench import code, duel, environments, machine, plan, runner, sources
from bench.arguments import Parser, add_allocator, check_allocator
from bench.contract import Implementation, Scenario, Trial
from bench.data import DatasetInfo, open_dataset
from bench.errors import UserError
from bench.progress import say
from bench.records import SCHEMA

ARM = ("pytorch", "eager")
"""Which arm is held against itself: it needs no compilation."""
WORKLOAD = "rosetta"
"""With few images its steps are short and still spent computing, as those of a real run are;
listing3's then wait for memory (``docs/calibration.md``)."""
BESIDE: Mapping[str, tuple[Scenario, tuple[str, ...]]] = {
    "overhead_blocks": ("overhead", ("listing1", "resnet20")),
    "example_blocks": ("example", ("listing1", "listing3")),
}
"""What trainers are run in turns with: scenario and workloads, by the option for how often."""
LABELS = ("a", "b")
IMAGES = 512
"""The same batches serve all the time: what the images are does not matter here."""
TIMEOUT = 1200.0
DUEL = "duel.json"
REPORT = "calibration.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all ok, 1 some trials failed, 2 bad input, 130 interrupted."""
    console = Console(stderr=True)

    folder = Path()
    try:
        options = parser().parse_args(arguments)
        folder = options.resume or start(options)
        failed = carry_out(folder, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say(console, f"interrupted. Continue with: nox -s calibrate -- --resume {folder}")
        return 130
    reported = subprocess.run(
        [
            *(sys.executable, "-m", "report.calibration", str(folder.resolve())),
            *("--output", str(folder.resolve() / REPORT)),
        ],
        cwd=code.ROOT,
        check=False,
    )
    say(console, f"report: {folder / REPORT}")
    return 1 if failed or reported.returncode else 0


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    result = Parser(
        prog="nox -s calibrate --",
        description="Measure the suite itself, on a CPU with one thread: how often it tells apart "
        "what is the same, which slow-downs it finds, what it costs, and how it compares with "
        "pyperf and pytest-benchmark. 0 leaves a part out.",
    )
    add = result.add_argument
    add("--blocks", type=int, default=120, metavar="N", help="of two identical processes (120)")
    add("--overhead-blocks", type=int, default=10, metavar="N", help="of every mode (10)")
    add("--example-blocks", type=int, default=6, metavar="N", help="of every mode (6)")
    add(
        "--seconds",
        type=float,
        default=5.0,
        metavar="S",
        help="that each trainer is timed for in a block, and as many chunks of the other (5)",
    )
    add(
        "--framework",
        action="append",
        metavar="NAME",
        help="overhead and example of this one; repeatable",
    )
    add("--rounds", type=int, default=20, metavar="N", help="against the other tools (20)")
    add(
        "--budget",
        type=float,
        default=30.0,
        metavar="S",
        help="wall seconds that each tool has for an arm in a round (30)",
    )
    add_allocator(result)
    add("--seed", type=int, default=0, metavar="N", help="of weights, batches and orders (0)")
    add("--out", type=Path, metavar="FOLDER", help="results/runs/<time>-calibrate")
    add("--resume", type=Path, metavar="FOLDER", help="do what that run still lacks")
    return result


def start(options: argparse.Namespace) -> Path:
    """Plan a new run in a folder of its own. Raises ``UserError``."""
    counts = ("blocks", *BESIDE)
    for name in (*counts, "seconds", "rounds", "budget", "seed"):
        if not getattr(options, name) >= 0:
            shown = f"--{name.replace('_', '-')} {getattr(options, name)}"
            raise UserError(f"{shown}: must not be negative")
    if not any(getattr(options, name) for name in counts):
        nothing = " ".join(f"--{name.replace('_', '-')} 0" for name in counts)
        raise UserError(f"{nothing}: one of them must be 1 at least")
    check_allocator(options.allocator)
    known = environments.frameworks()
    for name in options.framework or ():
        if name not in known:
            raise UserError(f"unknown framework {name!r}; there are: {', '.join(known)}")
    folder = plan.run_folder(options.out, "calibrate")
    prepared = sources.prepare("synthetic", cache=sources.default_cache(), report=lambda _: None)
    dataset = open_dataset(prepared).info
    chosen = {name: known[name] for name in options.framework or known}
    trials = [*pairs(options.blocks, dataset, options.seed)]
    for name, (scenario, workloads) in BESIDE.items():
        trials += beside(
            *(scenario, workloads, getattr(options, name), chosen, dataset),
            seed=options.seed,
            seconds=options.seconds,
        )
    planned = plan.Plan(
        schema=SCHEMA,
        run=folder.resolve().name,
        profile="calibrate",
        seed=options.seed,
        timeout=TIMEOUT,
        interpreter="environments",
        dataset=dataset,
        dataset_folder=str(prepared),
        machine=machine.describe(),
        code=code.describe(),
        trials=tuple(replace(trial, allocator=options.allocator) for trial in trials),
    )
    folder.mkdir(parents=True, exist_ok=True)
    given = {"rounds": options.rounds, "budget": options.budget}
    (folder / DUEL).write_text(json.dumps(given), encoding="utf-8")
    plan.save(folder, planned)
    return folder


def pairs(blocks: int, dataset: DatasetInfo, seed: int) -> tuple[Trial, ...]:
    """Blocks of two trials that differ in their label only, which goes first or second at random.

    Nobody who measures knows labels, so this is an A/A test under blinded names.
    """
    generator = random.Random(seed)  # noqa: S311 - an order, not a secret
    trials = _trials("calibration", [ARM], [WORKLOAD], blocks, dataset, seed)
    return tuple(
        replace(trial, label=label)
        for trial in trials
        for label in generator.sample(LABELS, len(LABELS))
    )


def beside(
    scenario: Scenario,
    workloads: Sequence[str],
    blocks: int,
    frameworks: dict[str, Implementation],
    dataset: DatasetInfo,
    *,
    seed: int,
    seconds: float,
) -> tuple[Trial, ...]:
    """Every mode of ``frameworks`` that runs on a CPU, in shuffled blocks."""
    arms = [
        (name, mode)
        for name, implementation in frameworks.items()
        for mode, found in implementation.modes.items()
        if "cpu" in found.devices
    ]
    trials = _trials(scenario, arms, workloads, blocks, dataset, seed)
    return tuple(replace(trial, seconds=seconds) for trial in trials)


def carry_out(folder: Path, console: Console) -> bool:
    """Do what the run in ``folder`` lacks; whether a trial failed. Raises ``UserError``."""

    def report(line: str) -> None:
        say(console, line)

    planned = plan.load(folder)
    runner.check_unchanged(planned)
    rounds, budget = _given(folder)
    pythons, references = runner.pythons(planned, report), runner.references(planned, report)
    report(f"{folder}: {len(planned.trials)} trials, and {rounds} rounds against other tools")
    counts = runner.execute(folder, planned, pythons, references, console)
    if rounds:
        against = duel.Duel(
            rounds=rounds,
            budget=budget,
            seed=planned.seed,
            allocator=planned.trials[0].allocator,
            python=duel.python(report),
            cpus=runner.worker_cpus(1),
        )
        duel.measure(folder, against, report)
    return bool(set(counts) - {"ok"})


def _given(folder: Path) -> tuple[int, float]:
    try:
        given = json.loads((folder / DUEL).read_text(encoding="utf-8"))
        return int(given["rounds"]), float(given["budget"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder} holds no calibration: {DUEL} is missing or broken") from None


def _trials(
    scenario: Scenario,
    arms: Sequence[tuple[str, str]],
    workloads: Sequence[str],
    blocks: int,
    dataset: DatasetInfo,
    seed: int,
) -> tuple[Trial, ...]:
    profile = plan.Profile(
        about="the suite measures itself",
        workloads=tuple(workloads),
        repeats=blocks,
        train_images=IMAGES,
        test_images=10,
        epochs=1,
        seconds=0.0,
        timeout=TIMEOUT,
        scenarios=(scenario,),
    )
    return plan.trials(
        arms,
        workloads,
        profile,
        dataset=dataset,
        device="cpu",
        precision="fp32",
        threads=1,
        seed=seed,
    )


if __name__ == "__main__":
    sys.exit(main())
