"""The real study, from OpenNeuro to this machine: what is fetched is said before, and what is there stays there."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.manifest import MANIFEST_NAME, describe_file, read_manifest, write_manifest
from data_scripts.archive import require_room, show_bytes
from data_scripts.convert import SOURCE, convert_person, link_or_copy
from data_scripts.fetch import begun_path, fetch_many
from data_scripts.folder import only_one, refuse_foreign_folder
from data_scripts.network import NetworkError, Patience
from data_scripts.old_tables import TableError, keep_people, list_changes, read_text
from data_scripts.openneuro import LESSON, Bucket
from data_scripts.partial import partial_name, remove_partial_files, whole_file
from data_scripts.records import RECORDS, StudyError, course_version, read_record, record_path, write_json
from data_scripts.resources import free_space

REQUEST = RECORDS / "download.json"
CHANGES = Path("sourcedata", "changes.tsv")
MADE_HERE = 1.1  # tables, reference images and tissue maps that are written besides take less than a tenth more
README = """Derivatives of OpenNeuro ds000030 (CC0), fetched by From Files to Findings.

The files have the names that fMRIPrep gives today. They were published under older ones; the originals are in
../../sourcedata/openneuro, and every change is a line of ../../sourcedata/changes.tsv.

Cite Poldrack et al. 2016, https://doi.org/10.1038/sdata.2016.110, for the data, and Gorgolewski et al. 2017,
https://doi.org/10.12688/f1000research.11964.2, for the derivatives.
"""
DESCRIPTION = {
    "Name": "OpenNeuro ds000030: fMRIPrep derivatives under today's names",
    "BIDSVersion": "1.10.0",
    "DatasetType": "derivative",
    "License": "CC0",
    "GeneratedBy": [{"Name": "fMRIPrep"}, {"Name": "data_scripts download", "Version": course_version()}],
}


@dataclass(frozen=True)
class Downloaded:
    """What `download_study` did, or would do.

    Attributes
    ----------
    root : Path
    n_people, n_files, n_bytes : int
        In the folder now; people who can be analysed.
    problems : list of str
        What is missing, each with the names of file and person.
    changes : Path
        Table of what was changed, relative to `root`.
    """

    root: Path
    n_people: int
    n_files: int
    n_bytes: int
    problems: list = field(default_factory=list)
    changes: Path = CHANGES


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
        return Downloaded(out, *_count(out), [problem for choice in choices for problem in choice.problems])
    require_room(_room(out, missing), out, "What is still to be fetched needs")
    with only_one(out):
        _refuse_folder(out)
        write_json(out / REQUEST, {"format": 1, "study": "ds000030", "from": f"{bucket.where}/{bucket.root}"})
        (out / MANIFEST_NAME).unlink(missing_ok=True)  # the study is not whole from here to the end
        remove_partial_files(out)
        problems = _fetch(out, bucket, choices, shared, jobs, progress)
        problems += _finish(out, bucket)
    return Downloaded(out, *_count(out), problems)


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
    refuse_foreign_folder(out, REQUEST)
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


def _finish(out, bucket):
    """Write what belongs to nobody alone: who is there, what was changed, and last the list of all files."""
    units = {path.stem: path for path in sorted((out / RECORDS).glob("sub-*.json"))}
    files, rows = {}, []
    for unit, path in units.items():
        record = read_record(out, unit)
        if record is not None:
            files |= record
            rows += json.loads(path.read_text(encoding="utf-8"))["changes"]
    people = [unit for unit in units if read_record(out, unit) is not None]
    if not people:
        return ["Nobody's files are whole."]
    problems, made = _write_root(out, people, list_changes(rows))
    for path in [*made, REQUEST, *(record_path(person) for person in people)]:
        files[Path(path).as_posix()] = describe_file(out / path)
    write_manifest(out, files, simulated=False, study="ds000030", source=f"{bucket.where}/{bucket.root}", people=people)
    return problems


def _write_root(out, people, changes):
    """Write the files of the two roots; returns problems, and the paths written."""
    derived, source = Path("derivatives", "fmriprep"), out / SOURCE
    texts = {CHANGES: changes, derived / "README": README, Path(".bidsignore"): f"{MANIFEST_NAME}\n"}
    texts[derived / ".bidsignore"] = "*_desc-confounds_timeseries.*\n*_boldref.nii.gz\n"
    problems = []
    try:
        texts[Path("participants.tsv")], absent = keep_people(read_text(source / "participants.tsv"), people)
        problems += [f"participants.tsv says nothing about {person}" for person in absent]
    except FileNotFoundError:
        problems.append("participants.tsv could not be fetched: the study cannot be opened without it")
    except TableError as error:
        problems.append(f"participants.tsv {error}")
    if not _is_description(source / derived / "dataset_description.json"):
        texts[derived / "dataset_description.json"] = f"{json.dumps(DESCRIPTION, indent=1)}\n"
    if not (source / "dataset_description.json").is_file():
        problems.append("dataset_description.json could not be fetched: the study cannot be opened without it")
    for path, text in texts.items():
        with whole_file(out / path) as file:
            file.write(text.encode())
    made = list(texts)
    for path in sorted(source.glob("*.json")) + sorted((source / derived).glob("*.json")):
        relative = path.relative_to(source)
        if relative not in texts:
            link_or_copy(path, out / relative)
            made.append(relative)
    return problems, made


def _is_description(path):
    """Whether a published description of a derivative is one that today's programs accept."""
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("DatasetType") == "derivative"
    except (OSError, ValueError, AttributeError):
        return False


def _count(out):
    """Count people, files and bytes of a finished study; zeros if there is none."""
    if not (out / MANIFEST_NAME).is_file():
        return 0, 0, 0
    manifest = read_manifest(out)
    files = [(out / name).stat() for name in manifest["files"]]
    n_bytes = sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values())  # two names are one file
    return len(manifest["people"]), len(files), n_bytes
