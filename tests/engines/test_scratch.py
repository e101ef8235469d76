"""Scratch folders: each process its own, and none left behind by the dead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from millpond.engines.scratch import ScratchFolder, scratch_folder


def test_a_folder_is_gone_when_it_is_closed(tmp_path: Path) -> None:
    """With everything in it."""
    with scratch_folder(tmp_path / "scratch", "land-") as folder:
        (folder / "copy").write_text("x")
    assert not list((tmp_path / "scratch").iterdir())


def test_a_folder_in_use_stays(tmp_path: Path) -> None:
    """Another that is made beside it leaves it alone."""
    first = ScratchFolder(tmp_path, "spill-")
    second = ScratchFolder(tmp_path, "spill-")
    assert first.path.is_dir()
    assert first.path != second.path
    first.close()
    second.close()


def test_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    """The next folder that is made takes it away, and nothing else."""
    (tmp_path / "notes").mkdir()
    program = (
        "import os, signal, sys; from pathlib import Path; from millpond.engines.scratch import ScratchFolder\n"
        "(ScratchFolder(Path(sys.argv[1]), 'spill-').path / 'big').write_text('x')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob("spill-*/big"))) == 1
    with scratch_folder(tmp_path, "spill-") as folder:
        assert sorted(tmp_path.iterdir()) == sorted([folder, tmp_path / "notes"])
