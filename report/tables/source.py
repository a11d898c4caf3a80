"""The implementations as source text."""

from report.beside import sources
from report.proxies import PROXIES, Proxy
from report.source import PACKAGES
from report.tables.columns import Cell, Column, Table, frame, text

KEY = "source"


def table(frameworks: frozenset[str]) -> Table:
    """A row for each of ``frameworks`` that has an implementation here."""
    columns = (
        Column(keys=("framework",), title="framework", show=text),
        *(_column(proxy) for proxy in PROXIES),
    )
    of = sources().result() if frameworks else {}
    rows = [
        {"framework": name, **{proxy.key: float(proxy.value(of[name])) for proxy in PROXIES}}
        for name in sorted(PACKAGES)
        if name in frameworks
    ]
    return Table(
        key=KEY,
        title="Source text of this checkout, as a proxy for style",
        columns=columns,
        rows=frame(rows, columns),
        page_only=True,
    )


def _column(proxy: Proxy) -> Column:
    def show(value: float) -> Cell:
        return f"{value:.{proxy.digits}f}", ""

    return Column(
        keys=(proxy.key,),
        title=proxy.title,
        show=show,
        better="lower",
        meaning=proxy.meaning,
    )
