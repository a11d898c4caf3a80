"""Write a report into its folder.

``index.html`` for readers, ``report.md`` with its figures for a repository, ``tables/*.csv`` and
``summary.json`` for programs.
"""

import json
import re
from pathlib import Path
from typing import Any

from bench import files
from bench.errors import UserError
from report import beside, html, markdown
from report.figure import KINDS
from report.language import Catalogue
from report.overview import FIGURES, TABLES, Report, csv_of
from report.sections import TABLE_KEYS, Section
from report.tables import claims
from report.tables.columns import Table, as_json

REPORT = "report.md"
PAGE = "index.html"
SUMMARY = "summary.json"


def write_report(report: Report, folder: Path) -> None:
    """Write a report into ``folder``, replacing older ones.

    Every file is whole at any time. Raises ``UserError`` when the folder cannot be written to.
    """
    tables = {
        csv_of(number, table): _csv(section, table)
        for number, section in enumerate(report.sections, start=1)
        for table in section.tables
    }
    figures = {
        f"{FIGURES}/{number}-{figure.key}.svg": figure.alone
        for number, of_section in enumerate(report.figures, start=1)
        for figure in of_section
    }
    drawn = beside.drawn(list(figures.values()))
    written = {
        **tables,
        SUMMARY: json.dumps(_summary(report), indent=1, allow_nan=False) + "\n",
        REPORT: markdown.page(report),
        PAGE: html.page(report, Catalogue.load("zh")),
        **dict(zip(figures, drawn.result(), strict=True)),
    }
    try:
        for name in (TABLES, FIGURES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            files.replace(folder / name, text)
        for path in (*folder.glob(f"{TABLES}/*.csv"), *folder.glob(f"{FIGURES}/*.svg")):
            name = path.relative_to(folder).as_posix()
            if name not in written and _OURS.fullmatch(name):
                path.unlink()
    except OSError as error:
        raise UserError(f"{folder}: cannot write the report ({error.strerror})") from None


_OURS = re.compile(
    rf"{TABLES}/\d+-({'|'.join(TABLE_KEYS)})\.csv|{FIGURES}/\d+-({'|'.join(KINDS)})-[\w.-]+\.svg"
)
"""Names of what earlier reports left; other files in the folder are not ours to delete."""


def _summary(report: Report) -> dict[str, Any]:
    """Verdicts and their conditions, for programs; what is not known is null."""
    return {
        "run": report.name,
        "status": report.status,
        "warnings": list(report.warnings),
        "sections": [
            {
                "identity": {key: as_json(value) for key, value in section.identity.items()},
                **{
                    key: [
                        {name: as_json(value) for name, value in row.items()}
                        for row in section[key].rows.to_dict("records")
                    ]
                    for key in (claims.KEY, claims.CONDITIONS_KEY)
                },
            }
            for section in report.sections
        ],
    }


def _csv(section: Section, table: Table) -> str:
    """Render as CSV the rows, each with what identifies its section."""
    keys = dict.fromkeys(key for column in table.columns for key in column.keys)
    rows = table.rows[list(keys)].copy()
    for place, (key, value) in enumerate(section.identity.items()):
        rows.insert(place, key, value)
    for key in rows.select_dtypes("str").columns:
        # A spreadsheet would run text that begins like a formula.
        rows[key] = rows[key].str.replace(r"^(?=[=+\-@])", "'", regex=True)
    return rows.to_csv(index=False, lineterminator="\n")
