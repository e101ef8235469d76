"""Profiles, newest times and freshness over lakes whose answers are known."""

from __future__ import annotations

from datetime import UTC, datetime

from millpond.catalog.verdict_log import verdict_log
from millpond.core.names import TableName
from millpond.pipeline.freshness import Freshness, freshness
from millpond.quality.examination import Examination
from millpond.quality.profiles import Profiles
from millpond.quality.scores import scores
from millpond.testing import TemporaryLake, temporary_lake

T = TableName("silver", "t")
BASE = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/t.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
}


def project(query: str, matter: str = "kind: append\nkey: [id]\n") -> dict[str, str]:
    """A project with one model over one source."""
    return {**BASE, "models/silver/t.sql": f"/*---\n{matter}---*/\n{query}\n"}


def examination(lake: TemporaryLake) -> Examination:
    """Who looks at the lake's tables."""
    house = lake.lakehouse
    return Examination(
        house.project, house.catalog, house.gate, house.principal, Profiles(house.project.state / "profiles.db")
    )


def fresh(lake: TemporaryLake) -> Freshness:
    """The freshness of the model's table."""
    house = lake.lakehouse
    (found,) = [f for f in freshness(house.project, house.catalog, house.runner, lake.clock.now()) if f.table == T]
    return found


def test_values_of_every_kind_are_described() -> None:
    """Infinities, NaN, nested values, all NULL, odd names: nothing fails, and numbers count where finite."""
    query = (
        'SELECT id::BIGINT AS id, a::DOUBLE AS "a ""b""", [a] AS nested, NULLIF(a, a)::INTEGER AS nothing FROM bronze.t'
    )
    with temporary_lake(project(query)) as lake:
        lake.deliver("data/a.csv", "id,a\n1,1.5\n2,inf\n3,nan\n4,2.5\n5,\n")
        assert lake.run().ok
        found, _ = examination(lake).profile(T, lake.lakehouse.catalog.head())
        odd = found.column('a "b"')
        assert (found.rows, odd.nulls, odd.distinct, float(odd.mean)) == (5, 1, 4, 2.0)
        assert (found.column("nested").distinct, found.column("nested").nulls) == (None, 0)
        assert (found.column("nothing").nulls, found.column("nothing").distinct) == (5, 0)


def test_many_distinct_values_are_estimated_and_unique_ones_counted() -> None:
    """Above the bound the count is near and says so; a check `unique` is only suggested on an exact count."""
    with temporary_lake(
        project("SELECT id::BIGINT AS id, id::BIGINT AS other FROM bronze.t", "kind: replace\n")
    ) as lake:
        lake.deliver("data/a.csv", "id\n" + "".join(f"{number}\n" for number in range(20_000)))
        assert lake.run().ok
        head = lake.lakehouse.catalog.head()
        found, suggested = examination(lake).suggest(T, head)
        column = found.column("other")
        assert not column.exact
        assert column.distinct is not None
        assert 16_000 < column.distinct <= 20_000
        assert column.top == ()
        assert [dict(one.entry) for one in suggested if "unique" in one.entry] == [
            {"unique": "id"},
            {"unique": "other"},
        ]


def test_profiles_are_kept_by_commit() -> None:
    """An earlier commit has its own, and is told of beside the newest."""
    with temporary_lake(project("SELECT id::BIGINT AS id FROM bronze.t")) as lake:
        lake.deliver("data/a.csv", "id\n1\n")
        assert lake.run().ok
        first = lake.lakehouse.catalog.head()
        assert examination(lake).profile(T, first)[0].rows == 1
        lake.deliver("data/b.csv", "id\n2\n3\n")
        assert lake.run().ok
        found, earlier = examination(lake).profile(T, lake.lakehouse.catalog.head())
        assert (found.rows, [one.rows for one in earlier]) == (3, [1])
        assert examination(lake).profile(T, first)[0].rows == 1


def test_the_newest_time_is_told_by_partition() -> None:
    """The newest partition first, each with its rows and newest time."""
    query = "SELECT id::BIGINT AS id, at::TIMESTAMP AS at FROM bronze.t"
    with temporary_lake(project(query, "kind: append\nkey: [id]\npartition: [day(at)]\n")) as lake:
        lake.deliver("data/a.csv", "id,at\n1,2026-01-01 10:00:00\n2,2026-01-01 12:00:00\n3,2026-01-03 01:00:00\n")
        assert lake.run().ok
        found = examination(lake).newest(T, lake.lakehouse.catalog.head())
        assert [(part.rows, part.newest) for part in found] == [
            (1, datetime(2026, 1, 3, 1, tzinfo=UTC)),
            (2, datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ]
        assert next(iter(found[1].partition.values())) == datetime(2026, 1, 1)


def test_what_is_behind_says_since_when() -> None:
    """Not built, current, behind by a change that was landed alone, and current again."""
    with temporary_lake(project("SELECT id::BIGINT AS id FROM bronze.t")) as lake:
        lake.deliver("data/a.csv", "id\n1\n")
        assert fresh(lake).state == "not built"
        assert lake.run().ok
        assert (fresh(lake).state, fresh(lake).causes) == ("current", ())
        lake.clock.advance(hours=1)
        landed = lake.clock.now()
        lake.deliver("data/b.csv", "id\n2\n")
        assert lake.run("bronze.t").ok
        lake.clock.advance(hours=1)
        (cause,) = fresh(lake).causes
        assert (fresh(lake).state, cause.kind, cause.since) == ("behind", "step", landed)
        assert lake.run().ok
        assert fresh(lake).state == "current"


def test_an_open_circuit_and_a_changed_model_are_causes() -> None:
    """Both call for attention."""
    matter = "kind: append\nkey: [id]\nchecks:\n  - between: {id: [0, 10]}\nbreaker: {max_failed: 20%, after: 1}\n"
    with temporary_lake(project("SELECT id::BIGINT AS id FROM bronze.t", matter)) as lake:
        lake.deliver("data/a.csv", "id\n1\n99\n98\n")
        assert lake.run().ok
        found = fresh(lake)
        assert [cause.kind for cause in found.causes] == ["circuit", "quarantine"]
        assert found.attention
        lake.write("models/silver/t.sql", f"/*---\n{matter}---*/\nSELECT id::BIGINT + 1 AS id FROM bronze.t\n")
        assert ("model", "MP-7010") in [(cause.kind, cause.code) for cause in fresh(lake).causes]


def test_scores_add_up_over_steps_and_a_restore_steps_over_some() -> None:
    """Two of three, then one of one: three of four over both steps, each step with its own."""
    matter = "kind: append\nkey: [id]\nchecks:\n  - between: {id: [0, 10]}\n"
    with temporary_lake(project("SELECT id::BIGINT AS id FROM bronze.t", matter)) as lake:
        lake.deliver("data/a.csv", "id\n1\n2\n99\n")
        assert lake.run().ok
        first = lake.lakehouse.catalog.head()
        lake.deliver("data/b.csv", "id\n3\n")
        assert lake.run().ok

        def found() -> tuple[float | None, list[float | None]]:
            told = scores(verdict_log(lake.lakehouse.catalog, 10, T))[T]
            (check,) = [check for check in told.checks if check.rule == "between:id"]
            return check.score, [point.score for point in check.points]

        assert found() == (0.75, [2 / 3, 1.0])
        told = scores(verdict_log(lake.lakehouse.catalog, 1, T))[T]
        assert told.score == 1.0
        lake.lakehouse.restore(first)
        assert found() == (2 / 3, [2 / 3])
