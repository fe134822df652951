"""The names of files, after the BIDS standard: write them, find them. Names, never arrays."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

MNI = "MNI152NLin2009cAsym"
ENTITY_ORDER = ("task", "from", "to", "mode", "space", "label", "desc")


def bids_path(subject, suffix, extension, *, datatype, **entities):
    """Build the path of one file, relative to the root of its BIDS dataset.

    Parameters
    ----------
    subject : str
        Subject label without "sub-".
    suffix, extension : str
        Such as "bold" and ".nii.gz".
    datatype : {"anat", "func"}
        The folder.
    **entities : str or None
        Any of task, from, to, mode, space, label, desc (a name that is a Python keyword is given as `**{"from": ...}`);
        None leaves an entity out. The order in the name is the standard's, whatever the order here.

    Returns
    -------
    Path
        Such as "sub-19001/anat/sub-19001_T1w.nii.gz".

    Raises
    ------
    ValueError
        If an entity is not known.

    Examples
    --------
    >>> bids_path("19001", "bold", ".nii.gz", datatype="func", desc="preproc", space="T1w", task="rest").as_posix()
    'sub-19001/func/sub-19001_task-rest_space-T1w_desc-preproc_bold.nii.gz'
    """
    unknown = set(entities) - set(ENTITY_ORDER)
    if unknown:
        raise ValueError(f"Unknown entities {sorted(unknown)}; known are {list(ENTITY_ORDER)}.")
    pairs = [f"{name}-{entities[name]}" for name in ENTITY_ORDER if entities.get(name)]
    return Path(f"sub-{subject}", datatype, "_".join([f"sub-{subject}", *pairs, suffix]) + extension)


@dataclass(frozen=True)
class Run:
    """One resting-state run of one person, preprocessed: where each of its files is.

    Attributes
    ----------
    subject : str
        Label without "sub-".
    space : str
        Reference space of the images.
    bold, mask, confounds : Path
        4-D image, brain mask on the same grid, confounds table (one row a volume).
    t_r : float
        Repetition time in seconds, from the image's JSON file.
    """

    subject: str
    space: str
    bold: Path
    mask: Path
    confounds: Path
    t_r: float


def open_layout(study):
    """Index the derivatives of a study with pybids, or reuse the index made last time.

    The index is a database file in the user's cache folder. Its name holds a digest of the study's place and
    of its list of files, because pybids itself does not notice that a saved index has gone stale.

    Parameters
    ----------
    study : Study
        From `course_utils.dataset.open_study`.

    Returns
    -------
    BIDSLayout
        Of `study.derivatives` alone.
    """
    from bids import BIDSLayout  # slow to import, and those who only build names do not need it

    root = study.derivatives.resolve()
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    digest = hashlib.sha256("\n".join([str(root), *files]).encode()).hexdigest()[:16]
    cache = Path(platformdirs.user_cache_path("course_utils"), "layouts", digest)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{cache}.lock"):  # two notebooks may ask at once, and an index half made looks like one of no files
        if not (cache / "whole").is_file():
            shutil.rmtree(cache, ignore_errors=True)
        layout = BIDSLayout(root, is_derivative=True, database_path=cache)
        (cache / "whole").touch()
    return layout


def find_task(layout):
    """Say which task the runs are of: rest, or the only one that there is.

    Parameters
    ----------
    layout : BIDSLayout
        Of the derivatives.

    Returns
    -------
    str
        Task label.

    Raises
    ------
    ValueError
        If nobody was at rest and there are several other tasks, or none.
    """
    tasks = layout.get_tasks(suffix="bold", extension=".nii.gz")  # asked of all files, pybids loads every one of them
    if "rest" in tasks:
        return "rest"
    if len(tasks) != 1:
        raise ValueError(f"Found the tasks {', '.join(tasks) or 'none'}; expected rest, or one only: say which.")
    return tasks[0]


def find_run(layout, subject, *, space=MNI, task=None):
    """Find the files of one preprocessed run.

    Parameters
    ----------
    layout : BIDSLayout
        Of the derivatives.
    subject : str
        Label, with or without "sub-".
    space : str
        Reference space of the images.
    task : str, optional
        Task label; without it that of `find_task`.

    Returns
    -------
    Run
        The places of its files, and its repetition time.

    Raises
    ------
    ValueError
        If the subject is not in the layout, or one of the files is missing or not unique.
    """
    subject = subject.removeprefix("sub-")
    known = layout.get_subjects()
    if subject not in known:
        raise ValueError(f"There is no subject {subject!r} here. Found: {', '.join(known)}.")

    task = task or find_task(layout)

    def _only(**entities):
        """Find the one file of the subject that has these entities."""
        found = layout.get(subject=subject, task=task, **entities)
        if len(found) != 1:
            wanted = ", ".join(f"{name}={value}" for name, value in entities.items())
            raise ValueError(f"Found {len(found)} files of sub-{subject}, task {task}, with {wanted}; expected one.")
        return found[0]

    bold = _only(space=space, desc="preproc", suffix="bold", extension=".nii.gz")
    mask = _only(space=space, desc="brain", suffix="mask", extension=".nii.gz")
    table = _only(desc="confounds", suffix="timeseries", extension=".tsv")
    return Run(
        subject, space, Path(bold.path), Path(mask.path), Path(table.path), bold.get_metadata()["RepetitionTime"]
    )
