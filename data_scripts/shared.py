"""One large object for many processes: its arrays lie in one file that all of them map into memory.

joblib does the like in shared memory, where its copy stays for good when the whole group of processes is killed. This
file lies in the study's folder under a temporary name, so that the next run clears it away.
"""

import mmap
import pickle
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from data_scripts.partial import partial_name

ALIGNMENT = 64  # bytes: where NumPy likes arrays to begin


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
    with open(path, "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return pickle.loads(head, buffers=[data[first:end] for first, end in places])


@contextmanager
def share(folder, content):
    """Write an object where other processes can map it, for as long as the block lasts.

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
            file.write(b"\0")  # an empty file cannot be mapped
            for buffer in buffers:
                file.write(b"\0" * (-file.tell() % ALIGNMENT))
                first = file.tell()
                file.write(buffer.raw())
                places.append((first, file.tell()))
        yield Shared(path, head, tuple(places))
    finally:
        path.unlink(missing_ok=True)
