"""Files that appear whole or not at all: written under a hidden temporary name, renamed when every byte is there."""

import os
import re
from contextlib import contextmanager
from pathlib import Path

PARTIAL = re.compile(r"\..+\.\d+\.part")


def partial_name(name, process=None):
    """Name a file while it is written.

    Parameters
    ----------
    name : str
        Its final name, without folder.
    process : int, optional
        Who writes it; this process without.

    Returns
    -------
    str
        Hidden, and different for every process.
    """
    return f".{name}.{process or os.getpid()}.part"


@contextmanager
def whole_file(target, *, durable=False):
    """Open a file for writing under a temporary name; rename it to `target` if the block ends well.

    Parameters
    ----------
    target : Path
        Its folder is made if needed.
    durable : bool
        Wait until the bytes are on the disk itself before the name is given: for what may be unplugged.

    Yields
    ------
    file object
        For bytes. After an error nothing is left of it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / partial_name(target.name)
    try:
        with open(partial, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_partial_files(root):
    """Delete what writers that were killed have left behind.

    Parameters
    ----------
    root : Path
        The study's folder. Nobody else may be writing to it.

    Returns
    -------
    int
        How many files were deleted.
    """
    leftovers = [path for path in Path(root).rglob(".*.part") if PARTIAL.fullmatch(path.name)]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)
