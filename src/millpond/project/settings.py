"""What `millpond.yaml` may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Declared(BaseModel):
    """A frozen record read from YAML; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class StorageSettings(Declared):
    """Where tables live."""

    root: str = Field(".millpond/lake", description="Folder or object-store URL that holds every table's files.")


class CatalogSettings(Declared):
    """Where pointers live."""

    url: str = Field(
        ".millpond/catalog.db",
        description="SQLite file of the pointer store, relative to the project.",
    )


class EngineSettings(Declared):
    """What the embedded engine may use."""

    kind: Literal["duckdb"] = Field("duckdb", description="The engine that runs models.")
    memory: str | None = Field(
        None, description="Most memory, such as 500MB or 4GB; by default 60 % of what the machine has."
    )
    threads: Annotated[int, Field(ge=1)] | None = Field(None, description="Most threads; by default one for each core.")


class EnvironmentSettings(Declared):
    """One environment: variables that differ there."""

    variables: dict[str, str] = Field(default_factory=dict, description="Variables that replace the project's.")


class ProjectSettings(Declared):
    """The file `millpond.yaml` at the root of a project."""

    version: Literal[1] = Field(description="Version of the project format.")
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$", description="Name of the project.")
    storage: StorageSettings = Field(default_factory=StorageSettings, description="Where tables live.")
    catalog: CatalogSettings = Field(default_factory=CatalogSettings, description="Where pointers live.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="What the engine may use.")
    environments: dict[str, EnvironmentSettings] = Field(
        default_factory=lambda: {"prod": EnvironmentSettings()}, description="Named environments."
    )
    variables: dict[str, str] = Field(
        default_factory=dict, description="Values for ${NAME}; --var k=v and the process environment come first."
    )
    time_zone: str = Field("UTC", description="IANA zone for day and hour buckets.")
