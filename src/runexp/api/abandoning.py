"""A run that its process has to leave at once: how it stands on disk, and what is gone on from."""

from __future__ import annotations

import time
from contextlib import suppress

from runexp.store.checkpoints import MANIFEST
from runexp.store.run_folder import RunFolder
from runexp.store.status import read_status


def abandon(folder: RunFolder) -> tuple[str, ...]:
    """Say in the folder that the run was interrupted, let go of it, and tell what is left, a line each.

    The process has to end then: whatever still writes there does so without the lock.
    """
    with suppress(OSError):
        last = read_status(folder.path)
        if last is not None:
            folder.status.update("interrupted", phase=last.phase, epoch=last.epoch, step=last.step)
    folder.close()
    return (_newest(folder), f"to go on: runexp resume {folder.path}")


def _newest(folder: RunFolder) -> str:
    """How old the newest saved state is: what is lost."""
    found = [path.stat().st_mtime for path in (folder.path / "progress").rglob(MANIFEST)]
    if not found:
        return "nothing was saved yet: it begins anew"
    return f"its newest state was saved {max(time.time() - max(found), 0):.0f} s ago; what came after is done again"
