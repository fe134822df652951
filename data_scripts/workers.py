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


def make_parts(out, people, plan, jobs, generator, others):
    """Make people, and what belongs to the study as a whole.

    Parameters
    ----------
    out : Path
    people : sequence of Person
    plan : Plan
    jobs : int
        Processes at once.
    generator : Generator
    others : sequence of callable
        Called without arguments, each makes one unit; they can be pickled.

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
        yield from make(out, people, plan, jobs, generator, others)
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


def _make_alone(out, people, plan, _jobs, generator, others):
    for make_other in others:
        _on_one_thread(make_other)
    ingredients = _on_one_thread(generator.load_ingredients, plan.profile) if people else None
    for person in people:
        _on_one_thread(_make_person, out, person, plan, ingredients, generator)
        yield


def _make_in_parallel(out, people, plan, jobs, generator, others):
    """Let one worker load what all people share while another makes the rest; this process imports nothing heavy."""
    from concurrent.futures import as_completed

    from joblib.externals.loky import get_reusable_executor

    environment = dict.fromkeys(THREADS, "1")
    executor = get_reusable_executor(max_workers=jobs, env=environment, initializer=_end_with, initargs=(os.getpid(),))
    path, failed = Path(out, partial_name("shared")), True
    try:
        loading = executor.submit(_share_ingredients, path, plan.profile, generator)
        short = [executor.submit(_on_one_thread, make_other) for make_other in [*others, generator.warm_up]]
        shared = loading.result()
        tasks = [executor.submit(_make_shared, out, person, plan, shared, generator) for person in people]
        for task in as_completed([*tasks, *short]):
            task.result()
            if task not in short:
                yield
        failed = False
    finally:
        executor.shutdown(wait=True, kill_workers=failed)
        path.unlink(missing_ok=True)


def _share_ingredients(path, profile, generator):
    return share(path, _on_one_thread(generator.load_ingredients, profile))


def _make_shared(out, person, plan, shared, generator):
    _on_one_thread(_make_person, out, person, plan, shared.load(), generator)


def _make_person(out, person, plan, ingredients, generator):
    """Write all files of one person, then their record."""
    contents = generator.simulate_person(person, plan.profile, ingredients, plan.seed, plan.physics)
    make_unit(out, f"sub-{person.subject}", contents)


def _on_one_thread(function, *args):
    """Call a function: sums in another order, as several threads make them, would change the last bit."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return function(*args)


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


def share(path, content):
    """Write an object where other processes can read it.

    Parameters
    ----------
    path : Path
        Whoever asks for it deletes it in the end.
    content : object
        Can be pickled.

    Returns
    -------
    Shared
    """
    buffers, places = [], []
    head = pickle.dumps(content, protocol=5, buffer_callback=buffers.append)
    with open(path, "wb") as file:
        for buffer in buffers:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            first = file.tell()
            file.write(buffer.raw())
            places.append((first, file.tell()))
    return Shared(path, head, tuple(places))
