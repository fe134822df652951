"""The parts of a study, made one after the other or by several processes at once, which share one large object.

The arrays of that object lie in one file that each process reads once, into memory of its own: places all over the
arrays are looked up, which is a third slower in a file that is mapped, whose pages are small. joblib would map a copy
in shared memory, which stays for good when the whole group of processes is killed. This file lies in the study's folder
under a temporary name, so that the next run clears it away.
"""

import os
import pickle
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from data_scripts.partial import partial_name
from data_scripts.records import StudyError, write_record

WATCH_EVERY = 0.5  # seconds between a worker's looks whether the main process still lives
ALIGNMENT = 64  # bytes: where NumPy likes arrays to begin
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def make_unit(out, unit, contents):
    """Write files, then the record that says that they are all there.

    Parameters
    ----------
    out : Path
    unit : str
        "root", "atlas" or "sub-<label>".
    contents : iterable of (Path, content)
        As `write_bids.write_content` takes them.
    """
    from data_scripts.write_bids import write_content

    files = {path.as_posix(): write_content(out, path, content) for path, content in contents}
    write_record(out, unit, files)


def make_parts(out, people, plan, jobs, generator, *, atlas):
    """Make the atlas and people.

    Parameters
    ----------
    out : Path
    people : sequence of Person
    plan : Plan
    jobs : int
        Processes at once.
    generator : Generator
    atlas : bool
        Whether the atlas is made too.

    Yields
    ------
    None
        After each person.

    Raises
    ------
    StudyError
        If a worker is killed, memory runs out, or parameters that were changed turn out to be impossible.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    less = "close other programs" if jobs == 1 else f"run the same command with --jobs {jobs - 1}"
    make = _make_alone if jobs == 1 else _make_in_parallel
    people = sorted(people, key=lambda person: not person.has_raw_run)  # who takes longest begins, so all end together
    try:
        yield from make(out, people, plan, jobs, generator, atlas)
    except TerminatedWorkerError:
        raise StudyError(
            f"A worker process was killed, most likely because memory ran out with {jobs} at once: {less}. It continues"
            " from the people that are finished."
        ) from None
    except MemoryError:
        raise StudyError(
            f"Memory ran out with {jobs} at once: {less}. It continues from the people that are finished."
        ) from None
    except (ValueError, ArithmeticError, IndexError) as error:
        if not plan.changes:
            raise
        raise StudyError(
            f"Somebody cannot be simulated with these parameters ({error}): choose values nearer to the default and"
            " another folder with --out."
        ) from error


def _make_alone(out, people, plan, _jobs, generator, atlas):
    if atlas:
        _make_atlas(out, generator)
    ingredients = generator.load_ingredients(plan.profile) if people else None
    for person in people:
        _make_person(out, person, plan, ingredients, generator)
        yield


def _make_in_parallel(out, people, plan, jobs, generator, atlas):
    """Start the workers, which warm up while this process loads what all people share; the short atlas is last."""
    from concurrent.futures import as_completed

    from joblib.externals.loky import get_reusable_executor

    executor = get_reusable_executor(
        max_workers=jobs, env=dict.fromkeys(THREADS, "1"), initializer=_begin, initargs=(os.getpid(), generator)
    )
    failed, shared_file = True, ExitStack()
    try:
        executor.submit(os.getpid)  # the workers start now
        shared = shared_file.enter_context(share(out, generator.load_ingredients(plan.profile)))
        tasks = [executor.submit(_make_shared, out, person, plan, shared, generator) for person in people]
        last = [executor.submit(_make_atlas, out, generator)] if atlas else []
        for task in as_completed([*tasks, *last]):
            task.result()
            if task not in last:
                yield
        failed = False
    finally:
        executor.shutdown(wait=True, kill_workers=failed)
        shared_file.close()


def _make_shared(out, person, plan, shared, generator):
    _make_person(out, person, plan, shared.load(), generator)


def _make_person(out, person, plan, ingredients, generator):
    """Write all files of one person, then their record, on one thread."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums in another order would change the last bit
        contents = generator.simulate_person(person, plan.profile, ingredients, plan.seed, plan.physics)
        make_unit(out, f"sub-{person.subject}", contents)


def _make_atlas(out, generator):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        make_unit(out, "atlas", generator.atlas_files())


def _begin(main, generator):
    """Make a worker ready while the main process still loads what all people share."""
    _end_with(main)
    generator.warm_up()


def _end_with(main):
    """Tie a worker to the process `main`: Ctrl-C is left to that one, and when it ends, be it by kill -9, so do we."""
    import psutil

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        while os.getppid() == main and psutil.pid_exists(main):
            time.sleep(WATCH_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class Shared:
    """Where an object's arrays lie; small enough to be sent to a process with every task.

    Attributes
    ----------
    path : Path
    head : bytes
        The object without the contents of its arrays.
    places : tuple of (int, int)
        First byte and end of each array in the file.
    """

    path: Path
    head: bytes
    places: tuple

    def load(self):
        """Give the object back; only the first call in a process does anything.

        Returns
        -------
        object
            Its arrays cannot be written to.
        """
        return _load(self.path, self.head, self.places)


@lru_cache(maxsize=1)
def _load(path, head, places):
    import numpy as np

    data = np.fromfile(path, np.uint8)
    data.flags.writeable = False  # whoever wrote into it would change the next person's
    data = memoryview(data)
    return pickle.loads(head, buffers=[data[first:end] for first, end in places])


@contextmanager
def share(folder, content):
    """Write an object where other processes can read it, for as long as the block lasts.

    Parameters
    ----------
    folder : Path
        Of the study.
    content : object
        Can be pickled.

    Yields
    ------
    Shared
    """
    buffers, places = [], []
    head = pickle.dumps(content, protocol=5, buffer_callback=buffers.append)
    path = Path(folder, partial_name("shared"))
    try:
        with open(path, "wb") as file:
            for buffer in buffers:
                file.write(b"\0" * (-file.tell() % ALIGNMENT))
                first = file.tell()
                file.write(buffer.raw())
                places.append((first, file.tell()))
        yield Shared(path, head, tuple(places))
    finally:
        path.unlink(missing_ok=True)
