"""How the files of new tables are packed and sized, as table properties that writers heed.

Row groups are left as DuckDB makes them, 122,880 rows: its unit of work and of skipping. Measured on 5 million rows of
111 MB: a point look-up took 3 times as long with groups of 500,000 rows, 10 times with a million, and scans were no
faster. Without a size DuckDB begins a new file every four groups, some 9 MB there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TARGET_SIZE = "write.target-file-size-bytes"
"""The table property that says how large files should be, in bytes. DuckDB refuses it on partitioned tables."""

OWN_TARGET_SIZE = "millpond.target-file-size-bytes"
"""The same for tables that are partitioned."""

DEFAULT_TARGET = 128 * 1024**2
"""Large enough that opening a file costs little, small enough that two cores share a table."""

CODEC = {"write.parquet.compression-codec": "zstd"}

KEPT = {"gc.enabled": "false"}
"""Tells Spark not to delete files itself, when it expires snapshots, looks for orphans or drops with PURGE.

It judges by one table's present metadata; forks, tags and earlier commits may need what that does not name.
"""


def properties(partitioned: bool) -> dict[str, str]:
    """The properties of a new table."""
    return {**CODEC, **KEPT, **({} if partitioned else {TARGET_SIZE: str(DEFAULT_TARGET)})}


def resized(present: Mapping[str, str], partitioned: bool) -> tuple[dict[str, Any], ...]:
    """The updates that keep a table's file size when it becomes partitioned, or is so no more."""
    old, new = (TARGET_SIZE, OWN_TARGET_SIZE) if partitioned else (OWN_TARGET_SIZE, TARGET_SIZE)
    size = present.get(old)
    if not partitioned:
        size = present.get(new) or size or str(DEFAULT_TARGET)
    if size is None:
        return ()
    return (
        {"action": "remove-properties", "removals": [old]},
        {"action": "set-properties", "updates": {new: size}},
    )
