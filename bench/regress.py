"""``nox -s regress``: did training become slower, larger or worse?

Two states of the implementations are measured in the same minutes, on the same machine, by the same
harness: pairs of processes, one of each, at once where there are processors for both. What looks
worse is measured a second time, which decides (``docs/regressions.md``).
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from bench import code, environments, files, machine, plan, runner, sources, states
from bench.arguments import Parser, add_allocator, check_allocator, chosen, percentage
from bench.certificate import Certificate
from bench.comparison import (
    COMPARISON,
    ITSELF,
    PAIRS,
    PROOF,
    Cell,
    Comparison,
    Kind,
    Round,
)
from bench.contract import BASELINE, Device, Trial
from bench.data import DatasetInfo, open_dataset
from bench.errors import UserError, last_line
from bench.progress import say
from bench.records import RECORDS, SCHEMA
from bench.workloads import WORKLOADS

LEAST_PAIRS = 8
"""The exact interval needs them (``report.statistics``)."""
CONFIRMING = 3
"""Times as many pairs has the second round: few cells are left, and it finds its own threshold."""
TRAIN_IMAGES = 512
TEST_IMAGES = 256
TIMEOUT = 600.0
SIDES = ("base", "head")
TREE = "tree"
PROFILE = "regress"
WORKLOAD = "listing3"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 nothing became worse, 1 something did, 2 bad input, 130 interrupted."""
    console = Console(stderr=True)
    folder = Path()
    try:
        options = parser().parse_args(arguments)
        folder = options.resume.resolve() if options.resume else start(options, console)
        measure(folder, console)
        return judge(folder, "--strict" if options.strict else "")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say(console, f"interrupted. Continue with: nox -s regress -- --resume {folder}")
        return 130


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    result = Parser(
        prog="nox -s regress --",
        description="Compare two states of the implementations, or of what they are locked to: "
        "time per step, memory, accuracy, and how often something is compiled.",
    )
    add = result.add_argument
    add(
        "--base", metavar="REF|RUN", help="a commit, held against the working tree; or a stored run"
    )
    add("--base-lock", type=Path, metavar="FILE", help="the working tree with this lock, against")
    add("--head-lock", type=Path, metavar="FILE", help="the working tree with that one")
    add("--framework", action="append", metavar="NAME", help="only this one; may be repeated")
    add("--mode", action="append", metavar="NAME", help="in its tutorial's place; repeatable")
    add("--workload", action="append", metavar="NAME", help="in listing3's place; repeatable")
    add("--pairs", type=int, default=12, metavar="N", help="of processes (12; 8 at least)")
    add(
        "--budget",
        type=float,
        default=5.0,
        metavar="MIN",
        help="minutes after which no pairs are added, if there are 8 (5)",
    )
    add(
        "--threshold",
        type=_threshold,
        default=0.10,
        metavar="RATIO",
        help="beyond which it is a failure: 1.10, or 10%%",
    )
    add("--strict", action="store_true", help="exit with 1 also where nothing can be decided")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: cuda if there")
    add("--dataset", default="synthetic", metavar="NAME|PATH", help="as of bench (synthetic)")
    add_allocator(result)
    add("--seed", type=int, default=0, metavar="N", help="of weights, batches and orders (0)")
    add(
        "--interpreter",
        default="environments",
        choices=("environments", "current"),
        help="current: the running Python for both sides, with the frameworks it has",
    )
    add("--out", type=Path, metavar="FOLDER", help="results/runs/<time>-regress")
    add("--resume", type=Path, metavar="FOLDER", help="do what that comparison still lacks")
    return result


def start(options: argparse.Namespace, console: Console) -> Path:
    """Write down, in a folder of its own, what is compared with what. Raises ``UserError``."""
    kind = _kind(options)
    if options.pairs < LEAST_PAIRS:
        raise UserError(f"--pairs {options.pairs}: must be {LEAST_PAIRS} at least")
    if not 0 < options.budget <= 7 * 24 * 60:
        raise UserError(f"--budget {options.budget:g}: must be minutes, a week at most")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: must not be negative")
    check_allocator(options.allocator)
    # Absolute, because workers run in their state's tree.
    folder = plan.run_folder(options.out, "regress").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with files.new_folder(folder) as unfinished:
        if kind == "stored":
            _write_stored(options, unfinished)
        else:
            _write_states(kind, options, unfinished, console)
    return folder


def _kind(options: argparse.Namespace) -> Kind:
    locks = (options.base_lock, options.head_lock)
    if any(locks):
        if options.interpreter == "current":
            raise UserError("--interpreter current: locks are of environments; leave it out")
        if options.base or not all(locks):
            raise UserError("--base-lock and --head-lock go together, and without --base")
        return "locks"
    if not options.base:
        raise UserError("--base is missing: name a commit, or the folder of a run")
    # The records alone are not enough to measure anew, but a reason for saying so.
    held = (Path(options.base) / name for name in (plan.PLAN, RECORDS))
    return "stored" if any(path.exists() for path in held) else "code"


def _write_states(kind: Kind, options: argparse.Namespace, folder: Path, console: Console) -> None:
    """Both trees, the plans of both sides, and what they are."""
    device = machine.chosen_device(options.device)
    arms = _arms(options, device)
    base_root, head_root = (folder / side / TREE for side in SIDES)
    if kind == "locks":
        environment = _environment(arms)
        of = (arms[0][0], environment, device)
        base = states.with_lock(options.base_lock, *of, base_root)
        head = states.with_lock(options.head_lock, *of, head_root)
    else:
        base = states.of_commit(options.base, base_root)
        head = states.of_working_tree(head_root)
    named = bool(options.framework or options.mode)
    for arm in list(arms):
        if lacking := states.lacks(base, *arm, device):
            if named:
                raise UserError(f"{base.what} {lacking}; leave it out")
            say(console, f"left out: {base.what} {lacking}")
            arms.remove(arm)
    if not arms:
        raise UserError(f"{base.what} has none of what is to be compared; name another base")
    workloads = chosen("workload", options.workload or [WORKLOAD], WORKLOADS)
    prepared = sources.prepare(
        options.dataset, cache=sources.default_cache(), report=lambda line: say(console, line)
    )
    dataset = open_dataset(prepared).info
    trials = _trials(arms, workloads, options, dataset, device)
    cells = tuple(dict.fromkeys(map(cell_of, trials)))
    sentinel = next((cell for cell in cells if (cell.framework, cell.mode) == BASELINE), cells[0])
    planned = plan.Plan(
        schema=SCHEMA,
        run="base",
        profile=PROFILE,
        seed=options.seed,
        timeout=TIMEOUT,
        interpreter=sys.executable if options.interpreter == "current" else "environments",
        dataset=dataset,
        dataset_folder=str(prepared),
        machine=machine.describe(),
        code=base.code,
        trials=trials,
    )
    _save_plan(folder, planned)
    both = (*trials, *_against_itself(trials, [sentinel]))
    _save_plan(folder, replace(planned, run="head", code=head.code, trials=both))
    _save(
        folder,
        Comparison(
            schema=SCHEMA,
            kind=kind,
            base=base.what,
            head=head.what,
            base_run=f"base/{PAIRS}",
            head_run=f"head/{PAIRS}",
            budget=60 * options.budget,
            threshold=options.threshold,
            harness_differs=kind == "code" and states.harness_differs(base.code.commit or ""),
            rounds=(_round(0, options.pairs, cells, itself=(sentinel,)),),
        ),
    )


def _write_stored(options: argparse.Namespace, folder: Path) -> None:
    """The present state's tree, and a plan of the trials that the stored run has."""
    run = Path(options.base).resolve()
    stored = plan.load(run)
    if stored.code.dirty:
        raise UserError(
            f"--base {options.base}: measured with changes that no commit has, so nobody can say "
            "what it is; name a run of committed code"
        )
    here = machine.describe()
    if stored.machine != here:
        raise UserError(
            f"--base {options.base}: measured on another machine or device ({stored.machine.cpu}, "
            f"{stored.machine.gpu or 'no GPU'}); measure the base here: --base {stored.code.commit}"
        )
    if open_dataset(Path(stored.dataset_folder)).info != stored.dataset:
        raise UserError(f"--base {options.base}: its data set has changed; measure the base anew")
    done = plan.recorded(run)
    arms = _arms(options, stored.trials[0].device) if options.framework or options.mode else None
    trials = tuple(
        trial
        for trial in stored.trials
        if trial.name in done
        and trial.scenario in ("training", "regression")
        and not trial.label
        and (arms is None or (trial.framework, trial.mode) in arms)
        and trial.workload.name in (options.workload or WORKLOADS)
    )
    if not trials:
        raise UserError(f"--base {options.base}: has no records of what is to be compared")
    blocks = len({trial.block for trial in trials})
    if blocks < LEAST_PAIRS:
        raise UserError(
            f"--base {options.base}: has {blocks} repeats, and {LEAST_PAIRS} are needed to tell "
            f"anything; store a run with --repeats {LEAST_PAIRS} or more"
        )
    head = states.of_working_tree(folder / "head" / TREE)
    for trial in trials:
        if lacking := states.lacks(head, trial.framework, trial.mode, trial.device):
            raise UserError(f"{head.what} {lacking}; leave it out with --framework or --mode")
    _save_plan(folder, replace(stored, run="head", code=head.code, trials=trials, precision=None))
    pairs = max(trial.block for trial in trials) + 1
    cells = tuple(dict.fromkeys(map(cell_of, trials)))
    _save(
        folder,
        Comparison(
            schema=SCHEMA,
            kind="stored",
            base=f"records of {stored.code.commit or 'an unknown commit'} ({stored.run})",
            head=head.what,
            base_run=str(run),
            head_run=f"head/{PAIRS}",
            budget=60 * options.budget,
            threshold=options.threshold,
            harness_differs=states.harness_differs(stored.code.commit or ""),
            rounds=(_round(0, pairs, cells, itself=()),),
        ),
    )


def _round(first: int, pairs: int, cells: tuple[Cell, ...], itself: tuple[Cell, ...]) -> Round:
    """As it is planned."""
    return Round(first=first, planned=pairs, pairs=pairs, cells=cells, itself=itself)


def _save_plan(folder: Path, planned: plan.Plan) -> None:
    """Where the pairs of the side that it is of will be kept."""
    pairs = folder / planned.run / PAIRS
    pairs.mkdir()
    plan.save(pairs, planned)


def _against_itself(trials: Iterable[Trial], cells: Sequence[Cell]) -> Iterator[Trial]:
    """The pairs in which the head meets itself, beside those in which it meets the base."""
    for trial in trials:
        if not trial.label and cell_of(trial) in cells:
            yield from (replace(trial, label=label) for label in ITSELF)


def cell_of(trial: Trial) -> Cell:
    """What a trial is a process of."""
    return Cell(workload=trial.workload.name, framework=trial.framework, mode=trial.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two states, where its run is, and what that still lacks."""

    root: Path
    """Of its tree."""
    proof: Path
    pairs: Path
    plan: plan.Plan
    """Of the pairs."""


def measure(folder: Path, console: Console) -> None:
    """Do what the comparison in ``folder`` lacks. Raises ``UserError``."""

    def report(line: str) -> None:
        say(console, line)

    comparison = _load(folder)
    sides = _sides(folder, comparison)
    head = sides["head"]
    if head.plan.machine != machine.describe():
        raise UserError(f"{folder} was begun on another machine; compare anew here")
    if open_dataset(Path(head.plan.dataset_folder)).info != head.plan.dataset:
        raise UserError(f"the data set of {folder} has changed; compare anew")
    # Both sides' first, so that nothing is installed while anything is timed.
    pythons = {name: runner.pythons(side.plan, report, side.root) for name, side in sides.items()}
    traces = runner.references(head.plan, report)
    proofs = _prove(sides, pythons, traces, console)
    _refuse_unproven(comparison, proofs.get("base", {}))
    sides = {name: _with_steps(side, proofs.values()) for name, side in sides.items()}

    def carried_out(comparison: Comparison) -> Comparison:
        """With its last round as long as it became."""
        tasks = {
            name: _tasks(name, side, comparison, pythons[name], traces, proofs[name])
            for name, side in sides.items()
        }
        budget = Budget(first=comparison.rounds[-1].first, seconds=comparison.budget)
        _carry_out(in_pairs(tasks, head.plan.seed), console, budget.allows)
        if budget.spent is None:
            return comparison
        *before, last = comparison.rounds
        ended = replace(last, pairs=budget.spent - last.first)
        report(
            f"{comparison.budget / 60:g} minutes (--budget) are spent: the comparison is made of "
            f"{ended.pairs} of {last.planned} pairs"
        )
        shorter = replace(comparison, rounds=(*before, ended))
        _save(folder, shorter)
        return shorter

    comparison = carried_out(comparison)
    if len(comparison.rounds) == 1 and (cells := _to_confirm(folder)):
        report(f"once more, to be sure: {', '.join(map(str, cells))}")
        (first,) = comparison.rounds
        second = second_round(first, cells, comparison.kind)
        sides = {name: _extended(side, first, second) for name, side in sides.items()}
        comparison = replace(comparison, rounds=(*comparison.rounds, second))
        # Last, so that a plan is there for every round that is known of.
        _save(folder, comparison)
        carried_out(comparison)


@dataclass(slots=True, kw_only=True)
class Budget:
    """How long a round may take. It ends between two blocks, whatever was measured in them.

    A round has ``LEAST_PAIRS`` blocks in any case; then none is begun that is not likely to be done
    in time.
    """

    first: int
    """Block that the round begins with."""
    seconds: float
    spent: int | None = None
    """The block that was not begun, if one was not."""
    now: Callable[[], float] = time.monotonic
    _begun: dict[int, float] = field(default_factory=dict, init=False)
    """When blocks were begun; those that have been measured before are not here."""

    def allows(self, turn: Sequence[runner.Task]) -> bool:
        """Whether ``turn`` is to be begun; turns come block by block."""
        block = turn[0].trial.block
        if block in self._begun:
            return True
        now, blocks = self.now(), len(self._begun)
        if blocks and block - self.first >= LEAST_PAIRS:
            elapsed = now - next(iter(self._begun.values()))
            if elapsed * (blocks + 1) / blocks > self.seconds:
                self.spent = block
                return False
        self._begun[block] = now
        return True


def judge(folder: Path, *options: str) -> int:
    """Have it judged, written and shown; the status says how it ended."""
    command = [sys.executable, "-m", "report.regress", str(folder.resolve())]
    return subprocess.run([*command, *filter(None, options)], cwd=code.ROOT, check=False).returncode


def _carry_out(
    pairs: Iterable[Sequence[runner.Task]],
    console: Console,
    go_on: Callable[[Sequence[runner.Task]], bool] = lambda _turn: True,
) -> None:
    turns: list[Sequence[runner.Task]] = []
    for pair in pairs:
        turns.extend([pair] if _have_processors(pair) else [(task,) for task in pair])
    runner.carry_out(turns, console, go_on)


def _have_processors(pair: Sequence[runner.Task]) -> bool:
    """Whether its processes can be run at once: there is one GPU, but a processor for each thread.

    What else a machine does then holds up both: on average that made comparisons five times as
    exact (Bulej et al., Duet benchmarking, arXiv:2001.05811).
    """
    threads = sum(task.trial.threads for task in pair)
    return pair[0].trial.device == "cpu" and threads <= len(machine.usable_cpus())


def in_pairs(
    tasks: Mapping[str, Sequence[runner.Task]], seed: int
) -> Iterator[tuple[runner.Task, ...]]:
    """Block after block, in each its cells, in each of them the sides: both in random order.

    ``tasks`` are those of the sides that are measured. The two processes in which the head meets
    itself are a pair like the others. Of two blocks that follow each other one has the sides of a
    cell in the order in which the other has not: a processor of its own is of no advantage then.
    """
    every = [task for of in tasks.values() for task in of]
    for block in sorted({task.trial.block for task in every}):
        generator = random.Random(f"{seed} {block}")  # noqa: S311 - an order, not a secret
        pairs: dict[tuple[Cell, bool], list[runner.Task]] = {}
        for task in every:
            if task.trial.block == block:
                pairs.setdefault((cell_of(task.trial), bool(task.trial.label)), []).append(task)
        for key in generator.sample(list(pairs), len(pairs)):
            both = random.Random(f"{seed} {block // 2} {key}")  # noqa: S311 - likewise
            drawn = both.sample(pairs[key], len(pairs[key]))
            yield tuple(drawn if block % 2 else reversed(drawn))


def _sides(folder: Path, comparison: Comparison) -> dict[str, Side]:
    measured = ("head",) if comparison.kind == "stored" else SIDES
    return {
        name: Side(
            root=folder / name / TREE,
            proof=folder / name / PROOF,
            pairs=folder / name / PAIRS,
            plan=plan.load(folder / name / PAIRS),
        )
        for name in measured
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the first process of a cell found out."""

    certificate: Certificate
    steps: int
    """That a chunk should have."""


def _prove(
    sides: Mapping[str, Side],
    pythons: Mapping[str, runner.Pythons],
    traces: Mapping[str, Path],
    console: Console,
) -> dict[str, dict[Cell, Proof]]:
    """Have each cell earn its certificate where it has none yet; by side, those that did."""
    alike = shared(sides)
    waiting = [
        task
        for name, side in sides.items()
        for task in _proofs(name, side, pythons[name], traces)
        if name == "head" or task.trial.framework not in alike
    ]
    _carry_out((waiting[start : start + 2] for start in range(0, len(waiting), 2)), console)
    proofs = {name: proven(side.proof) for name, side in sides.items()}
    of_both = {cell: proof for cell, proof in proofs["head"].items() if cell.framework in alike}
    return {name: {**of_both, **own} for name, own in proofs.items()}


def shared(sides: Mapping[str, Side]) -> set[str]:
    """Frameworks whose implementation and locks are the same in both states: so is their proof."""
    if len(sides) < len(SIDES):
        return set()

    def digest(side: str, framework: str) -> str:
        return code.digest(sides[side].root, (f"impls/{framework}",))

    frameworks = {trial.framework for trial in sides["head"].plan.trials}
    return {name for name in frameworks if digest("base", name) == digest("head", name)}


def _proofs(
    name: str, side: Side, pythons: runner.Pythons, traces: Mapping[str, Path]
) -> list[runner.Task]:
    """A trial for each cell that has not earned its certificate yet.

    Trials of training earn one each, so they are not asked for here.
    """
    first: dict[Cell, Trial] = {}
    for trial in side.plan.trials:
        if trial.scenario == "regression":
            first.setdefault(cell_of(trial), replace(trial, steps=0, block=0, label=""))
    if first:
        side.proof.mkdir(exist_ok=True)
    planned = replace(side.plan, trials=tuple(first.values()))
    done = plan.recorded(side.proof)
    return [
        runner.Task(
            folder=side.proof,
            plan=planned,
            position=position,
            python=pythons[trial.framework, trial.mode],
            worker=_full(planned, trial, traces),
            root=side.root,
            side=name,
        )
        for position, trial in enumerate(planned.trials)
        if trial.name not in done
    ]


def proven(folder: Path) -> dict[Cell, Proof]:
    """What the records of a proof hold, if there are any, of cells that ended well."""
    found: dict[Cell, Proof] = {}
    if not (folder / RECORDS).exists():
        return found
    for line in (folder / RECORDS).read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["status"] == "ok":
            found[cell_of(_TRIAL.validate_python(record["trial"]))] = Proof(
                certificate=_CERTIFICATE.validate_python(record["certificate"]),
                steps=int(record["measurement"]["result"]["timed"][0]["steps"]),
            )
    return found


_TRIAL = TypeAdapter(Trial)
_CERTIFICATE = TypeAdapter(Certificate)


def _refuse_unproven(comparison: Comparison, base: Mapping[Cell, Proof]) -> None:
    """Raise ``UserError`` where the base itself cannot be measured: there is nothing to compare."""
    if comparison.kind == "stored":
        return
    for cell in comparison.rounds[0].cells:
        if cell not in base:
            raise UserError(
                f"{comparison.base}: {cell} did not earn its certificate there (the {RECORDS} in "
                f"{PROOF}/ of base, or head, say why); leave it out with --framework or --mode"
            )


def _with_steps(side: Side, proofs: Iterable[Mapping[Cell, Proof]]) -> Side:
    """As many steps in a chunk as the slower of both asks for; what is planned so far stays."""
    asked: dict[Cell, int] = {}
    for of_side in proofs:
        for cell, proof in of_side.items():
            asked[cell] = max(asked.get(cell, 0), proof.steps)
    trials = tuple(
        trial
        if trial.steps or trial.scenario != "regression"
        else replace(trial, steps=asked.get(cell_of(trial), 0))
        for trial in side.plan.trials
    )
    planned = replace(side.plan, trials=trials)
    plan.save(side.pairs, planned)
    return replace(side, plan=planned)


def _tasks(
    name: str,
    side: Side,
    comparison: Comparison,
    pythons: runner.Pythons,
    traces: Mapping[str, Path],
    proofs: Mapping[Cell, Proof],
) -> list[runner.Task]:
    """What has no record yet, of the rounds and of cells that may be measured."""
    done = plan.recorded(side.pairs)
    asked = {of.first + pair for of in comparison.rounds for pair in range(of.pairs)}
    tasks = []
    for position, trial in enumerate(side.plan.trials):
        brief = trial.scenario == "regression"
        if (
            trial.name in done
            or trial.block not in asked
            or (brief and cell_of(trial) not in proofs)
        ):
            continue
        tasks.append(
            runner.Task(
                folder=side.pairs,
                plan=side.plan,
                position=position,
                python=pythons[trial.framework, trial.mode],
                worker=("bench.brief", side.plan.dataset_folder)
                if brief
                else _full(side.plan, trial, traces),
                root=side.root,
                certificate=proofs[cell_of(trial)].certificate if brief else None,
                side=name,
            )
        )
    return tasks


def _full(planned: plan.Plan, trial: Trial, traces: Mapping[str, Path]) -> tuple[str, ...]:
    """The worker that earns a certificate."""
    return ("bench.worker", planned.dataset_folder, str(traces[trial.workload.name]))


def _to_confirm(folder: Path) -> tuple[Cell, ...]:
    """Cells that look worse: a list on the judge's standard output. Raises ``UserError``."""
    command = [sys.executable, "-m", "report.regress", str(folder.resolve()), "--confirm"]
    told = subprocess.run(command, cwd=code.ROOT, check=False, capture_output=True, text=True)
    if told.returncode:
        why = last_line(told.stderr).removeprefix("error: ")
        raise UserError(f"{folder} cannot be judged: {why}")
    return tuple(_CELLS.validate_json(told.stdout))


_CELLS = TypeAdapter(list[Cell])


def second_round(first: Round, cells: tuple[Cell, ...], kind: Kind) -> Round:
    """What is to decide about ``cells``, of which the first says that they look worse."""
    if kind == "stored":
        # There are no other records of the base; and of what differed when those were made the
        # head against itself could say nothing.
        return _round(first.planned, first.planned, cells, itself=())
    return _round(first.planned, CONFIRMING * first.planned, cells, itself=cells)


def _extended(side: Side, first: Round, asked: Round) -> Side:
    """With the trials of one round more."""
    have = {trial.name for trial in side.plan.trials}
    more = [
        replace(trial, block=trial.block + later, seed=trial.seed + later)
        for later in range(asked.first, asked.first + asked.planned, first.planned)
        for trial in side.plan.trials
        if trial.block < first.planned and not trial.label and cell_of(trial) in asked.cells
    ]
    if side.plan.run == "head":
        more.extend(_against_itself(tuple(more), asked.itself))
    trials = (*side.plan.trials, *(trial for trial in more if trial.name not in have))
    planned = replace(side.plan, trials=trials)
    plan.save(side.pairs, planned)
    return replace(side, plan=planned)


def _trials(
    arms: Sequence[tuple[str, str]],
    workloads: Sequence[str],
    options: argparse.Namespace,
    dataset: DatasetInfo,
    device: Device,
) -> tuple[Trial, ...]:
    profile = plan.Profile(
        about="two states of the implementations",
        workloads=tuple(workloads),
        repeats=options.pairs,
        train_images=TRAIN_IMAGES,
        test_images=TEST_IMAGES,
        epochs=1,
        seconds=0.0,
        timeout=TIMEOUT,
        scenarios=("regression",),
    )
    return plan.trials(
        arms,
        workloads,
        profile,
        dataset=dataset,
        device=device,
        precision="fp32",
        threads=1,
        seed=options.seed,
        allocator=options.allocator,
    )


def _arms(options: argparse.Namespace, device: Device) -> list[tuple[str, str]]:
    """Framework and mode: those named, or what each tutorial teaches. Raises ``UserError``."""
    names = chosen("framework", options.framework, environments.frameworks())
    return environments.arms(names, options.mode, device, lambda found: found.usual()[:1])


def _environment(arms: Sequence[tuple[str, str]]) -> str:
    """The one environment that all arms run in. Raises ``UserError`` where there are several."""
    known = environments.frameworks()
    used = {(name, known[name].modes[mode].environment) for name, mode in arms}
    if len(used) != 1:
        raise UserError(
            "--base-lock and --head-lock: a lock is of one environment; name the framework, and "
            "modes of one environment"
        )
    return used.pop()[1]


def _threshold(text: str) -> float:
    """``1.10``, ``10%`` as a share; raises ``ArgumentTypeError`` for what is not above 0."""
    share = percentage(text) if text.endswith("%") else percentage(text) - 1
    if not 0 < share < 10:
        raise argparse.ArgumentTypeError(f"{text!r}: must be above 1, as 1.10, or above 0%, as 10%")
    return share


def _save(folder: Path, comparison: Comparison) -> None:
    files.replace(folder / COMPARISON, json.dumps(asdict(comparison), indent=1))


def _load(folder: Path) -> Comparison:
    try:
        return _COMPARISON.validate_json((folder / COMPARISON).read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{folder} holds no comparison: it has no {COMPARISON}") from None
    except ValidationError:
        raise UserError(f"{folder / COMPARISON} cannot be used; compare anew") from None


_COMPARISON = TypeAdapter(Comparison)


if __name__ == "__main__":
    sys.exit(main())
