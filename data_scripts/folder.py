"""The folder of a study: whose it is, and that only one process writes to it."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

from data_scripts.partial import PARTIAL
from data_scripts.records import StudyError

LOCK = ".simulate.lock"
HARMLESS = {LOCK, ".DS_Store", "Thumbs.db", ".gitkeep", ".gitignore"}  # do not make a folder somebody else's


def default_folder(name="simulated"):
    """Where a study goes unless told otherwise: `$COURSE_DATA/NAME`, or `data/NAME` in the course's folder.

    Parameters
    ----------
    name : str
        Of the study.

    Returns
    -------
    Path
    """
    chosen = os.environ.get("COURSE_DATA")
    if chosen:
        return Path(chosen).expanduser().absolute() / name
    course = Path(__file__).resolve().parents[1]
    base = course if (course / "pyproject.toml").is_file() else Path.cwd()
    return base / "data" / name


def refuse_foreign_folder(out, own):
    """Refuse a folder that holds anything, unless it is ours.

    Parameters
    ----------
    out : Path
        May be missing.
    own : Path
        A file, relative to it, that only a folder of ours has.

    Raises
    ------
    StudyError
        If it is a file, or holds a file or a link and not `own`.
    """
    if (out.exists() or out.is_symlink()) and not out.is_dir():
        raise StudyError(f"{out} is a file, and a folder is needed: choose another one with --out.")
    if out.is_dir() and not (out / own).is_file():
        other = next((path for path in out.rglob("*") if not _is_harmless(path)), None)
        if other is not None:
            raise StudyError(
                f"{out} holds something else ({other.relative_to(out)}), which is left alone: choose a new or empty"
                " folder with --out."
            )


def _is_harmless(path):
    """Whether it is a folder (not a link to one), a leftover of ours, or what systems leave everywhere."""
    if path.is_symlink():
        return False
    return path.is_dir() or path.name in HARMLESS or bool(PARTIAL.fullmatch(path.name))


@contextmanager
def only_one(out):
    """Hold the lock of a study's folder, which is made; what the system refuses inside becomes one sentence.

    Parameters
    ----------
    out : Path

    Yields
    ------
    None
        When no other process has the lock.

    Raises
    ------
    StudyError
        For any OSError of the block, and if memory runs out in it.
    """
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"Another run is writing to {out}: waiting for it to finish.", file=sys.stderr)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()
    except OSError as error:
        if error.errno is None:  # raised by ourselves, with a whole sentence: a package whose templates are needed
            raise StudyError(str(error)) from error
        raise StudyError(
            f"Cannot write to {out} ({error.strerror or error}): make room or choose another folder with --out. "
            "What is finished stays; the same command continues from there."
        ) from error
