"""Seeds: small CSV files of the project become bronze tables, and what is wrong with them is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import FindingsError
from millpond.project.loader import load
from millpond.testing import temporary_lake

PROJECT = {"millpond.yaml": "version: 1\nname: shop\n"}
MODEL = "SELECT code, upper(name) AS name FROM bronze.countries"


def faults(folder: Path, seed: str, name: str = "countries.csv") -> list[tuple[str, int, int]]:
    """Code, line and column of everything that is wrong with a seed."""
    (folder / "seeds").mkdir()
    (folder / "millpond.yaml").write_text(PROJECT["millpond.yaml"])
    (folder / "seeds" / name).write_text(seed)
    try:
        load(folder, environ={})
    except FindingsError as wrong:
        return [(f.code, f.where.line, f.where.column) for f in wrong.findings if f.where]
    return []


def test_a_seed_becomes_a_table_that_models_read_and_follows_its_file() -> None:
    """Each run gives what the file holds: after a change, after the change is taken back, and nothing twice."""
    first, second = "code,name\nDE,germany\nFR,france\n", "code,name\nDE,germany\nIT,italy\n"
    with temporary_lake({**PROJECT, "seeds/countries.csv": first, "models/silver/lands.sql": MODEL}) as lake:
        for content, names in (
            (first, ["FRANCE", "GERMANY"]),
            (second, ["GERMANY", "ITALY"]),
            (first, ["FRANCE", "GERMANY"]),
        ):
            lake.write("seeds/countries.csv", content)
            lake.run()
            lake.run()
            assert [row["name"] for row in lake.rows("SELECT name FROM silver.lands ORDER BY name")] == names


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        ("code,name\nDE,germany\n", []),
        ('code,name\r\nDE,"a, ""b""\nc"\r\n\r\nFR,f', []),
        ("", [("MP-1300", 1, 0)]),
        ("code,,Code\n", [("MP-1301", 1, 6), ("MP-1301", 1, 7)]),
        ("code,_load\n", [("MP-1301", 1, 6)]),
        ("code,name\nDE,a,b\nFR\n", [("MP-1302", 2, 6), ("MP-1302", 3, 1)]),
        ('code,name\n"D\nE",x\nFR,f,f\n', [("MP-1302", 4, 6)]),
        ('code,name\nDE,"ger\n', [("MP-1303", 2, 4)]),
        ('code,name\nDE,"ger"x\n', [("MP-1303", 2, 4)]),
    ],
)
def test_faults_of_a_seed_are_told_at_line_and_column(
    tmp_path: Path, seed: str, expected: list[tuple[str, int, int]]
) -> None:
    """The field that is wrong is the place, also below fields of several lines."""
    assert faults(tmp_path, seed) == expected


def test_a_seed_with_a_name_that_is_no_tables_is_refused(tmp_path: Path) -> None:
    """It is the same rule as for sources and models."""
    assert faults(tmp_path, "a\n1\n", "My Countries.csv") == [("MP-1016", 0, 0)]
