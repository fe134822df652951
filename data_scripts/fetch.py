"""Files from a server to a disk: continued at the byte, compared with the server's checksum, whole or not at all."""

import hashlib
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

from data_scripts.network import NetworkError, Stopped, explain, failures_of_network, may_pass, status_of
from data_scripts.openneuro import BUCKET

CHUNK = 1 << 20  # bytes read at a time
ETAG = re.compile(r"([0-9a-f]{32})(?:-([1-9]\d{0,4}))?")
MOST_SURPRISES = 3  # times that a file may arrive damaged, or turn out to be another one than was listed
BEGUN = re.compile(r"\..+\.[0-9a-f]{12}\.begun")


class _Changed(Exception):
    """The file on the server is no longer the one that was listed."""


class _CutShort(Exception):
    """An answer with fewer bytes, or others, than were asked for."""


def begun_path(target, remote):
    """Name a file while it arrives. The name holds the checksum, so what was begun of another file is not continued.

    Parameters
    ----------
    target : Path
        Its final name.
    remote : Remote

    Returns
    -------
    Path
        Hidden, beside it.
    """
    digest = hashlib.sha256(f"{remote.key} {remote.etag} {remote.size}".encode()).hexdigest()[:12]
    return target.with_name(f".{target.name}.{digest}.begun")


def digest_file(path, etag, part_size):
    """Compute the checksum that a server should have, and SHA-256.

    Parameters
    ----------
    path : Path
    etag : str
        The server's: MD5 in hexadecimal digits, or of a file that was uploaded in parts the MD5 of the MD5s of all
        parts, a hyphen, and their number.
    part_size : callable
        Called without arguments if needed; returns bytes.

    Returns
    -------
    matches : bool
    entry : dict
        "bytes" and "sha256".

    Raises
    ------
    NetworkError
        If the checksum has another form, so that nothing can be compared with it.
    """
    form = ETAG.fullmatch(etag)
    if form is None:
        raise NetworkError(f"The server gives the checksum {etag!r} of {path.name}: expected an MD5.")
    size = path.stat().st_size
    step = part_size() if form[2] else max(size, 1)
    if step < 1 or (form[2] and -(-size // step) != int(form[2])):
        return False, {}  # other parts than the checksum is made of
    sha256, parts = hashlib.sha256(), []
    with open(path, "rb") as file:
        for first in range(0, max(size, 1), step):
            parts.append(hashlib.md5(usedforsecurity=False))
            left = min(step, size - first)
            while left and (block := file.read(min(CHUNK, left))):
                sha256.update(block)
                parts[-1].update(block)
                left -= len(block)
    found = parts[0].hexdigest()
    if form[2]:
        whole = hashlib.md5(b"".join(part.digest() for part in parts), usedforsecurity=False)
        found = f"{whole.hexdigest()}-{len(parts)}"
    return found == etag, {"bytes": size, "sha256": sha256.hexdigest()}


def fetch_file(bucket, remote, target, *, stop, tell):
    """Fetch one file, or finish that.

    Parameters
    ----------
    bucket : Bucket
    remote : Remote
    target : Path
        Replaced if it is there.
    stop : threading.Event
        Ends it; what has arrived stays and is continued the next time.
    tell : callable
        Called with the number of bytes that have arrived, which is negative when some are thrown away.

    Returns
    -------
    remote : Remote
        Another one than was given if the file has changed on the server.
    entry : dict
        "bytes" and "sha256".

    Raises
    ------
    NetworkError
        If the server does not give it, or gives another one.
    Stopped
        If `stop` was set.
    OSError
        If the disk does not take it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    failures, surprises = 0, 0
    if target.exists() and target.stat().st_size == remote.size:  # an earlier run was ended before it wrote that down
        matches, entry = digest_file(target, remote.etag, lambda: bucket.part_size(remote.key))
        if matches:
            tell(remote.size)
            return remote, entry
    while True:
        begun = begun_path(target, remote)
        before = begun.stat().st_size if begun.exists() else 0
        try:
            _append(bucket, remote, begun, stop, tell)
            matches, entry = digest_file(begun, remote.etag, lambda remote=remote: bucket.part_size(remote.key))
            if matches:
                _forget_others(begun, target)
                os.replace(begun, target)
                return remote, entry
            surprise = "arrives with other bytes than its checksum says"
        except _Changed:
            surprise = "changes on the server while it is fetched"
        except (*failures_of_network(), _CutShort) as error:
            if not may_pass(error):
                raise NetworkError(explain(error)) from error
            arrived = begun.exists() and begun.stat().st_size > before
            failures = 1 if arrived else failures + 1
            if failures >= bucket.patience.attempts:
                reason = str(error) if isinstance(error, _CutShort) else explain(error)
                raise NetworkError(f"tried {failures} times, {reason}") from error
            bucket.patience.wait(failures, stop)
            continue
        surprises += 1
        if begun.exists():
            tell(-begun.stat().st_size)
            begun.unlink()
        if surprises >= MOST_SURPRISES:
            raise NetworkError(f"{surprise}, {surprises} times")
        remote = bucket.describe(remote.key)


def _forget_others(begun, target):
    """Delete what was begun of an earlier version of the same file."""
    for other in target.parent.glob(f".{target.name}.*.begun"):
        if other != begun and BEGUN.fullmatch(other.name):
            other.unlink()


def _append(bucket, remote, begun, stop, tell):
    """Fetch what is missing at the end of a file that was begun; never more than it should have."""
    if stop.is_set():
        raise Stopped
    have = begun.stat().st_size if begun.exists() else 0
    if have > remote.size:  # not ours: no run of this program writes more
        begun.unlink()
        have = 0
    if have == remote.size:
        return
    from botocore.exceptions import ClientError

    request = {"Bucket": BUCKET, "Key": remote.key, "IfMatch": f'"{remote.etag}"'}
    try:
        answer = bucket.client.get_object(**request, **({"Range": f"bytes={have}-"} if have else {}))
    except ClientError as error:
        if status_of(error) in (412, 416):
            raise _Changed from None
        raise
    with answer["Body"] as body:
        if answer.get("ETag", "").strip('"') != remote.etag:
            raise _Changed
        first = re.match(r"bytes (\d+)-", answer.get("ContentRange", "bytes 0-"))
        start = int(first[1]) if first else -1
        length = answer.get("ContentLength", remote.size - start)
        if start not in (0, have) or start + length != remote.size:
            raise _CutShort(
                f"the server offers {length} bytes from byte {start}; expected {remote.size - have} from byte {have}"
            )
        with open(begun, "r+b" if begun.exists() else "xb") as file:
            if start != have:  # the server began anew
                tell(-have)
            file.truncate(start)
            file.seek(start)
            _copy(body, file, remote.size - start, stop, tell)


def _copy(body, file, left, stop, tell):
    while left:
        chunk = body.read(min(CHUNK, left))
        if not chunk:
            raise _CutShort(f"the answer ends {left} bytes too early")
        file.write(chunk)
        left -= len(chunk)
        tell(len(chunk))
        if stop.is_set():
            raise Stopped


def fetch_many(bucket, wanted, *, jobs, tell):
    """Fetch many files at once.

    Parameters
    ----------
    bucket : Bucket
    wanted : sequence of (Remote, Path)
        Files and where they go.
    jobs : int
        At once.
    tell : callable
        As for `fetch_file`.

    Yields
    ------
    remote : Remote
        One of those wanted, when it is finished or has failed.
    arrived : tuple (Remote, dict) or NetworkError
        What `fetch_file` returned, or why not.

    Raises
    ------
    OSError
        If the disk does not take one of them. The others are stopped, what has arrived stays.
    """
    stop, lock = threading.Event(), threading.Lock()
    options = {"stop": stop, "tell": partial(_tell_safely, lock, tell)}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            tasks = {pool.submit(fetch_file, bucket, remote, target, **options): remote for remote, target in wanted}
            for task in as_completed(tasks):
                try:
                    arrived = task.result()
                except NetworkError as error:
                    arrived = error
                yield tasks[task], arrived
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _tell_safely(lock, tell, n_bytes):
    with lock:
        tell(n_bytes)
