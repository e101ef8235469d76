"""What kind of file system a path lies on. SQLite's write-ahead log needs shared memory and honest locks."""

from __future__ import annotations

import os
import re
from pathlib import Path

NETWORK = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
        "sshfs",
    }
)
"""File system types whose files another machine may change at the same time. `fuse.` before a name is ignored.

Folders that a virtual machine shares with its host (virtiofs, 9p, vboxsf) are not among them: one kernel sees them.
"""

_FUSE_NETWORK = frozenset({"s3fs", "rclone", "gcsfuse", "goofys", "mount-s3", "juicefs", "blobfuse2", "geesefs"})
_OCTAL = re.compile(r"\\([0-7]{3})")
_TABLE = Path("/proc/self/mountinfo")


def is_network(kind: str) -> bool:
    """Whether files on this type of file system are shared with other machines."""
    plain = kind.removeprefix("fuse.").removeprefix("fuse-")
    return plain in NETWORK or plain in _FUSE_NETWORK


def file_system(path: Path, table: str | None = None) -> str | None:
    """The type of the file system under a path, such as ext4; None where the system does not tell.

    `table` is the text of a mountinfo file (proc(5)), by default the process's own.
    """
    if table is None:
        if not _TABLE.exists():
            return None
        table = _TABLE.read_text(encoding="utf-8", errors="surrogateescape")
    real = os.path.realpath(path)
    best: tuple[int, str] | None = None
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
        under = real == point or real.startswith(point.rstrip("/") + "/")
        if under and (best is None or len(point) >= best[0]):
            best = (len(point), after.split(" ")[0])
    return best[1] if best else None
