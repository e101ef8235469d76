"""Where tables may lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.catalog.warehouse import Warehouse
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.project.model import Project
from millpond.project.settings import ProjectSettings


def test_places_under_the_root_are_taken_as_plain_paths(tmp_path: Path) -> None:
    """A path, a file URL with one slash or three, with or without a slash at the end."""
    warehouse = Warehouse(str(tmp_path))
    place = f"{tmp_path}/silver/t-1"
    for written in (place, f"{place}/", f"file://{place}", f"file:{place}", f"FILE://localhost{place}"):
        assert warehouse.check(written) == place


def test_the_root_may_be_relative_or_a_file_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is always kept as an absolute plain path."""
    monkeypatch.chdir(tmp_path)
    assert Warehouse("lake").root == f"{tmp_path}/lake"
    assert Warehouse("./x/../lake/").root == f"{tmp_path}/lake"
    assert Warehouse(f"file://{tmp_path}/lake").root == f"{tmp_path}/lake"


def test_new_tables_lie_in_their_layer_by_name_and_uuid(tmp_path: Path) -> None:
    """Names that no folder should have are written otherwise."""
    warehouse = Warehouse(str(tmp_path))
    assert warehouse.fresh(TableName("silver", "positions"), "0a1b2c3d-4e5f") == f"{tmp_path}/silver/positions-0a1b2c3d"
    assert warehouse.fresh(TableName("my s", "é / ü"), "0a1b2c3d4e") == f"{tmp_path}/my_s/_-0a1b2c3d"


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_chosen_place_is_one_that_is_allowed(layer: str, name: str) -> None:
    """Whatever a table is called."""
    warehouse = Warehouse("/warehouse")
    assert warehouse.check(warehouse.fresh(TableName(layer, name), "0a1b2c3d4e5f")).startswith("/warehouse/")


@given(st.text(alphabet=st.sampled_from("./ab%~\\:?#\x00\n"), max_size=30))
def test_no_text_leads_out_of_the_root(tail: str) -> None:
    """What is accepted normalises to itself, under the root."""
    warehouse = Warehouse("/warehouse/lake")
    for location in (tail, f"/warehouse/lake/{tail}", f"file:///warehouse/lake/{tail}"):
        try:
            path = warehouse.check(location)
        except CatalogError:
            continue
        assert path.startswith("/warehouse/lake/")
        assert str(Path(path)) == path
        assert ".." not in Path(path).parts


def test_write_paths_stay_in_the_table(tmp_path: Path) -> None:
    """Every property that names a place to write is looked at; others are not."""
    warehouse = Warehouse(str(tmp_path))
    own = f"{tmp_path}/silver/t-1"
    warehouse.check_properties({"write.data.path": f"{own}/data", "write.format.default": "../x"}, own)
    warehouse.check_properties({"comment": "s3://x", "write.metadata.path": own}, own)
    for key in ("write.data.path", "write.metadata.path", "write.object-storage.path", "write.x.y.location"):
        for place in (f"{tmp_path}/silver/other", "s3://bucket", "", "data"):
            with pytest.raises(CatalogError):
                warehouse.check_properties({key: place}, own)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file in the way is named."""
    (tmp_path / "silver").write_text("a file")
    with pytest.raises(CatalogError) as refused:
        Warehouse(str(tmp_path)).prepare(f"{tmp_path}/silver/t-1")
    assert refused.value.code == "MP-3017"


def test_a_layer_may_have_a_root_of_its_own(tmp_path: Path) -> None:
    """New tables go there, and a client's location must lie there; where no layer is asked for, any root will do."""
    warehouse = Warehouse(f"{tmp_path}/lake", {"bronze": f"{tmp_path}/raw", "gold": f"file://{tmp_path}/lake"})
    assert warehouse.roots == (f"{tmp_path}/lake", f"{tmp_path}/raw")
    assert warehouse.fresh(TableName("bronze", "t"), "0a1b2c3d") == f"{tmp_path}/raw/bronze/t-0a1b2c3d"
    assert warehouse.fresh(TableName("silver", "t"), "0a1b2c3d") == f"{tmp_path}/lake/silver/t-0a1b2c3d"
    for place in ("raw/bronze/t", "lake/silver/t"):
        assert warehouse.check(f"{tmp_path}/{place}") == f"{tmp_path}/{place}"
        assert warehouse.holding(f"{tmp_path}/{place}") == f"{tmp_path}/{place.split('/')[0]}"
    for place, layer in (("lake/bronze/t", "bronze"), ("raw/silver/t", "silver"), ("elsewhere/t", None)):
        with pytest.raises(CatalogError) as refused:
            warehouse.check(f"{tmp_path}/{place}", layer)
        assert refused.value.code == "MP-3016"


def test_a_root_inside_another_is_the_one_that_counts(tmp_path: Path) -> None:
    """The innermost root that holds a path is its root."""
    warehouse = Warehouse(str(tmp_path), {"bronze": f"{tmp_path}/raw"})
    assert warehouse.holding(f"{tmp_path}/raw/bronze/t") == f"{tmp_path}/raw"
    assert warehouse.holding(f"{tmp_path}/silver/t") == str(tmp_path)


@pytest.mark.parametrize("place", [{"root": "s3://bucket/lake"}, {"layers": {"bronze": "gs://bucket"}}])
def test_object_stores_are_refused(place: dict[str, Any], tmp_path: Path) -> None:
    """Never taken for a folder of the project with an odd name."""
    settings = ProjectSettings.model_validate({"version": 1, "name": "p", "storage": place})
    with pytest.raises(CatalogError) as refused:
        Warehouse.of(Project(tmp_path, settings, "prod", {}, (), ()))
    assert refused.value.code == "MP-3055"


@pytest.mark.parametrize(
    ("catalog", "step"),
    [
        ("/home/ada/copy/.millpond/catalog.db", "or remove the folder .millpond here, and"),
        ("postgresql://db.example:5432/lake", "or name a catalog of its own in catalog.url"),
    ],
)
def test_a_copy_is_told_what_helps_where_its_catalog_is(catalog: str, step: str) -> None:
    """Nothing in the project's folder is to blame for a catalog that lies elsewhere."""
    warehouse = Warehouse("/home/ada/copy/lake", folder="/home/ada/copy", inside=["lake"])
    with pytest.raises(CatalogError) as refused:
        warehouse.check_home("/home/ada/shop/lake/silver/t-1", catalog)
    assert refused.value.code == "MP-3058"
    assert step in refused.value.finding.next_step
