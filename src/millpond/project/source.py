"""What a file under `sources/` may say: where bytes come from, and the bronze table they land in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from millpond.project.settings import Declared, OneOrMore

FileFormat = Literal["csv", "tsv", "json", "ndjson", "parquet"]


class CsvOptions(Declared):
    """How CSV and TSV files are written; what is not said is sniffed from each file's beginning."""

    delimiter: str | None = Field(None, description="Field delimiter.", min_length=1, max_length=4)
    quote: str | None = Field(None, description="Quote character; empty for none.", max_length=1)
    escape: str | None = Field(None, description="Escape character.", max_length=1)
    header: bool | None = Field(None, description="Whether the first line after `skip` names the columns.")
    skip: int | None = Field(None, ge=0, description="Junk lines before the header.")
    encoding: str | None = Field(None, description="Encoding such as utf-8, latin-1 or utf-16.")
    null: OneOrMore[str] = Field((), description="Texts that mean NULL; by default none does but the empty field.")


class FilesSource(Declared):
    """A source of kind `files`: every file that the globs name is loaded once."""

    kind: Literal["files"] = Field(description="Files on a disk or in an object store.")
    paths: OneOrMore[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="Paths or globs, relative to the project, or addresses such as s3://bucket/*.csv."
    )
    format: FileFormat | None = Field(None, description="File format; by default told by name and content.")
    compression: Literal["none", "gzip", "zstd"] | None = Field(
        None, description="Compression; by default told by the first bytes."
    )
    csv: CsvOptions = Field(default_factory=CsvOptions, description="CSV dialect.")
    on_change: Literal["append", "replace", "refuse"] = Field(
        "append", description="What to do when a file changed under its name."
    )
    columns: dict[str, str] | None = Field(
        None, description="Declared columns and their types; by default inferred from the first files."
    )
    on_schema_change: Literal["evolve", "rescue", "freeze"] = Field(
        "evolve",
        description="New fields become columns (evolve), go to _rescued (rescue), or refuse the file (freeze).",
    )
    partition: OneOrMore[str] = Field(
        (), description="Partition fields of the bronze table, as in a model: of typed columns, or day(_loaded_at)."
    )
    settle_seconds: float = Field(
        2.0, ge=0, description="A file whose size or time changed within this many seconds is left for later."
    )
    table: str | None = Field(None, description="Bronze table; by default bronze.<name of this file>.")
    description: str | None = Field(None, description="What the source is.")
    tags: OneOrMore[str] = Field((), description="Labels for --select tag:NAME.")


SourceSettings = FilesSource
