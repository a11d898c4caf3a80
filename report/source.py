"""What the implementations look like as source text: proxies for style, and no more than that.

Lines, complexity and maintainability are radon's (https://radon.readthedocs.io/en/latest/intro.html);
names are read from the syntax tree. Nothing is imported or run. A network's text is everything in
``networks.py`` that it needs, without docstrings and comments.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from radon.metrics import h_visit_ast, mi_compute
from radon.raw import analyze
from radon.visitors import ComplexityVisitor, Function

ROOT = Path(__file__).resolve().parent.parent

PACKAGES: Mapping[str, frozenset[str]] = {
    "pytorch": frozenset({"torch"}),
    "tensorflow": frozenset({"tensorflow"}),
    "keras": frozenset({"keras"}),
    "jax": frozenset({"jax", "flax", "optax"}),
}
"""What is imported of each framework that has an implementation."""
NETWORKS = ("listing1", "listing3", "rosetta", "resnet20")
"""Of those that differ in more than their widths."""
TOPICS = ("mode", "precision", "optimizer")
"""What a user may want to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Of a piece of source text."""

    lines: int
    """As formatted: neither blank nor comment nor docstring."""
    statements: int
    """Logical lines."""
    complexity: int
    """Cyclomatic, the sum over functions and methods (McCabe 1976)."""
    volume: float
    """Halstead's (1977). radon counts operators of Python only, so calls weigh nothing."""
    maintainability: float
    """0 to 100, from the three above (Oman and Hagemeister 1992)."""
    names: frozenset[str]
    """Of the framework, with their modules: ``torch.nn.functional.relu``."""

    @property
    def modules(self) -> frozenset[str]:
        """Where the names come from: the layers of the interface that are mixed."""
        return frozenset(name.rpartition(".")[0] for name in self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Of one framework."""

    networks: Mapping[str, Metrics]
    """By name, in the order of ``NETWORKS``."""
    everything: Metrics
    """Of ``networks.py`` and ``trainer.py`` together."""
    changed: int
    """Lines to take away or put in to make ``listing3`` of ``listing1``."""
    statements: Mapping[str, int]
    """Of ``trainer.py``, by topic: those that speak of it."""

    def spread(self) -> float:
        """How unlike a framework's own networks are: the mean coefficient of variation, 0 and up.

        Of lines, statements, complexity, names and modules of the networks.
        """
        rows = np.array(
            [
                (of.lines, of.statements, of.complexity, len(of.names), len(of.modules))
                for of in self.networks.values()
            ],
            dtype=np.float64,
        )
        return float(np.mean(rows.std(axis=0, ddof=1) / rows.mean(axis=0)))


def read(framework: str, root: Path = ROOT) -> Source:
    """Measure the implementation of ``framework`` under ``root``.

    Raises ``OSError`` if there is none, ``KeyError`` for a framework that ``PACKAGES`` lacks or an
    implementation without one of ``NETWORKS``.
    """
    packages = PACKAGES[framework]
    folder = root / "impls" / framework
    networks, trainer = (
        _Module.parse((folder / name).read_text(encoding="utf-8"), packages)
        for name in ("networks.py", "trainer.py")
    )
    texts = {name: networks.of(networks.entries()[name]) for name in NETWORKS}
    first, last = (texts[name].splitlines() for name in ("listing1", "listing3"))
    return Source(
        networks={name: _measure(text, networks) for name, text in texts.items()},
        everything=_measure(f"{networks.text()}\n{trainer.text()}", networks, trainer),
        changed=changed(first, last),
        statements={topic: trainer.speaking_of(topic) for topic in TOPICS},
    )


def changed(before: Sequence[str], after: Sequence[str]) -> int:
    """Lines taken away and lines put in."""
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    return sum(
        (i2 - i1) + (j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """A file: its syntax tree, its lines of code, and what framework names are called in it."""

    tree: ast.Module
    lines: Mapping[int, str]
    """By number; without docstrings, comments that stand alone, and blank lines."""
    aliases: Mapping[str, str]
    """Of imports: ``F`` to ``torch.nn.functional``."""

    @classmethod
    def parse(cls, text: str, packages: frozenset[str]) -> "_Module":
        tree = ast.parse(text)
        prose = {line for node in _docstrings(tree) for line in _span(node)}
        return cls(
            tree=tree,
            lines={
                number: line
                for number, line in enumerate(text.splitlines(), start=1)
                if number not in prose and line.strip() and not line.lstrip().startswith("#")
            },
            aliases={
                name: full for name, full in _imports(tree) if full.partition(".")[0] in packages
            },
        )

    def text(self) -> str:
        return "\n".join(self.lines.values())

    def entries(self) -> dict[str, str]:
        """The table ``NETWORKS``: each network's name, and the class or function that makes it."""
        (table,) = (
            node.value
            for node in self.tree.body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "NETWORKS"
            and isinstance(node.value, ast.Dict)
        )
        return {
            ast.literal_eval(key): _maker(value)
            for key, value in zip(table.keys, table.values, strict=True)
            if key is not None
        }

    def of(self, name: str) -> str:
        """Lines of a definition and of all that it needs of the same file."""
        definitions = {
            node.name: node
            for node in self.tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
        }
        needed, found = [name], set()
        while needed:
            node = definitions[needed.pop()]
            found.add(node.name)
            mentioned = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            needed += sorted((mentioned & definitions.keys()) - found)
        numbers = {line for one in found for line in _span(definitions[one])}
        return "\n".join(line for number, line in self.lines.items() if number in numbers)

    def speaking_of(self, topic: str) -> int:
        """How many statements have ``topic`` in a name, or its plural, without what they hold."""
        wanted = {topic, f"{topic}s"}
        return sum(
            any(wanted & set(word.lower().split("_")) for word in _words(statement))
            for statement in ast.walk(self.tree)
            if isinstance(statement, ast.stmt)
            and not isinstance(statement, ast.Import | ast.ImportFrom)
        )


def _measure(text: str, *modules: _Module) -> Metrics:
    # Each of these once; radon's functions of the text parse it, and count, once more each.
    tree, raw = ast.parse(text), analyze(text)
    visited = ComplexityVisitor.from_ast(tree)
    volume = h_visit_ast(tree).total.volume
    comments = 100 * raw.comments / raw.sloc if raw.sloc else 0
    aliases = {name: full for module in modules for name, full in module.aliases.items()}
    return Metrics(
        lines=raw.sloc,
        statements=raw.lloc,
        # Blocks are classes, too, whose complexity is that of their methods once more.
        complexity=sum(of.complexity for of in visited.blocks if isinstance(of, Function)),
        volume=volume,
        maintainability=mi_compute(volume, visited.total_complexity, raw.lloc, comments),
        names=frozenset(_names(tree, aliases)),
    )


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that imports at the top bind, and what they stand for."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield name, alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _names(tree: ast.AST, aliases: Mapping[str, str]) -> Iterator[str]:
    """Framework names as far as they are spelled out, longest first: not ``torch.nn`` alone."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if id(node) not in inner and (dotted := _dotted(node)):
            root, _, rest = dotted.partition(".")
            if root in aliases:
                yield f"{aliases[root]}.{rest}" if rest else aliases[root]


def _dotted(node: ast.AST) -> str:
    """``a.b.c`` as text; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _maker(value: ast.expr) -> str:
    """The name in ``Listing1``, or in ``partial(ResNet, ...)``."""
    made = value.args[0] if isinstance(value, ast.Call) else value
    if not isinstance(made, ast.Name):
        raise TypeError(f"line {value.lineno}: neither a name nor a partial of one")
    return made.id


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that are nothing but a text: docstrings, and those below an attribute."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node


def _span(node: ast.stmt) -> range:
    """Numbers of a statement's lines, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return range(first, (node.end_lineno or node.lineno) + 1)


def _words(statement: ast.stmt) -> Iterator[str]:
    """Names in a statement itself: of a compound one its head, not what it holds."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        waiting += [
            child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)
        ]
