"""One line that says what runs, how far the run is, and how long it will probably take."""

import time
from collections.abc import Sequence
from statistics import mean, median
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from bench.contract import Trial
from bench.launch import Outcome
from bench.records import Training


def say(console: Console, line: str) -> None:
    """Print a line as it is, however long: no markup, no colours."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


class Job(NamedTuple):
    """A trial, and of which of two states it is, where there are two."""

    trial: Trial
    side: str = ""


class RunProgress:
    """Shows a run's progress on a terminal; elsewhere only the line of each finished trial.

    What is waiting are turns: trials that are run at once. Nothing moves by itself: the display is
    drawn when ``tick`` is called, never by a thread.
    """

    def __init__(self, console: Console, waiting: Sequence[Sequence[Job]]) -> None:
        self.console = console
        self.waiting = list(waiting)
        self.total = sum(map(len, waiting))
        self.done = 0
        self.seconds: dict[tuple[str, ...], list[float]] = {}
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=self.total, left="")

    def __enter__(self) -> "RunProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def begin(self) -> None:
        """The first of the turns that wait has started."""
        self.current, self.started = self.waiting.pop(0), time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Draw the line anew."""
        left = self.seconds_left()
        self.bar.update(
            self.task,
            description=escape(" and ".join(map(_label, self.current))),
            left="estimating time left" if left is None else f"{_duration(left)} left",
        )
        self.bar.refresh()

    def end(self, outcomes: Sequence[Outcome]) -> None:
        """The current turn has ended, each of its trials with one of ``outcomes``."""
        for job, outcome in zip(self.current, outcomes, strict=True):
            self.seconds.setdefault(_arm(job.trial), []).append(outcome.seconds)
            self.done += 1
            self.bar.advance(self.task)
            line = f"{self.done}/{self.total} {_label(job)}: {_result(job.trial, outcome)}"
            self.console.print(escape(line), highlight=False)
            if outcome.message:
                self.console.print(f"    {escape(outcome.message)}", style="red", highlight=False)

    def seconds_left(self) -> float | None:
        """Expected seconds to the end of the run; None before any trial has ended.

        An arm that has run takes what it took on average; one that has not, what all took.
        """
        if not self.seconds:
            return None
        overall = mean(second for seconds in self.seconds.values() for second in seconds)

        def expected(turn: Sequence[Job]) -> float:
            return max(mean(self.seconds.get(_arm(job.trial), [overall])) for job in turn)

        running = expected(self.current) - (time.monotonic() - self.started)
        return max(0.0, running) + sum(map(expected, self.waiting))


def _result(trial: Trial, outcome: Outcome) -> str:
    said: str = outcome.status
    if outcome.measurement and isinstance(found := outcome.measurement.result, Training):
        step = median(chunk.wall / chunk.steps for chunk in found.steady.chunks)
        said += f", {trial.workload.batch_size / step:,.0f} images/s"
    return f"{said} ({outcome.seconds:.0f} s)"


def _arm(trial: Trial) -> tuple[str, ...]:
    return trial.framework, trial.mode, trial.workload.name, trial.scenario


def _label(job: Job) -> str:
    trial = job.trial
    what = "" if trial.scenario == "training" else f" {trial.scenario}"
    size = f" {trial.batch_size}" if trial.batch_size else ""
    arm = f"{trial.workload.name} {trial.framework} {trial.mode}{what}{size}"
    which = ", ".join(filter(None, (job.side, trial.label)))
    return f"{arm}, repeat {trial.block + 1}{which and f' ({which})'}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
