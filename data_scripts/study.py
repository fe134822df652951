"""The whole study: everybody's files, written in parallel, whole or not at all, continued after an interruption."""

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from course_utils.manifest import ManifestError, check_manifest, describe_file, read_manifest, write_manifest
from data_scripts.generator import Generator
from data_scripts.parameters import PROFILES, SEED, list_constants
from data_scripts.records import (
    REQUEST,
    Request,
    StudyError,
    course_version,
    python_version,
    read_record,
    read_request,
    record_path,
    write_json,
    write_record,
)
from data_scripts.resources import choose_jobs, require_space
from data_scripts.roster import RosterError, choose_people

LOCK = ".simulate.lock"
HARMLESS = {LOCK, ".DS_Store", "Thumbs.db", ".gitkeep", ".gitignore"}  # do not make a folder somebody else's
WATCH_EVERY = 0.5  # seconds between a worker's looks whether the main process still lives


@dataclass(frozen=True)
class Report:
    """What `simulate_study` did.

    Attributes
    ----------
    root : Path
    n_people, n_made : int
        In the study; made just now.
    n_files, n_bytes : int
    seconds : float
    """

    root: Path
    n_people: int
    n_made: int
    n_files: int
    n_bytes: int
    seconds: float


def simulate_study(out, *, profile="course", seed=SEED, subjects=None, jobs=None, progress=False, generator=None):
    """Make the simulated study in a folder, or finish it, or find that it is whole.

    Parameters
    ----------
    out : path-like
        The raw BIDS root: a new or empty folder, or one that an earlier call with the same request has begun.
    profile : str
        Name in `parameters.PROFILES`.
    seed : int
        Not negative. The same seed gives the same bytes, whatever the number of jobs.
    subjects : int or sequence of str, optional
        Number of people, half in each group, or labels; without it as many as the profile has.
    jobs : int, optional
        Processes at once. Without it one a processor, fewer where memory is short.
    progress : bool
        Show a progress bar on a terminal.
    generator : Generator, optional
        What fills the files.

    Returns
    -------
    Report

    Raises
    ------
    StudyError
        If the request makes no sense, the folder is somebody else's or holds another study, or the disk is full,
        or a worker was killed. Nothing that was there before is changed, and finished people stay.
    """
    start, out = time.perf_counter(), Path(out).expanduser().absolute()
    people, generator = _read_request(profile, seed, subjects, jobs), generator or Generator()
    request = Request.now(profile, seed, people, generator.code())
    manifest = _find_whole_study(out, request)
    n_made = 0
    if manifest is None:
        _refuse_foreign_folder(out)
        with _only_one(out):
            manifest = _find_whole_study(out, request)  # made by another process while we waited?
            if manifest is None:
                n_made = _make_study(out, request, people, jobs, progress, generator)
                manifest = read_manifest(out)
    n_bytes = sum(entry["bytes"] for entry in manifest["files"].values())
    return Report(out, len(people), n_made, len(manifest["files"]), n_bytes, time.perf_counter() - start)


def _read_request(profile, seed, subjects, jobs):
    """Check what was asked for; returns the people."""
    if profile not in PROFILES:
        raise StudyError(f"There is no profile {profile!r}: choose one of {', '.join(PROFILES)}.")
    if seed < 0:
        raise StudyError(f"The seed is {seed}: choose 0 or a positive whole number.")
    if jobs is not None and jobs < 1:
        raise StudyError(f"{jobs} jobs were asked for: at least 1 process is needed.")
    try:
        return choose_people(subjects, seed, PROFILES[profile].n_per_group)
    except RosterError as error:
        raise StudyError(str(error)) from None


def _find_whole_study(out, request):
    """Return the manifest if the study asked for is there with all its files, otherwise None."""
    try:
        manifest = read_manifest(out)
    except ManifestError:
        return None
    if "request" not in manifest:
        return None  # of something else
    request.compare(manifest["request"], out, whole=True)
    return None if check_manifest(out) else manifest


def _refuse_foreign_folder(out):
    if out.exists() and not out.is_dir():
        raise StudyError(f"{out} is a file, and a folder is needed: choose another one with --out.")
    if out.is_dir() and not (out / REQUEST).is_file():
        other = next((path for path in out.rglob("*") if path.is_file() and not _is_harmless(path)), None)
        if other is not None:
            raise StudyError(
                f"{out} holds something else ({other.relative_to(out)}), which is left alone: choose a new or empty"
                " folder with --out."
            )


def _is_harmless(path):
    return path.name in HARMLESS or path.name.endswith(".part")


@contextmanager
def _only_one(out):
    """Hold the lock of a study's folder; OSErrors of everything inside become one sentence."""
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


def _make_study(out, request, people, jobs, progress, generator):
    """Make everything that is not there yet; the manifest comes last. Returns how many people were made."""
    from data_scripts.root_files import root_files
    from data_scripts.write_bids import remove_partial_files

    _refuse_foreign_folder(out)
    known = read_request(out)
    if known is None:
        require_space(out, PROFILES[request.profile], people)
        write_json(out / REQUEST, request.describe())
    else:
        request.compare(known, out, whole=False)
    (out / "manifest.json").unlink(missing_ok=True)  # the study is not whole from here to the end
    remove_partial_files(out)
    profile = PROFILES[request.profile]
    missing = [person for person in people if read_record(out, f"sub-{person.subject}") is None]
    require_space(out, profile, missing)
    make_unit(out, "root", root_files(people, request.profile, profile, request.seed, course_version()))
    if read_record(out, "atlas") is None:
        make_unit(out, "atlas", generator.atlas_files())
    if missing:
        _make_people(out, missing, profile, request.seed, jobs or choose_jobs(len(missing)), progress, generator)
    remove_partial_files(out)  # an earlier run's last worker may have outlived our first look
    _write_manifest(out, request, people, profile)
    return len(missing)


def _make_people(out, people, profile, seed, jobs, progress, generator):
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from tqdm import tqdm

    main, jobs = os.getpid(), min(jobs, len(people))
    options = {"inner_max_num_threads": 1} if jobs > 1 else {}
    bar = tqdm(total=len(people), desc="Simulating", unit="person", smoothing=0, disable=None if progress else True)
    try:
        with bar, parallel_config("loky" if jobs > 1 else "sequential", n_jobs=jobs, **options):
            ingredients = generator.load_ingredients(profile)
            tasks = (
                delayed(make_person)(out, person, profile, ingredients, seed, generator, main) for person in people
            )
            for _ in Parallel(return_as="generator_unordered")(tasks):
                bar.update()
    except KeyboardInterrupt:
        if jobs > 1:
            get_reusable_executor().shutdown(kill_workers=True)
        raise
    except TerminatedWorkerError:
        raise StudyError(
            f"A worker process was killed, most likely because memory ran out with {jobs} at once: run the same command"
            f" with --jobs {jobs - 1 or 1}. It continues from the people that are finished."
        ) from None


def make_person(out, person, profile, ingredients, seed, generator, main):
    """Write all files of one person, then their record. Runs in a worker, on one thread.

    Parameters
    ----------
    out : Path
    person : Person
    profile : Profile
    ingredients : object
        From `generator.load_ingredients`.
    seed : int
    generator : Generator
    main : int
        Process that waits for the result; the worker ends when it is gone.
    """
    from threadpoolctl import threadpool_limits

    if os.getpid() != main:
        _end_with(main)
    with threadpool_limits(1):  # sums in another order would change the last bit
        make_unit(out, f"sub-{person.subject}", generator.simulate_person(person, profile, ingredients, seed))


@cache
def _end_with(main):
    """Tie a worker to the process `main`: Ctrl-C is left to that one, and when it ends, be it by kill -9, so do we."""
    import psutil

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        while os.getppid() == main and psutil.pid_exists(main):
            time.sleep(WATCH_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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


def _write_manifest(out, request, people, profile):
    files, units = {}, ["root", "atlas", *(f"sub-{person.subject}" for person in people)]
    for unit in units:
        record = read_record(out, unit)
        if record is None:
            raise StudyError(f"Files of {unit} disappeared from {out} in the meantime: run the same command again.")
        files |= record
    for path in (REQUEST, *map(record_path, units)):
        files[path.as_posix()] = describe_file(out / path)
    write_manifest(
        out,
        files,
        simulated=True,
        request=request.describe(),
        versions={"course": course_version(), "python": python_version(), **dict(request.versions)},
        profile=asdict(profile),
        constants=list_constants(),
    )


def default_folder():
    """Where the study goes unless told otherwise: `$COURSE_DATA/simulated`, or `data/simulated` in the course's folder.

    Returns
    -------
    Path
    """
    chosen = os.environ.get("COURSE_DATA")
    if chosen:
        return Path(chosen).expanduser().absolute() / "simulated"
    course = Path(__file__).resolve().parents[1]
    base = course if (course / "pyproject.toml").is_file() else Path.cwd()
    return base / "data" / "simulated"
