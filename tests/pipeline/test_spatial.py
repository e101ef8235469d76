"""Places: a project that asks for DuckDB's extension spatial finds points in polygons."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import AccessError, EngineError
from millpond.testing import temporary_lake
from tests.cli.conftest import Type, type_

__all__ = ["type_"]

SETTINGS = "version: 1\nname: places\n"
SPATIAL = SETTINGS + "engine: {extensions: spatial}\n"
FILES = {
    "seeds/zones.csv": 'zone,boundary\nwest,"POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))"\n'
    'east,"POLYGON((2 0, 4 0, 3 2, 2 0))"\n',
    "seeds/points.csv": "id,x,y\n1,1,1\n2,3,1\n3,2.1,1.9\n4,0,0\n5,9,9\n",
    "models/silver/placed.sql": "/*---\nkind: append\nkey: id\n---*/\n"
    "SELECT id::INT AS id, ST_AsWKB(ST_Point(x::DOUBLE, y::DOUBLE)) AS point FROM bronze.points",
    "models/gold/found.sql": "/*---\nkind: replace\nkey: id\n---*/\n"
    "SELECT p.id, z.zone FROM silver.placed AS p JOIN bronze.zones AS z\n"
    "ON ST_Contains(ST_GeomFromText(z.boundary), ST_GeomFromWKB(p.point))",
}


def test_points_are_found_in_the_polygons_that_they_lie_in() -> None:
    """On the edge is outside, as the standard's Contains has it; the triangle's slope counts."""
    with temporary_lake({"millpond.yaml": SPATIAL, **FILES}) as lake:
        lake.run()
        assert lake.rows("FROM gold.found ORDER BY id") == [{"id": 1, "zone": "west"}, {"id": 2, "zone": "east"}]
        (model, _) = lake.lakehouse.runner.graph().models
        assert model.incremental


def test_the_query_door_measures_but_reads_no_files() -> None:
    """What computes from its arguments is allowed; what opens files, or may, is refused."""
    with temporary_lake({"millpond.yaml": SPATIAL, **FILES}) as lake:
        lake.run()
        asked = "SELECT ST_Area(ST_GeomFromText(boundary)) AS area FROM bronze.zones ORDER BY area"
        assert lake.rows(asked) == [{"area": 2.0}, {"area": 4.0}]
        for refused in (
            "FROM ST_Read('/etc/passwd')",
            "SELECT ST_AsText(ST_Transform(ST_Point(1, 2), '+proj=longlat +nadgrids=/etc/passwd', 'EPSG:4326'))",
        ):
            with pytest.raises(AccessError) as told:
                lake.rows(refused)
            assert told.value.finding.code == "MP-8006"


def test_a_project_that_does_not_ask_for_it_is_told_how(type_: Type, tmp_path: Path) -> None:
    """At the author's own place in check, and at the query door."""
    for name, text in {"millpond.yaml": SETTINGS, **FILES}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = type_("check", "--project", str(tmp_path), "--json")
    assert said.code == 2
    (first, *_) = said.objects()
    assert (first["code"], Path(first["file"]).name, first["line"], first["column"]) == ("MP-4005", "placed.sql", 5, 32)
    assert first["next_step"] == "write in millpond.yaml: engine: {extensions: [spatial]}"
    with temporary_lake({"millpond.yaml": SETTINGS}) as lake, pytest.raises(EngineError) as told:
        lake.rows("SELECT ST_Area(NULL)")
    assert told.value.finding.code == "MP-4005"


def test_a_geometry_itself_is_no_column_of_a_table(type_: Type, tmp_path: Path) -> None:
    """Iceberg v2 has no type for it; the next step names one that it has."""
    model = "/*---\nkind: append\nkey: id\n---*/\nSELECT id, ST_Point(x::DOUBLE, y::DOUBLE) AS point FROM bronze.points"
    for name, text in {"millpond.yaml": SPATIAL, **FILES, "models/silver/placed.sql": model}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = type_("check", "--project", str(tmp_path), "--json")
    assert said.code == 2
    assert any("ST_AsWKB" in str(found["message"]) for found in said.objects())
