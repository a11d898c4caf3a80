"""Carries out a plan: one trial after the other, each kept as a record before the next starts."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path

from rich.console import Console

from bench import code, environments, machine, reference, sources
from bench.certificate import Certificate
from bench.contract import Trial
from bench.data import open_dataset
from bench.errors import UserError
from bench.keep import keep
from bench.launch import TICK_SECONDS, Outcome, launch
from bench.plan import Plan, recorded
from bench.progress import Job, RunProgress
from bench.records import SCHEMA, Record, append_record

LOGS = "logs"

Pythons = Mapping[tuple[str, str], Path]
"""Interpreters by framework and mode."""


def check_unchanged(plan: Plan) -> None:
    """Raise ``UserError`` unless what remains of ``plan`` would be measured like what is done."""
    if machine.describe() != plan.machine:
        raise UserError(f"{plan.run} was started on another machine; start a new run here")
    if code.describe().digest != plan.code.digest:
        raise UserError(
            f"bench/ or impls/ changed since {plan.run} was started; start a new run, "
            f"or go back to commit {plan.code.commit or 'it was started from'}"
        )
    if open_dataset(Path(plan.dataset_folder)).info != plan.dataset:
        raise UserError(f"the data set of {plan.run} has changed; start a new run")


def pythons(plan: Plan, report: Callable[[str], None], root: Path = code.ROOT) -> Pythons:
    """The interpreter of every arm of ``plan``, of environments that the tree ``root`` locks.

    They, and what modes keep in them, are made where they are missing; ``report`` gets a line
    before. Raises ``UserError``.
    """
    arms = {(trial.framework, trial.mode): trial for trial in plan.trials}
    if plan.interpreter != "environments":
        return dict.fromkeys(arms, Path(plan.interpreter))
    found = {
        arm: environments.environment(*arm, trial.device, report, root)
        for arm, trial in arms.items()
    }
    for arm, trial in arms.items():
        keep(trial, found[arm], report, root)
    return found


def references(plan: Plan, report: Callable[[str], None]) -> dict[str, Path]:
    """The reference's trace of every workload of ``plan``, computed where there is none yet."""
    cache = sources.default_cache()
    return {
        workload.name: reference.trace(workload, cache=cache, report=report)
        for workload in {trial.workload for trial in plan.trials}
    }


def worker_cpus(threads: int) -> list[int]:
    """The processors a trial is bound to: the last ones, so that the harness keeps the first."""
    return machine.usable_cpus()[-threads:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A trial that has no record yet: with what it is run, and where its record goes."""

    folder: Path
    """Of its run."""
    plan: Plan
    position: int
    """In ``plan``."""
    python: Path
    worker: tuple[str, ...]
    """A module of ``bench`` and its arguments."""
    root: Path = code.ROOT
    """The tree that it and the implementation are of."""
    certificate: Certificate | None = None
    """What the arm earned before, where the worker does not ask for it again."""
    side: str = ""
    """Which of two states it is of, where there are two."""

    @property
    def trial(self) -> Trial:
        """What is to be run."""
        return self.plan.trials[self.position]


def execute(
    folder: Path,
    plan: Plan,
    pythons: Pythons,
    references: Mapping[str, Path],
    console: Console,
) -> Counter[str]:
    """Run the trials of ``plan`` that have no record in ``folder``; return how many ended how.

    ``pythons`` are the interpreters of each arm's environment, ``references`` each workload's trace
    of the reference.
    """
    done = recorded(folder)
    tasks = [
        Task(
            folder=folder,
            plan=plan,
            position=position,
            python=pythons[trial.framework, trial.mode],
            worker=("bench.worker", plan.dataset_folder, str(references[trial.workload.name])),
        )
        for position, trial in enumerate(plan.trials)
        if trial.name not in done
    ]
    return carry_out([(task,) for task in tasks], console)


def carry_out(
    turns: Sequence[Sequence[Task]],
    console: Console,
    go_on: Callable[[Sequence[Task]], bool] = lambda _turn: True,
) -> Counter[str]:
    """Run turn after turn, the trials of each at once, and keep their records.

    Each trial of a turn has processors of its own, in the order of the turn. The first turn that
    ``go_on`` is false of, and all after it, are not begun. Returns how many trials ended how.
    Ctrl-C ends the turn that is running, which leaves no record, and is passed on.
    """
    counts: Counter[str] = Counter()
    jobs = [[Job(task.trial, task.side) for task in turn] for turn in turns]
    with (
        RunProgress(console, jobs) as progress,
        interrupts() as check,
        # Workers end with the thread that started them (prctl(2), PR_SET_PDEATHSIG): the pool's
        # last longer.
        ThreadPoolExecutor() as pool,
    ):
        for turn in takewhile(go_on, turns):
            progress.begin()
            cpus = iter(worker_cpus(sum(task.trial.threads for task in turn)))
            running = [
                pool.submit(_run, task, list(islice(cpus, task.trial.threads)), check)
                for task in turn
            ]
            while wait(running, TICK_SECONDS).not_done:
                progress.tick()
                check()
            ended = [future.result() for future in running]
            for task, (started, outcome) in zip(turn, ended, strict=True):
                append_record(task.folder, _record(task, started, outcome))
            progress.end([outcome for _, outcome in ended])
            counts.update(outcome.status for _, outcome in ended)
    return counts


def _run(task: Task, cpus: Sequence[int], tick: Callable[[], None]) -> tuple[str, Outcome]:
    """When it began, and how it ended."""
    trial = task.trial
    (task.folder / LOGS).mkdir(exist_ok=True)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    outcome = launch(
        trial,
        python=task.python,
        worker=task.worker,
        cpus=cpus,
        timeout=task.plan.timeout,
        log=task.folder / LOGS / f"{trial.name}.log",
        tick=tick,
        root=task.root,
    )
    return started, outcome


def _record(task: Task, started: str, outcome: Outcome) -> Record:
    plan = task.plan
    return Record(
        schema=SCHEMA,
        run=plan.run,
        trial=task.trial,
        position=task.position,
        started=started,
        seconds=outcome.seconds,
        status=outcome.status,
        message=outcome.message,
        dataset=plan.dataset,
        machine=plan.machine,
        code=plan.code,
        certificate=outcome.certificate or task.certificate,
        measurement=outcome.measurement,
        sampled_host_bytes=outcome.sampled_host_bytes,
        sampled_device_bytes=outcome.sampled_device_bytes,
        gpu_before=outcome.gpu_before,
        gpu_after=outcome.gpu_after,
    )


@contextmanager
def interrupts() -> Iterator[Callable[[], None]]:
    """Give a function that raises ``KeyboardInterrupt`` once Ctrl-C was pressed.

    The exception of the signal itself may be lost: Python drops what is raised in a finaliser, and
    the run would go on.
    """
    pressed = False

    def handle(_signal: int, _frame: object) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
