"""What is no such file at all goes to quarantine with its bytes, and the load goes on."""

from __future__ import annotations

import gzip
import hashlib
import random
from pathlib import Path

import pytest
import zstandard

from ingest.plain import Lake


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


PAGE = b"<html>\n<head><title>504 Gateway Time-out</title></head>\n</html>\n"


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.csv.gz", packed(PAGE), "markup"),
        ("a.csv", b'\xef\xbb\xbf<?xml version="1.0"?><Error/>', "markup"),
        ("a.csv", b'{"error": "rate limited"}', "json"),
        ("a.csv", b"PK\x03\x04" + bytes(100), "binary"),
        ("a.csv", bytes(range(32)) * 50, "binary"),
        ("a.csv.gz", packed(b"id,name\n1,one\n" * 500)[:-30], "cut_gzip"),
        ("a.csv.gz", packed(b"id,name\n1,one\n") + b"garbage", "damaged_gzip"),
        ("a.csv.zst", zstandard.compress(random.Random(1).randbytes(3000))[:-30], "cut_zstd"),
        ("a.json", PAGE, "markup"),
        ("a.ndjson", b"Service unavailable\n", "not_json"),
        ("a.parquet", b"id,name\n1,one\n", "not_parquet"),
    ],
)
def test_such_a_file_is_kept_and_listed(lake: Lake, name: str, content: bytes, rule: str) -> None:
    """The row tells rule and path, and the bytes lie under their hash."""
    lake.write(name, content)
    lake.write("good.csv", "id,name\n1,one\n")

    landed = lake.load()

    kept = lake.folder / ".millpond/lake/quarantine/files" / hashlib.sha256(content).hexdigest()
    assert lake.ask("SELECT kind, rule, origin, content_path, raw, position FROM {records}") == [
        ("file", rule, f"data/{name}", str(kept), None, None)
    ]
    assert kept.read_bytes() == content
    assert lake.rows("id") == [("1",)]
    assert (landed.ledger.staged, landed.ledger.quarantined) == (1, 0)


def test_a_flipped_bit_in_a_gzip_is_found(lake: Lake) -> None:
    """The check sum of gzip is checked."""
    content = bytearray(packed(b"".join(b"%d,one\n" % number for number in range(5000))))
    content[len(content) // 2] ^= 4
    lake.write("a.csv.gz", bytes(content))

    landed = lake.load()

    assert landed.files[0].outcome == "rejected"
    assert landed.ledger.staged == 0


def test_each_path_is_a_row_of_its_own(lake: Lake) -> None:
    """The same page under four names is four rows and one file of bytes."""
    for number in range(4):
        lake.write(f"{number}.csv", PAGE)

    landed = lake.load()

    assert lake.ask("SELECT count(*), count(DISTINCT origin), count(DISTINCT id) FROM {records}") == [(4, 4, 4)]
    assert [file.outcome for file in landed.files] == ["rejected"] * 4
    assert len(list((lake.folder / ".millpond/lake/quarantine/files").iterdir())) == 1


def test_a_file_refused_late_takes_its_copies_along(lake: Lake) -> None:
    """A copy of a file that turns out to be something else is that too."""
    lake.write("a.csv", "id,name\n1,one\n")
    lake.load()
    lake.write("b.csv", "Service unavailable\n")
    lake.write("c.csv", "Service unavailable\n")

    landed = lake.load()

    assert [file.outcome for file in landed.files] == ["rejected", "rejected"]
    assert lake.ask("SELECT origin FROM {records} ORDER BY origin") == [("data/b.csv",), ("data/c.csv",)]


def test_scratch_is_left_empty(lake: Lake) -> None:
    """Copies made on the way are gone after the load."""
    lake.write("a.csv", "id,city\n1,Zürich\n".encode("utf-16"))
    lake.load()

    assert list(Path(lake.project.state, "scratch").iterdir()) == []
