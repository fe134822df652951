"""The real study, from OpenNeuro to this machine: what is fetched is said before, and what is there stays there."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course_utils.manifest import MANIFEST_NAME, describe_file
from data_scripts.archive import require_room, show_bytes
from data_scripts.convert import SOURCE, convert_person
from data_scripts.fetch import begun_path, fetch_many
from data_scripts.fetched import REQUEST, Downloaded, count_study, refuse_other_study
from data_scripts.folder import only_one
from data_scripts.network import NetworkError, Patience
from data_scripts.old_tables import TableError
from data_scripts.openneuro import LESSON, Bucket
from data_scripts.partial import partial_name, remove_partial_files
from data_scripts.published_root import finish_study
from data_scripts.records import StudyError, read_record, record_path, write_json
from data_scripts.resources import free_space

MADE_HERE = 1.1  # tables, reference images and tissue maps that are written besides take less than a tenth more


def download_study(
    out,
    *,
    subjects=None,
    everybody=False,
    dry_run=False,
    endpoint=None,
    jobs=6,
    patience=None,
    say=print,
    progress=False,
):
    """Fetch ds000030 into a folder, or finish that, or add people to it.

    Parameters
    ----------
    out : path-like
        A new or empty folder, or one of an earlier download.
    subjects : sequence of str, optional
        Labels, with or without "sub-"; without it those of the lesson.
    everybody : bool
        All who have derivatives.
    dry_run : bool
        Write nothing.
    endpoint : str, optional
        URL of another server.
    jobs : int
        Files at once.
    patience : Patience, optional
    say : callable
        Called with each sentence for the person who asked.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Downloaded

    Raises
    ------
    StudyError
        If nothing can be fetched: no connection, nobody of that name, no room, another study in the folder. What fails
        for one file or person is in the report instead, and does not stop the others.
    """
    out = Path(out).expanduser().absolute()
    wanted = _choose_labels(subjects, everybody)
    if not dry_run:
        _refuse_folder(out)
        free_space(out)  # says so if it is read-only
    bucket = Bucket(endpoint, patience or Patience(), jobs)
    labels = wanted if wanted is not None else bucket.list_subjects()
    with ThreadPoolExecutor(jobs) as pool:
        choices = list(pool.map(bucket.choose, labels))
    shared = bucket.list_shared()
    missing = _announce(out, bucket, choices, shared, say)
    if dry_run:
        return Downloaded(out, *count_study(out), [problem for choice in choices for problem in choice.problems])
    require_room(_room(out, missing), out, "What is still to be fetched needs")
    where = f"{bucket.where}/{bucket.root}"
    with only_one(out):
        _refuse_folder(out)
        write_json(out / REQUEST, {"format": 1, "study": "ds000030", "from": where})
        (out / MANIFEST_NAME).unlink(missing_ok=True)  # the study is not whole from here to the end
        remove_partial_files(out)
        problems = _fetch(out, bucket, choices, shared, jobs, progress)
        problems += finish_study(out, where)
    return Downloaded(out, *count_study(out), problems)


def _choose_labels(subjects, everybody):
    """List whom to fetch, with "sub-"; None for everybody."""
    if everybody:
        if subjects is not None:
            raise StudyError("--subjects and --all say different things: give one of them.")
        return None
    labels = [label.removeprefix("sub-") for label in (LESSON if subjects is None else subjects)]
    wrong = [label for label in labels if not re.fullmatch(r"[A-Za-z0-9]+", label)]
    if wrong or not labels:
        raise StudyError(f"{wrong[0]!r} is no label" if wrong else "Nobody was named: give labels such as 10171,50010.")
    return [f"sub-{label}" for label in dict.fromkeys(labels)]


def _refuse_folder(out):
    """Say before anything is written what stands against the folder."""
    refuse_other_study(out, "ds000030")
    link = next((path for path in out.rglob("*") if path.is_symlink()), None) if out.is_dir() else None
    if link is not None:
        raise StudyError(f"{link} is a link, and nothing is written beside or through one: take it away, or use --out.")


def _is_recorded(out, choice):
    """Whether everything of a person is there as it is on the server now."""
    etags = _read_etags(out, choice.subject)
    return read_record(out, choice.subject) is not None and all(
        etags.get(remote.path) == remote.etag for remote in choice.files
    )


def _read_etags(out, unit):
    try:
        return json.loads((out / record_path(unit)).read_text(encoding="utf-8"))["etags"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # never finished


def _announce(out, bucket, choices, shared, say):
    """Say what there is and what of it is still to be fetched; return the latter."""
    files = [remote for choice in choices for remote in choice.files] + shared
    size = sum(remote.size for remote in files)
    say(f"ds000030 from {bucket.where}/{bucket.root}")
    say(f"{len(choices)} people, {len(files)} files, {size / 1e9:.2f} GB: resting runs, anatomy, raw and preprocessed")
    for choice in choices:
        for note in choice.notes:
            say(f"Note: {note}")
    there = {choice.subject for choice in choices if _is_recorded(out, choice)}
    missing = [remote for choice in choices if choice.subject not in there for remote in choice.files]
    left = sum(remote.size - _begun(out, remote) for remote in missing)
    if there:
        say(f"{len(there)} people are there already.")
    say(f"Still to be fetched: {left / 1e9:.2f} GB, into {out}")
    return missing


def _begun(out, remote):
    """Count the bytes of a file that are there."""
    target = out / SOURCE / remote.path
    for path in (target, begun_path(target, remote)):
        if path.is_file():
            return min(path.stat().st_size, remote.size)
    return 0


def _room(out, missing, copies=1):
    left = sum(remote.size - _begun(out, remote) for remote in missing)
    return int(MADE_HERE * left + (copies - 1) * sum(remote.size for remote in missing))


def _fetch(out, bucket, choices, shared, jobs, progress):
    """Fetch everything that is not there; finish each person as soon as all their files have come or failed."""
    problems = [problem for choice in choices for problem in choice.problems]
    left = {choice.subject: choice for choice in choices if not _is_recorded(out, choice)}
    waiting = {subject: set(choice.files) for subject, choice in left.items()}
    came = {subject: {} for subject in left}
    files = [remote for choice in left.values() for remote in choice.files]
    files.sort(key=lambda remote: (remote.name.subject, -remote.size))
    _require_room_for_copies(out, files)
    begun = sum(_begun(out, remote) for remote in files if not (out / SOURCE / remote.path).is_file())
    targets = [(remote, out / SOURCE / remote.path) for remote in [*shared, *files]]
    total = sum(remote.size for remote, _ in targets)
    with show_bytes(total, "Downloading", progress) as bar:
        bar.update(begun)
        for remote, arrived in fetch_many(bucket, targets, jobs=jobs, tell=bar.update):
            if isinstance(arrived, NetworkError):
                problems.append(f"{remote.path}: {arrived}")
            if remote in shared:
                continue
            subject = remote.name.subject
            waiting[subject].discard(remote)
            if not isinstance(arrived, NetworkError):
                came[subject][remote] = arrived
            if not waiting[subject]:
                problems += _finish_person(out, left[subject], came[subject])
        for subject, choice in left.items():
            if not choice.files:
                problems.append(f"{subject}: there is nothing to fetch")
    return problems


def _require_room_for_copies(out, files):
    """Ask for twice the room where the disk has no hard links."""
    probe, twin = out / partial_name("first link"), out / partial_name("second link")
    try:
        probe.touch()
        twin.hardlink_to(probe)
    except OSError:
        require_room(_room(out, files, copies=2), out, "This disk has no hard links, so what is to be fetched needs")
    finally:
        probe.unlink(missing_ok=True)
        twin.unlink(missing_ok=True)


def _finish_person(out, choice, came):
    """Convert what has come of one person and write down that they are finished, if nothing that is needed lacks."""
    came = dict(sorted(came.items(), key=lambda item: item[0].path))  # the order of arrival shall not show
    files = list(came)
    have = type(choice)(choice.subject, files)
    if have.missing:
        return [f"{choice.subject} cannot be used without *{end}" for end in have.missing if end not in choice.missing]
    try:
        written, changes = convert_person(out, files)
    except TableError as error:
        return [f"{choice.subject} cannot be used: {error}"]
    entries = {(SOURCE / remote.path).as_posix(): entry for remote, (_, entry) in came.items()}
    entries |= {path: describe_file(out / path) for path in written}
    record = {
        "files": entries,
        # what failed is asked for again the next time
        "etags": {remote.path: arrived.etag for remote, (arrived, _) in came.items()},
        "changes": changes,
    }
    write_json(out / record_path(choice.subject), record)
    return []
