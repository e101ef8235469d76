"""A source's YAML from the names of files; their contents are not looked at."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from millpond.core.errors import ProjectError
from millpond.core.names import is_plain
from millpond.project.schemas import wire
from millpond.project.source import FileFormat

_FORMATS: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}
_COMPRESSED = (".gz", ".zst")


def source_name(files: Sequence[Path]) -> str:
    """A name for the source of these files: their stem, or what several have in common, as a plain table name."""
    stems = [_parts(path)[0].lower() for path in files]
    shared = os.path.commonprefix(stems)  # noqa: RUF071 - of names, not of paths
    if len(set(stems)) > 1:
        shared = re.sub(r"[^a-z]+\Z", "", shared) or files[0].absolute().parent.name.lower()
    plain = re.sub(r"[^a-z0-9]+", "_", shared).strip("_")
    return plain if is_plain(plain) and plain[:1] != "_" else f"source_{plain}".rstrip("_")


def globbed(words: Sequence[str]) -> tuple[dict[str, tuple[Path, ...]], tuple[Path, ...]]:
    """Which of the words are globs, with the files that each names now, and the paths of the others."""
    found = {
        word: tuple(path for one in _matching(word) if (path := Path(one)).is_file())
        for word in words
        if glob.has_magic(word) and not Path(word).is_file()
    }
    globs = {word: files for word, files in found.items() if files}
    return globs, tuple(Path(word) for word in words if word not in globs)


def _matching(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - it may be absolute


def source_yaml(name: str, files: Sequence[Path], project: Path, globs: Mapping[str, Sequence[Path]] = {}) -> str:
    """The text of `sources/<name>.yaml` for these files, and for those that globs name and will name.

    Paths inside the project are relative to it. All files of one ending in a folder become one glob. Raises
    ProjectError MP-1050 (no such file), MP-1051 (files of several formats).
    """
    for path in files:
        if not path.is_file():
            raise ProjectError(
                "MP-1050", f"there is no file {path}", next_step="name files that exist; a folder's as FOLDER/*"
            )
    every = (*files, *(path for named in globs.values() for path in named))
    formats = sorted({form for form in (_format(path) for path in every) if form})
    if len(formats) > 1:
        raise ProjectError(
            "MP-1051",
            f"these files are of several formats: {', '.join(formats)}",
            next_step="add the files of each format by themselves; each becomes a source",
        )
    lines = ["kind: files", "paths:"]
    placed = [_placed(word, project.resolve()) for word in globs]
    lines += [f"  - {_quoted(pattern)}" for pattern in (*_patterns(files, project.resolve()), *placed)]
    lines += [f"format: {form}" for form in formats]
    return wire(PurePosixPath("sources", f"{name}.yaml"), "\n".join(lines) + "\n")


def _parts(path: Path) -> tuple[str, str]:
    """A file's name as stem and ending, where `.csv.gz` is one ending."""
    stem, ending = os.path.splitext(path.name)  # noqa: PTH122 - the two parts at once
    if ending.lower() in _COMPRESSED:
        stem, inner = os.path.splitext(stem)  # noqa: PTH122
        ending = inner + ending
    return stem, ending


def _format(path: Path) -> FileFormat | None:
    ending = _parts(path)[1].lower()
    for compressed in _COMPRESSED:
        ending = ending.removesuffix(compressed)
    return _FORMATS.get(ending)


def _patterns(files: Sequence[Path], project: Path) -> Iterator[str]:
    groups: dict[tuple[Path, str], set[Path]] = {}
    for path in files:
        whole = path.resolve()
        groups.setdefault((whole.parent, _parts(whole)[1]), set()).add(whole)
    for (folder, ending), group in groups.items():
        at = folder.relative_to(project).as_posix() if folder.is_relative_to(project) else folder.as_posix()
        prefix = "" if at == "." else f"{glob.escape(at)}/"
        if len(group) > 1 and ending and group == {path.resolve() for path in folder.glob(f"*{glob.escape(ending)}")}:
            yield f"{prefix}*{glob.escape(ending)}"
        else:
            yield from (f"{prefix}{glob.escape(path.name)}" for path in sorted(group))


def _placed(pattern: str, project: Path) -> str:
    """A glob as it is written in a source: inside the project relative to it."""
    whole = Path(os.path.normpath(Path.cwd() / pattern))
    return whole.relative_to(project).as_posix() if whole.is_relative_to(project) else whole.as_posix()


def _quoted(text: str) -> str:
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)
