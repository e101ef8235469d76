"""Objects in a store: found by URL, fetched to this machine."""

from __future__ import annotations

import glob
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from millpond.core.errors import IngestError, Location
from millpond.core.plugins import load
from millpond.core.records import frozen

if TYPE_CHECKING:
    import pyarrow.fs as fs

_CHUNK = 8 * 2**20
_OPTIONS = re.compile(r"\?\w+=[^?/]*$")
_MAGIC = re.compile(r"(?P<deep>\*\*/)|(?P<many>\*+)|(?P<one>\?)|\[(?P<not>!?)(?P<set>\]?[^\]]*)\]")


@frozen
class Stored:
    """An object: its URL without options, its size, and when it was written (ns since 1970)."""

    name: str
    size: int
    modified_ns: int


def is_url(pattern: str) -> bool:
    """Whether a path of a source is an address rather than a path on this machine."""
    return "://" in pattern


def split_options(url: str) -> tuple[str, str]:
    """An address, and the options behind it with their question mark (which in a glob stands for one character)."""
    found = _OPTIONS.search(url)
    return (url[: found.start()], found[0]) if found else (url, "")


def stored(pattern: str, where: Location | None = None) -> tuple[Stored, ...]:
    """The objects that a URL names, by name; its path may be a glob with `*`, `?`, `[...]` and `**`.

    `s3://`, `gs://`, `abfss://` and `file://` are known. Credentials come from the environment, as the store's own
    tools read them; options such as `?region=eu-west-1` may follow. `where` is the address's place in the project.
    Raises IngestError MP-5001 for another kind of address or one with a password in it, MP-5012 when the store does
    not answer.
    """
    address, options = split_options(pattern)
    magic = glob.has_magic(address)
    base = address[: address.rindex("/", 0, _first_magic(address)) + 1] if magic else address
    try:
        root, key = _open(base, options, where)
        if magic:
            infos = root.get_file_info(load("pyarrow.fs").FileSelector(key, recursive=True, allow_not_found=True))
        else:
            infos = [root.get_file_info(key)]
    except OSError as failed:
        raise IngestError(
            "MP-5012",
            f"the store of {address!r} does not answer: {failed}",
            next_step="check the bucket, the network, and the credentials in the environment",
            where=where,
        ) from failed
    wanted = re.compile(_regex(address) if magic else re.escape(address))
    start = len(key.rstrip("/"))
    named = ((base.rstrip("/") + info.path[start:], info) for info in infos if info.is_file)
    found = sorted((name, info.size, info.mtime_ns or 0) for name, info in named if wanted.fullmatch(name))
    return tuple(Stored(*told) for told in found)


def fetch(url: str, target: Path, modified_ns: int) -> None:
    """Copy an object to `target`, unless it is there; the copy has the object's time. Raises OSError."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    root, key = _open(*split_options(url), where=None)
    descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=".fetching-")
    try:
        with os.fdopen(descriptor, "wb") as copy, root.open_input_stream(key, compression=None) as stream:
            while chunk := stream.read(_CHUNK):
                copy.write(chunk)
        os.utime(partial, ns=(modified_ns, modified_ns))
        Path(partial).rename(target)
    finally:
        Path(partial).unlink(missing_ok=True)


def _open(address: str, options: str, where: Location | None) -> tuple[fs.FileSystem, str]:
    if ":" in urlsplit(address).netloc.rpartition("@")[0]:
        raise IngestError(
            "MP-5001",
            "the address of a source holds a password",
            next_step="take it out, and put the credentials into the environment that Millpond runs in",
            where=where,
        )
    try:
        opened: tuple[fs.FileSystem, str] = load("pyarrow.fs").FileSystem.from_uri(
            address + (options or _environment_options(address))
        )
    except ValueError as unknown:
        raise IngestError(
            "MP-5001",
            f"{address!r} is no address that can be read: {unknown}",
            next_step="name a file on this machine, or an address such as s3://bucket/folder/*.csv",
            where=where,
        ) from unknown
    return opened


def _environment_options(address: str) -> str:
    """What the environment says of an S3 store, by the names that AWS's own tools read."""
    if urlsplit(address).scheme not in ("s3", "s3a"):
        return ""
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options = {"region": region} if region else {}
    if endpoint.netloc:
        options = {"region": "us-east-1", **options, "scheme": endpoint.scheme, "endpoint_override": endpoint.netloc}
    return f"?{urlencode(options)}" if options else ""


def _first_magic(address: str) -> int:
    return next(found.start() for found in _MAGIC.finditer(address))


def _regex(address: str) -> str:
    """A glob as a regular expression: `**/` is any number of folders, `*` and `?` stay within one."""
    parts, end = [], 0
    for found in _MAGIC.finditer(address):
        parts.append(re.escape(address[end : found.start()]))
        parts.append(_one_regex(found))
        end = found.end()
    return "".join(parts) + re.escape(address[end:])


def _one_regex(found: re.Match[str]) -> str:
    if found["deep"]:
        return "(?:[^/]+/)*"
    if found["many"]:
        return ".*" if len(found["many"]) > 1 else "[^/]*"
    if found["one"]:
        return "[^/]"
    inside = found["set"].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace("^", "\\^")
    return f"[{'^' if found['not'] else ''}{inside}]"
