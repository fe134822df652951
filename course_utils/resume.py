"""Work on many people side by side so that a worker that dies takes nothing with it but the person it worked on.

Three rules, which need no knowledge of who does the work: whoever takes up a person leaves a mark; a result is saved by
whoever made it, whole or not at all, before the mark is taken away; nobody is taken up twice at once. A mark without a
result is then a worker that died, on this machine or another one.
"""

import io
import os
import socket
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import joblib
import numpy as np
import pandas as pd

PATIENCE = 60  # seconds in which a cluster replaces a worker that died
NO_OTHER = "{}, and there was no other worker: {}"
KEPT_OUT = "Its worker died, and only the process that called was left: it was not risked."


class Outcome(NamedTuple):
    """What became of one person.

    Attributes
    ----------
    subject : str
        Label without "sub-".
    packed : bytes or None
        The result, as `pack_result` makes it; None if there is none.
    reason : str or None
        Why there is no result.
    lost : bool
        Whether the worker that had begun with this person has died.
    """

    subject: str
    packed: bytes | None = None
    reason: str | None = None
    lost: bool = False


@dataclass(frozen=True, eq=False)
class Task:
    """What a worker needs to do a person: it is pickled with each, so a worker that dies takes no copy away.

    Attributes
    ----------
    do : callable
        Takes a Run and an atlas, returns the averages and the confounds table; what it raises becomes a reason.
    atlas : Bunch
        In memory.
    folder : Path
        Where results and marks are; all workers must see it.
    keep_out : str
        The process that must not do it, as `this_process` names it; empty if any may.
    """

    do: object
    atlas: object
    folder: Path
    keep_out: str = ""

    @property
    def __name__(self):
        """What Dask calls the work: it would print the whole task otherwise, atlas and all, for each person."""
        return self.do.__name__

    def __call__(self, run, fingerprint):
        """Do one person, unless that has been done or begun.

        Parameters
        ----------
        run : Run
            The person's files.
        fingerprint : str
            What the result is made from.

        Returns
        -------
        Outcome
            Of this person.
        """
        packed = read_packed(self.folder, run.subject)
        if unpack_result(packed, fingerprint) is not None:  # who made it died before handing it over
            return Outcome(run.subject, packed)
        if this_process() == self.keep_out:
            return Outcome(run.subject, reason=KEPT_OUT)
        mark = mark_of(self.folder, run.subject)
        try:
            with mark.open("x") as file:
                file.write(f"{this_process()}\n")
        except FileExistsError:
            return Outcome(run.subject, lost=True)
        try:
            outcome = self._try(run, fingerprint)
            if outcome.packed is not None:
                write_packed(self.folder, run.subject, outcome.packed)
        finally:
            mark.unlink(missing_ok=True)
        return outcome

    def _try(self, run, fingerprint):
        """Do it; whatever the files do to the libraries becomes a reason, because the others are wanted."""
        try:
            return Outcome(run.subject, pack_result(self.do(run, self.atlas), fingerprint))
        except ValueError as error:
            return Outcome(run.subject, reason=str(error))
        except Exception as error:
            return Outcome(run.subject, reason=_describe(error))


def work_through(task, runs, prints, *, n_jobs=None, timeout=None):
    """Do everybody in company; then whoever's worker died once more, with nobody beside.

    With nobody beside it is plain whose fault a second death is, and there is as much memory as there will ever be.

    Parameters
    ----------
    task : Task
        What to do.
    runs : list of Run
        The files of the people that are to be done.
    prints : dict of str to str
        The fingerprint of each.
    n_jobs, timeout : optional
        As in `extract_group`.

    Yields
    ------
    Outcome
        One for each person, as they finish.
    """
    task.folder.mkdir(parents=True, exist_ok=True)
    waiting, lost = {run.subject: run for run in runs}, {}
    try:
        error = yield from _in_company(task, waiting, lost, prints, n_jobs, timeout)
        for subject, run in (lost | waiting).items():
            packed = read_packed(task.folder, subject)
            if unpack_result(packed, prints[subject]) is not None:  # by a worker that had no time to hand it over
                yield Outcome(subject, packed)
                continue
            if error is not None:
                begun = "Its worker died" if subject in lost else "Not begun"
                yield Outcome(subject, reason=NO_OTHER.format(begun, error))
                continue
            outcome, error = _alone(task, run, prints, n_jobs, timeout)
            yield outcome
    finally:
        for run in runs:
            mark_of(task.folder, run.subject).unlink(missing_ok=True)


def _in_company(task, waiting, lost, prints, n_jobs, timeout):
    """Do people until none is waiting; moves those whose worker died to `lost`. Returns why there is no worker."""
    for subject in waiting:
        mark_of(task.folder, subject).unlink(missing_ok=True)  # left by a call that was killed
    idle = 0
    while waiting:
        before, error = len(waiting), None
        try:
            for outcome in _in_parallel(task, list(waiting.values()), prints, n_jobs, timeout):
                run = waiting.pop(outcome.subject)
                if outcome.lost:
                    lost[outcome.subject] = run
                else:
                    yield outcome
        except Exception as caught:
            error = _describe(caught)
        for subject in [subject for subject in waiting if mark_of(task.folder, subject).exists()]:
            lost[subject] = waiting.pop(subject)
        idle = idle + 1 if len(waiting) == before else 0
        if idle == 2:
            return error
    return None


def _alone(task, run, prints, n_jobs, timeout):
    """Do the person whose worker died once more. Returns the outcome, and why there is no worker or None.

    joblib does the work in the calling process itself when a cluster has one core left. It would die like the worker.
    """
    task, start = replace(task, keep_out=this_process()), time.monotonic()
    mark = mark_of(task.folder, run.subject)
    mark.unlink(missing_ok=True)
    told = ""
    try:
        (outcome,) = _in_parallel(task, [run], prints, n_jobs, timeout)
        while outcome.reason == KEPT_OUT and time.monotonic() - start < PATIENCE:
            time.sleep(1)
            (outcome,) = _in_parallel(task, [run], prints, n_jobs, timeout)
        if not outcome.lost:
            return outcome, None
    except Exception as error:  # how a death is told is each backend's own affair
        if not mark.exists():
            return Outcome(run.subject, reason=NO_OTHER.format("Its worker died", _describe(error))), _describe(error)
        told = f" ({_describe(error)})"
    return Outcome(run.subject, reason=f"Two workers died at this person, the second one alone{told}."), None


def _in_parallel(task, runs, prints, n_jobs, timeout):
    """Hand people out by one, so that a death costs one; whoever is done first comes first."""
    if joblib.effective_n_jobs(n_jobs) == 1:
        timeout = None  # nobody else is waited for, and joblib warns of a timeout without effect
    work = joblib.Parallel(
        n_jobs=n_jobs, prefer="threads", return_as="generator_unordered", batch_size=1, timeout=timeout
    )
    return work(joblib.delayed(task)(run, prints[run.subject]) for run in runs)


def _describe(error):
    """Put an error into one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def this_process():
    """Name the machine and the id of this process.

    Returns
    -------
    str
        Such as "node7 4321".
    """
    return f"{socket.gethostname()} {os.getpid()}"


def mark_of(folder, subject):
    """Name the file that says that somebody has begun with a person.

    Parameters
    ----------
    folder : Path
        Where results are saved.
    subject : str
        Label without "sub-".

    Returns
    -------
    Path
        As long as it exists, it holds the name of the machine and the id of the process.
    """
    return folder / f"sub-{subject}.begun"


def pack_result(result, fingerprint):
    """Put one person's result into the bytes that are handed over and saved: one piece costs a cluster least.

    Parameters
    ----------
    result : tuple of DataFrame
        Averages and confounds table.
    fingerprint : str
        What they were made from.

    Returns
    -------
    bytes
        A file of NumPy's type npz.
    """
    averages, table = result
    file = io.BytesIO()
    np.savez(
        file, averages=averages.to_numpy(), regions=averages.columns.to_numpy(dtype=str),
        volumes=averages.index.to_numpy(), confounds=table.to_numpy(), columns=table.columns.to_numpy(dtype=str),
        fingerprint=np.array(fingerprint),
    )  # fmt: skip
    return file.getvalue()


def unpack_result(packed, fingerprint):
    """Take one person's result out of its bytes.

    Parameters
    ----------
    packed : bytes or None
        From `pack_result`; None if there is nothing.
    fingerprint : str
        What the result must have been made from.

    Returns
    -------
    tuple of DataFrame or None
        Averages and confounds table. None if there is no result, it is not whole, or it was made from something else.
    """
    if packed is None:
        return None
    try:
        with np.load(io.BytesIO(packed)) as saved:
            if str(saved["fingerprint"]) != fingerprint:
                return None
            volumes = pd.RangeIndex(saved["volumes"][0], saved["volumes"][-1] + 1, name="volume")
            regions = pd.Index(saved["regions"], name="region").astype("str")
            averages = pd.DataFrame(saved["averages"], volumes, regions)
            return averages, pd.DataFrame(saved["confounds"], columns=pd.Index(saved["columns"]).astype("str"))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # made anew: nothing is lost but a second


def write_packed(folder, subject, packed):
    """Save one person's result whole or not at all: into a new file, which then takes the place of the old one.

    Parameters
    ----------
    folder : Path
        It exists.
    subject : str
        Label without "sub-".
    packed : bytes
        From `pack_result`.
    """
    path = folder / f"sub-{subject}.npz"
    new = folder / f"{path.name}.{uuid4().hex}.new"
    try:
        with new.open("wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def read_packed(folder, subject):
    """Read what is saved of one person.

    Parameters
    ----------
    folder : Path
        Where results are saved.
    subject : str
        Label without "sub-".

    Returns
    -------
    bytes or None
        None if there is nothing, or it cannot be read.
    """
    try:
        return (folder / f"sub-{subject}.npz").read_bytes()
    except OSError:
        return None
