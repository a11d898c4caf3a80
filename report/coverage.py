"""How often the intervals cover, and how often the verdicts err, on data whose truth is known.

``python -m report.coverage`` simulates measurements as unkind as those of shared machines, hands
them to the functions that judge real ones, and writes a page (``results/reference/coverage.md``).
A reduced run is one of the tests.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from report.bootstrap import resample_log_ratios
from report.decisions import MARGINS, Decision, Evidence, Margin, verdict
from report.statistics import (
    Interval,
    log_ratios,
    paired_interval,
    rate,
    rate_interval,
    t_interval,
)

BLOCKS = (5, 8, 10, 12, 20, 30, 60, 120)
VERDICT_BLOCKS = (10, 12, 20)
CHUNKS = 9
"""Chunks that a process measures."""
RESAMPLES = 199
"""Fewer than for a report, for time. They make an interval noisier, not surer of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Standard deviations, in logarithms of time, of what disturbs a measurement.

    The defaults are close to what we saw on two shared cores: process medians spread by 0.3, next
    ones correlated by 0.45, chunks within a process by 0.3.
    """

    name: str
    drift: float = 0.22
    """Of the machine's speed, which wanders: AR(1) from process to process."""
    memory: float = 0.9
    """Correlation of the drift between one process and the next."""
    process: float = 0.19
    """Of a process: its layout in memory, its choice of kernels."""
    chunk: float = 0.30
    """Of a chunk within its process."""
    spikes: float = 0.0
    """Share of processes, and of chunks, that something slows down by a factor of 2 on average."""
    tails: float = 0.0
    """Scale of a further Student t error of each process with 2 degrees: no variance at all."""
    second_arm: float = 1.0
    """How many times as noisy the processes of the second arm are."""

    def simulate(
        self, generator: np.random.Generator, repetitions: int, blocks: int
    ) -> NDArray[np.float64]:
        """Times of two arms that do not differ, ``[repetitions, blocks, 2, CHUNKS]``.

        Both arms follow each other within a block in random order, block after block.
        """
        shape = (repetitions, 2 * blocks)
        innovations = generator.normal(size=shape)
        innovations[:, 1:] *= np.sqrt(1 - self.memory**2)
        drift = self.drift * signal.lfilter([1.0], [1.0, -self.memory], innovations, axis=1)
        second = generator.permuted(np.tile([False, True], (repetitions * blocks, 1)), axis=1)
        second = second.reshape(shape)
        process = self.process * generator.normal(size=shape)
        process += self.tails * generator.standard_t(2, size=shape)
        process += self._spikes(generator, shape)
        process *= np.where(second, self.second_arm, 1.0)
        chunks = self.chunk * generator.normal(size=(*shape, CHUNKS))
        chunks += self._spikes(generator, chunks.shape)
        times = np.exp((drift + process)[..., np.newaxis] + chunks)
        times = times.reshape(repetitions, blocks, 2, CHUNKS)
        # Arms in their own order again; they were simulated in that of time.
        order = np.argsort(second.reshape(repetitions, blocks, 2), axis=2)
        return np.take_along_axis(times, order[..., np.newaxis], axis=2)

    def _spikes(
        self, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        return (generator.random(shape) < self.spikes) * generator.exponential(np.log(2), shape)


NOISES = (
    Noise(name="log-normal", drift=0.0),
    Noise(name="drift"),
    Noise(name="drift, spikes", spikes=0.1),
    Noise(name="drift, spikes, heavy tails", spikes=0.1, tails=0.1),
    Noise(name="one arm noisier", second_arm=3.0),
)
QUIET = (
    Noise(name="quiet", drift=0.03, process=0.015, chunk=0.03),
    Noise(name="quiet, spikes", drift=0.03, process=0.015, chunk=0.03, spikes=0.05),
)
"""Noise among which a margin of 5% can be resolved at all: CPU time of a pinned process, say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One simulated comparison as the suite judges it; the truth is no difference."""

    primary: Evidence
    check: Evidence
    student: Interval
    percentile: tuple[float, float]
    """Limits at 95% of the percentile bootstrap of the mean, which this suite does not use."""
    spread: float

    def decide(self, effect: float, margin: Margin) -> Decision:
        """Verdict if the arms differed by ``effect``, in logarithms, which moves all intervals."""
        return verdict(
            _moved(self.primary, effect),
            _moved(self.check, effect),
            margin=margin,
            spread=self.spread,
        ).decision


def judge(
    noise: Noise, blocks: int, repetitions: int, resamples: int, generator: np.random.Generator
) -> Iterator[Judged]:
    """Simulate ``repetitions`` comparisons of ``blocks`` blocks and judge each."""
    for arm, other in np.moveaxis(noise.simulate(generator, repetitions, blocks), 2, 1):
        differences = log_ratios(np.median(arm, axis=1), np.median(other, axis=1))
        replicates = resample_log_ratios(arm, other, generator, resamples)
        means = differences[generator.integers(blocks, size=(resamples, blocks))].mean(axis=1)
        low, high = np.quantile(means, (0.025, 0.975))
        yield Judged(
            primary=Evidence(
                superiority=paired_interval(differences, 0.95),
                equivalence=paired_interval(differences, 0.90),
            ),
            check=Evidence(
                superiority=replicates.interval(0.95), equivalence=replicates.interval(0.90)
            ),
            student=t_interval(differences, 0.95),
            percentile=(float(low), float(high)),
            spread=float(differences.std(ddof=1)),
        )


def coverage_rows(
    repetitions: int, resamples: int, generator: np.random.Generator
) -> Iterator[tuple[str, ...]]:
    """Rows of the first table: share of intervals that hold the truth."""
    for noise in NOISES:
        for n in BLOCKS:
            judged = list(judge(noise, n, repetitions, resamples, generator))
            primaries = [one.primary.superiority for one in judged]
            yield (
                noise.name,
                str(n),
                primaries[0].method,
                _covering(primaries),
                _covering([one.primary.equivalence for one in judged]),
                _width(primaries),
                _covering([one.check.superiority for one in judged]),
                _covering([one.check.equivalence for one in judged]),
                _width([one.check.superiority for one in judged]),
                _covering([one.student for one in judged]),
                _width([one.student for one in judged]),
                rate([low <= 0 <= high for low, high in (one.percentile for one in judged)]),
            )


def verdict_rows(
    repetitions: int, resamples: int, generator: np.random.Generator
) -> Iterator[tuple[str, ...]]:
    """Rows of the second table: share of verdicts, by the effect that is true."""
    margin = MARGINS["speed", "cpu"]
    for noise in QUIET:
        for n in VERDICT_BLOCKS:
            judged = list(judge(noise, n, repetitions, resamples, generator))
            spread = float(np.median([one.spread for one in judged]))
            for size in (0.0, margin.size, 2 * margin.size):
                decisions = [one.decide(float(np.log1p(size)), margin) for one in judged]
                yield (
                    noise.name,
                    f"{spread:.3f}",
                    str(n),
                    f"{size:.0%}",
                    *(
                        rate([made == decision for made in decisions])
                        for decision in ("faster", "slower", "equal within the margin")
                    ),
                    f"{decisions.count('inconclusive') / repetitions:.1%}",
                )


def rate_rows() -> Iterator[tuple[str, ...]]:
    """Rows of the third table, which needs no simulation: the interval of a rate."""
    shares = np.linspace(0.001, 0.999, 999)[:, np.newaxis]
    for trials in (1, 5, 10, 20, 100, 1000):
        intervals = [rate_interval(successes, trials) for successes in range(trials + 1)]
        lows = np.array([interval.low for interval in intervals])
        highs = np.array([interval.high for interval in intervals])
        covering = (lows <= shares) & (shares <= highs)
        chances = stats.binom.pmf(np.arange(trials + 1), trials, shares)
        coverage = (covering * chances).sum(axis=1)
        yield (str(trials), f"{coverage.min():.1%}", f"{coverage.mean():.1%}")


def page(repetitions: int, resamples: int, seed: int) -> str:
    """Everything, as Markdown; the same arguments give the same page."""
    generator = np.random.default_rng(seed)
    return "\n".join(
        (
            "# Do the intervals cover, and do the verdicts err?",
            "",
            "Made by `python -m report.coverage` with",
            f"`--repetitions {repetitions} --resamples {resamples} --seed {seed}`.",
            f"Each row is of {repetitions:,} simulated comparisons; in brackets",
            "the Clopper-Pearson interval at 95% of the share itself.",
            f"Processes measure {CHUNKS} chunks each. The kinds of noise are those of `NOISES` and",
            "`QUIET` in `report/coverage.py`.",
            "",
            "## Coverage",
            "",
            "The share of intervals that hold the true effect. Nominal are 95% and 90%. Width is",
            "the median of the half widths of log ratios at 95%. The first method decides, the",
            "bootstrap checks it. The two on the right are for comparison: the t interval of the",
            "same differences, and the percentile bootstrap of their mean, which covers too",
            "seldom, most of all with few blocks, and is not used.",
            "",
            *_table(
                (
                    "noise",
                    "blocks",
                    "decides",
                    "covers, 95%",
                    "covers, 90%",
                    "width",
                    "bootstrap, 95%",
                    "bootstrap, 90%",
                    "width",
                    "t, 95%",
                    "width",
                    "percentile, 95%",
                ),
                coverage_rows(repetitions, resamples, generator),
            ),
            "",
            "## Verdicts",
            "",
            "The share of each verdict for a true effect of nothing, of the margin, and of twice",
            "the margin (5%, speed on a CPU). Wrong are faster and slower at 0%, all three at 5%,",
            "which is the margin itself, and slower and equal at 10%. Spread is the median",
            "standard deviation of the blocks' log ratios.",
            "",
            *_table(
                (
                    "noise",
                    "spread",
                    "blocks",
                    "true effect",
                    "faster",
                    "slower",
                    "equal",
                    "inconclusive",
                ),
                verdict_rows(repetitions, resamples, generator),
            ),
            "",
            "## Rates",
            "",
            "Coverage of the Clopper-Pearson interval at 95%, computed over the shares 0.001 to",
            "0.999. It never falls below its confidence, and is wider than that for few trials.",
            "",
            *_table(("trials", "least", "mean"), rate_rows()),
            "",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or print it."""
    parser = argparse.ArgumentParser(
        prog="python -m report.coverage",
        description="Simulate comparisons, and tell how often intervals cover and verdicts err.",
    )
    parser.add_argument("--repetitions", type=int, default=2_000, metavar="N")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there, do not print")
    options = parser.parse_args(arguments)
    text = page(options.repetitions, options.resamples, options.seed)
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
    return 0


def _moved(evidence: Evidence, effect: float) -> Evidence:
    """Evidence of the same data with ``effect`` added to each difference."""
    superiority, equivalence = (
        replace(
            interval,
            estimate=interval.estimate + effect,
            low=interval.low + effect,
            high=interval.high + effect,
        )
        for interval in (evidence.superiority, evidence.equivalence)
    )
    return Evidence(superiority=superiority, equivalence=equivalence)


def _covering(intervals: Sequence[Interval]) -> str:
    return rate([not interval.excludes(0.0) for interval in intervals])


def _width(intervals: Sequence[Interval]) -> str:
    return f"{np.median([interval.half_width for interval in intervals]):.3f}"


def _table(titles: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    raise SystemExit(main())
