"""The whole study: everybody's files, written in parallel, whole or not at all, continued after an interruption."""

import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from course_utils.manifest import ManifestError, check_manifest, describe_file, read_manifest, write_manifest
from data_scripts.folder import only_one, refuse_foreign_folder
from data_scripts.generator import Generator
from data_scripts.parameters import list_constants
from data_scripts.partial import remove_partial_files
from data_scripts.plan import plan_study, relabel
from data_scripts.records import (
    REQUEST,
    UNPACKING,
    Request,
    StudyError,
    course_version,
    python_version,
    read_record,
    read_request,
    record_path,
    write_json,
)
from data_scripts.resources import choose_jobs, require_memory, require_space
from data_scripts.roster import RosterError, choose_people
from data_scripts.workers import make_parts, make_unit


@dataclass(frozen=True)
class Report:
    """What `simulate_study` did.

    Attributes
    ----------
    root : Path
    profile, seed : str, int
        Of the study.
    n_people, n_made : int
        In the study; made just now.
    n_files, n_bytes : int
    seconds : float
    """

    root: Path
    profile: str
    seed: int
    n_people: int
    n_made: int
    n_files: int
    n_bytes: int
    seconds: float


def simulate_study(
    out, *, profile=None, seed=None, subjects=None, parameters=None, jobs=None, progress=False, generator=None
):
    """Make the simulated study in a folder, or finish it, or find that it is whole.

    Parameters
    ----------
    out : path-like
        The raw BIDS root: a new or empty folder, or one that an earlier call with the same request has begun.
    profile : str, optional
        Name in `parameters.PROFILES`; "course" without it.
    seed : int, optional
        Not negative; `parameters.SEED` without it. The same seed gives the same bytes, whatever the number of jobs.
    subjects : int or sequence of str, optional
        Number of people, half in each group, or labels; without it as many as the profile has.
    parameters : path-like, optional
        A file that says what else differs from the course's study, see `study_file`.
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
        If the request makes no sense, the folder is somebody else's or holds another study, there is too little
        memory, the disk is full, or a worker was killed. Nothing that was there before is changed, and finished
        people stay.
    """
    start, out, generator = time.perf_counter(), Path(out).expanduser().absolute(), generator or Generator()
    plan = plan_study(profile, seed, subjects, parameters)
    people = _choose_people(plan, jobs)
    request = Request.now(plan, people, generator.code())
    manifest = _find_whole_study(out, request)
    n_made = 0
    if manifest is None:
        _refuse_to_begin(out, request, people, plan, generator)
        with only_one(out):
            manifest = _find_whole_study(out, request)  # made by another process while we waited?
            if manifest is None:
                n_made = _make_study(out, request, people, plan, jobs, progress, generator)
                manifest = read_manifest(out)
    n_bytes = sum(entry["bytes"] for entry in manifest["files"].values())
    seconds = time.perf_counter() - start
    return Report(out, plan.profile_name, plan.seed, len(people), n_made, len(manifest["files"]), n_bytes, seconds)


def _choose_people(plan, jobs):
    if jobs is not None and jobs < 1:
        raise StudyError(f"{jobs} jobs were asked for: at least 1 process is needed.")
    try:
        return choose_people(plan.subjects, plan.seed, plan.profile.n_per_group)
    except RosterError as error:
        raise StudyError(str(error)) from None


def _find_whole_study(out, request):
    """Return the manifest if the study asked for is there with all its files, otherwise None."""
    try:
        manifest = read_manifest(out)
    except ManifestError:
        return None
    if not isinstance(manifest.get("request"), dict):
        return None  # of something else
    request.compare(manifest["request"], out, whole=True)
    return None if check_manifest(out) else manifest


def _refuse_to_begin(out, request, people, plan, generator):
    """Say before anything is written what stands against it."""
    refuse_foreign_folder(out, REQUEST)
    known = read_request(out)
    if known is not None:
        request.compare(known, out, whole=False)
    missing = [person for person in people if known is None or read_record(out, f"sub-{person.subject}") is None]
    require_space(out, plan.profile, missing)
    if not missing:
        return
    require_memory(plan.profile)
    if plan.changes.keys() - {"name"} and known is None:
        try:
            generator.try_parameters(people, plan)
        except (ValueError, ArithmeticError, IndexError) as error:
            raise StudyError(
                f"With these parameters nobody can be simulated ({error}): choose values nearer to the default."
                " Nothing was written."
            ) from error


def _make_study(out, request, people, plan, jobs, progress, generator):
    """Make everything that is not there yet; the manifest comes last. Returns how many people were made."""
    from tqdm import tqdm

    refuse_foreign_folder(out, REQUEST)
    known = read_request(out)
    if known is None:
        write_json(out / REQUEST, request.describe())
    else:
        request.compare(known, out, whole=False)
    for name in ("manifest.json", UNPACKING):  # the study is not whole from here to the end
        (out / name).unlink(missing_ok=True)
    remove_partial_files(out)
    missing = [person for person in people if read_record(out, f"sub-{person.subject}") is None]
    require_space(out, plan.profile, missing)
    others = [partial(_make_root, out, people, plan)]
    if read_record(out, "atlas") is None:
        others.append(partial(_make_atlas, out, generator))
    jobs = min(jobs or choose_jobs(plan.profile, len(missing)), max(1, len(missing)))
    options = {"desc": "Simulating", "unit": "person", "smoothing": 0, "disable": None if progress else True}
    with tqdm(total=len(missing), **options) as bar:
        for _ in make_parts(out, missing, plan, jobs, generator, others):
            bar.update()
    remove_partial_files(out)  # an earlier run's last worker may have outlived our first look
    _write_manifest(out, request, people, plan)
    return len(missing)


def _make_root(out, people, plan):
    from data_scripts.root_files import root_files

    described = root_files(people, plan.profile_name, plan.profile, plan.seed, course_version())
    make_unit(out, "root", relabel(described, plan))


def _make_atlas(out, generator):
    make_unit(out, "atlas", generator.atlas_files())


def _write_manifest(out, request, people, plan):
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
        profile=asdict(plan.profile),
        constants=list_constants(plan.physics),
    )
