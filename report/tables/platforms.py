"""Where frameworks install."""

from report.platforms import load
from report.tables.columns import Column, Table, frame, text

KEY = "platforms"


def table(frameworks: frozenset[str]) -> Table:
    """A row for each of ``frameworks`` and platform; none where nobody asked."""
    found = load()
    columns = (
        Column(keys=("framework",), title="framework", show=text),
        Column(keys=("platform",), title="platform", show=text),
        Column(
            keys=("plain",),
            title="installs",
            show=text,
            meaning="wheels of the current release and all that they need, as the package index "
            "had them on that day, for Python "
            + ("" if found is None else f"{found.python} and macOS {found.macos}"),
        ),
        Column(
            keys=("cuda",),
            title="with CUDA",
            show=text,
            meaning="and NVIDIA's libraries from the same index",
        ),
        Column(keys=("date",), title="asked on", show=text),
    )
    answers = {
        (row.framework, row.platform, row.cuda): ", ".join(
            f"{name} {version}" for name, version in row.versions.items()
        )
        for row in (found.rows if found else ())
        if row.framework in frameworks
    }
    rows = [
        {
            "framework": framework,
            "platform": platform,
            "plain": answers[framework, platform, False] or "no",
            "cuda": answers.get((framework, platform, True)) or "no",
            "date": found.date if found else "",
        }
        for framework, platform, cuda in answers
        if not cuda
    ]
    return Table(
        key=KEY,
        title="Where they install",
        columns=columns,
        rows=frame(rows, columns),
        page_only=True,
    )
