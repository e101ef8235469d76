"""What `millpond.yaml` may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from millpond.project.naming import NamePattern

T = TypeVar("T")

FORMAT_VERSION = 1
"""The version of the project format that this release reads."""


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) or value is None else [value]


LayerName = Literal["bronze", "silver", "gold", "platinum", "quarantine"]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _ListOrItem:
    """Tells JSON Schema that the item alone will do."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        return {"anyOf": [schema["items"], schema]}


OneOrMore = Annotated[tuple[T, ...], BeforeValidator(_as_list), _ListOrItem()]
"""A list in which a single entry may be written without brackets."""


class Declared(BaseModel):
    """A frozen record read from YAML; unknown keys are refused, an empty section means its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, data: Any) -> Any:
        return {} if data is None else data


class StorageSettings(Declared):
    """Where tables live."""

    root: str = Field(
        ".millpond/lake", min_length=1, description="Folder that holds the tables' files, relative to the project."
    )
    layers: dict[LayerName, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict, description="Folders of layers that are to lie elsewhere: the layer's name and its root."
    )


class CatalogSettings(Declared):
    """Where pointers live."""

    url: str = Field(
        ".millpond/catalog.db",
        min_length=1,
        repr=False,
        description="Pointer store: a SQLite file, relative to the project, or postgresql://USER:${PASSWORD}@HOST/DATABASE.",
    )


class EngineSettings(Declared):
    """What the embedded engine may use."""

    kind: Literal["duckdb"] = Field("duckdb", description="The engine that runs models.")
    memory: str | None = Field(
        None,
        pattern=r"^[0-9]+(\.[0-9]+)? ?[kKmMgGtT]i?[bB]$",
        description="Most memory, such as 500MB or 4GB; by default 60 % of what the machine has.",
        json_schema_extra={"patternErrorMessage": "a number with a unit, such as 500MB or 4GB"},
    )
    threads: Annotated[int, Field(ge=1)] | None = Field(None, description="Most threads; by default one for each core.")
    extensions: OneOrMore[Literal["spatial"]] = Field(
        (), description="Extensions of DuckDB that queries need; `spatial` brings the functions that begin with ST_."
    )


Duration = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,6} ?[mhd]$",
        json_schema_extra={"patternErrorMessage": "a number of minutes, hours or days, such as 30m, 24h or 7d"},
    ),
]


class RetentionSettings(Declared):
    """How long past states of tables can be read. A state that a consumer has yet to read from, or a tag, stays."""

    all: Duration = Field("24h", description="Every commit of this last time.")
    hourly: Duration = Field("7d", description="One state for each full hour of this last time.")
    daily: Duration = Field("30d", description="One state for each full day (in UTC) of this last time.")
    orphans: Duration = Field(
        "24h", description="Files that no table names are removed when they are older; longer than the longest step."
    )


class QuarantineSettings(Declared):
    """How quarantined records are looked after."""

    review_by: Duration = Field(
        "24h", description="How long a record may wait in quarantine until it is fixed, replayed or discarded."
    )


_EVER = 200 * 365 * 86400
"""No lake is that old, and every calendar goes back so far."""


def seconds(duration: str) -> int:
    """A duration such as 30m, 24h or 7d in seconds. A longer one than two hundred years is taken for that: for ever."""
    return min(int(duration[:-1]) * {"m": 60, "h": 3600, "d": 86400}[duration[-1]], _EVER)


class EnvironmentSettings(Declared):
    """One environment: variables that differ there."""

    variables: dict[VariableName, str] = Field(
        default_factory=dict, description="Variables that replace the project's."
    )


class ProjectSettings(Declared):
    """The file `millpond.yaml` at the root of a project."""

    version: Literal[1] = Field(description="Version of the project format.")
    name: str = Field(
        pattern=r"^[a-z][a-z0-9_-]*$",
        description="Name of the project.",
        json_schema_extra={"patternErrorMessage": "lower case letters, digits, - and _, with a letter first"},
    )
    storage: StorageSettings = Field(default_factory=StorageSettings, description="Where tables live.")
    catalog: CatalogSettings = Field(default_factory=CatalogSettings, description="Where pointers live.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="What the engine may use.")
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="How long past states of tables can be read."
    )
    quarantine: QuarantineSettings = Field(
        default_factory=QuarantineSettings, description="How quarantined records are looked after."
    )
    environments: dict[EnvironmentName, EnvironmentSettings] = Field(
        default_factory=lambda: {"prod": EnvironmentSettings()}, description="Named environments."
    )
    variables: dict[VariableName, str] = Field(
        default_factory=dict, description="Values for ${NAME}; --var k=v and the process environment come first."
    )
    naming: dict[Literal["bronze", "silver", "gold", "platinum"], NamePattern] = Field(
        default_factory=dict,
        description="How tables must be called: a layer and the regular expression that each whole name in it matches.",
    )
    time_zone: str = Field("UTC", description="IANA zone for day and hour buckets.")
