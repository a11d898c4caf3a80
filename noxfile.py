"""The project's jobs: ``nox -l`` lists them, ``nox -s NAME -- OPTIONS`` runs one."""

import hashlib
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]

ROOT = Path(__file__).parent
# Every environment an implementation runs in: impls/keras/requirements.jax.cpu.in is "keras-jax".
ENVIRONMENTS = {
    "-".join((path.parent.name, *path.name.split(".")[1:-2])): path
    for path in sorted((ROOT / "impls").glob("*/requirements.*cpu.in"))
}
# CPU and CUDA stacks of each framework; every Python from 3.11 on gets the same versions.
COMPILE = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--fork-strategy", "fewest", "--generate-hashes", "--no-header", "--no-annotate"),
    *("--no-emit-index-url", "--no-emit-find-links"),
)


@nox.session
def bench(session: nox.Session) -> None:
    """Train all frameworks and report: the main job; `-- --help` explains its options."""
    run(session, "bench", *session.posargs)


@nox.session
def prove(session: nox.Session) -> None:
    """Hold every implementation against the float64 reference; `-- --help` explains options."""
    run(session, "bench.prove", *session.posargs)


@nox.session(default=False)
def spread(session: nox.Session) -> None:
    """Measure what rounding does: the certificates' tolerances are made of it (an hour)."""
    run(session, "bench.spread", *session.posargs)


@nox.session(default=False)
def calibrate(session: nox.Session) -> None:
    """Measure the suite itself: false alarms, what it finds, what it costs (hours)."""
    run(session, "bench.calibrate", *session.posargs)


@nox.session(default=False)
def regress(session: nox.Session) -> None:
    """Did training become slower? A commit, a lock or a stored run against what is here now."""
    run(session, "bench.regress", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Rebuild the report of a run (`-- results/runs/NAME`), or make one of several (`--output`)."""
    run(session, "report", *session.posargs)


@nox.session(default=False)
def history(session: nox.Session) -> None:
    """Show every benchmark over the runs that are given (`-- RUN... --output FILE`)."""
    run(session, "report.history", *session.posargs)


@nox.session(default=False)
def listings(session: nox.Session) -> None:
    """Run what the article prints, part by part, and keep how it ends."""
    run(session, "bench.listings", *session.posargs)


@nox.session(default=False)
def platforms(session: nox.Session) -> None:
    """Ask the package index where each framework installs (needs network)."""
    run(session, "bench.platforms", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests: harness and report here, then every implementation in its own environment."""
    install(session, "tests")
    others = ("conformance", "faults", "perf")
    session.run("pytest", *(f"--ignore=tests/{name}" for name in others), *session.posargs)
    for name in ENVIRONMENTS if not session.posargs else ():
        session.notify(f"conformance(framework='{name}')")


@nox.session(default=False)
@nox.parametrize("framework", list(ENVIRONMENTS))
def conformance(session: nox.Session, framework: str) -> None:
    """The contract's exam for one implementation, in one of that framework's environments."""
    install(session, f"conformance-{framework}")
    name, _, environment = framework.partition("-")
    session.run("python", "-m", "tests.conformance", name, environment, *session.posargs)


@nox.session(default=False)
@nox.parametrize("framework", [name for name in ENVIRONMENTS if "-" not in name])
def faults(session: nox.Session, framework: str) -> None:
    """Does the certificate notice mistakes? Every seeded fault, in that framework (minutes)."""
    install(session, f"conformance-{framework}")
    session.run("pytest", "tests/faults", f"--framework={framework}", *session.posargs)


@nox.session(default=False)
def perf(session: nox.Session) -> None:
    """Time steps, inference and pipelines of every framework and mode by pytest-benchmark."""
    run(session, "tests.perf", *session.posargs)


@nox.session(default=False)
def scale(session: nox.Session) -> None:
    """What a report takes of 1,000 to 100,000 constructed records (`-- N...`: so many; minutes)."""
    install(session, "tests")
    session.run("python", "-m", "tests.report.scale", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, and the directions in which modules may import each other."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("mypy", "--config-file", "impls/mypy.ini", "impls", "tests/adding/plain")
    session.run("lint-imports")
    # actionlint cannot be locked: its package fetches the program when it is installed.
    workflows = sorted(map(str, Path(".github/workflows").glob("*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("zizmor", "--offline", "--quiet", *workflows)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Pin everything anew, with hashes: locks/ and impls/*/requirements.*.txt (needs network)."""
    session.install("uv")
    options = [*COMPILE, *session.posargs]
    for group in ("harness", "tests", "lint"):
        session.run(*options, "--group", group, "--output-file", f"locks/{group}.txt")
    # A framework's second environments are held to what is in the first ones: those come last.
    for name, cpu in sorted(ENVIRONMENTS.items(), key=lambda item: ("-" in item[0], item[0])):
        for source in (cpu, cpu.with_name(cpu.name.replace(".cpu.", ".cuda."))):
            pinned = source.with_suffix(".txt").relative_to(ROOT)
            session.run(*options, str(source.relative_to(ROOT)), "--output-file", str(pinned))
        session.run(
            *(*options, str(cpu.relative_to(ROOT)), "--group", "conformance"),
            *("--constraints", str(cpu.with_suffix(".txt").relative_to(ROOT))),
            *("--output-file", f"locks/conformance-{name}.txt"),
        )
    # The tools that `calibrate` holds the suite against, beside the PyTorch that it measures.
    session.run(
        *(*options, "impls/pytorch/requirements.cpu.in", "--group", "calibrate"),
        *("--constraints", "impls/pytorch/requirements.cpu.txt"),
        *("--output-file", "locks/calibrate-pytorch.txt"),
    )


def run(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a module of ours; with `--interpreter current`, in the Python that runs nox.

    Not by `session.run`: nox makes every failure a status 1, and ends a run soon after Ctrl-C that
    is about to say how it can be continued.
    """
    python = sys.executable
    if "current" not in arguments:
        install(session, "harness")
        python = str(Path(session.bin, "python"))
    process = subprocess.Popen([python, "-m", module, *arguments])
    while process.poll() is None:
        with suppress(KeyboardInterrupt):
            process.wait()
    if process.returncode:
        sys.exit(process.returncode)


def install(session: nox.Session, name: str) -> None:
    """Make the session's environment hold exactly what a lock pins; no network when it does."""
    lock = ROOT / "locks" / f"{name}.txt"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = Path(session.virtualenv.location) / "lock.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    session.run_install(
        # Compiled, lest every start does it where Python is told not to write bytecode.
        *("uv", "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", str(lock)),
        env={"VIRTUAL_ENV": session.virtualenv.location},
    )
    stamp.write_text(wanted)
