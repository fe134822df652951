"""Where a study lies on disk, and who took part in it. Paths and tables, never arrays."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

HOW_TO_MAKE = {
    "simulated": "make them with `make data` in the course's folder, or with `python -m data_scripts simulate`",
    "ds000030": "fetch them with `python -m data_scripts download ds000030`, which says first how much that is",
    "development_fmri": "fetch them with `python -m data_scripts download development_fmri`, by means of nilearn",
}
# what a page may need, and whether a study has it
NEEDS = {
    "anatomy": ("anatomical images", lambda study: any(study.derivatives.glob("sub-*/**/anat/*_T1w.nii.gz"))),
    "raw": ("raw images, as from the scanner", lambda study: any(study.root.glob("sub-*/**/*.nii.gz"))),
    "diagnosis": ("patients and controls", lambda study: "diagnosis" in study.participants),
}


class StudyNotFoundError(FileNotFoundError):
    """No study where one was looked for. Shown as one sentence in a notebook, not as a traceback."""

    def _render_traceback_(self):
        # IPython shows what this returns in place of a traceback
        return [f"StudyNotFoundError: {self}"]


@dataclass(frozen=True)
class Study:
    """One study: a raw BIDS dataset with fMRIPrep derivatives inside.

    Attributes
    ----------
    name : str
        "simulated", "ds000030" or "development_fmri".
    root : Path
        The raw BIDS dataset.
    """

    name: str
    root: Path

    @property
    def simulated(self):
        """Whether the data are made by the course's simulator, so that their truth is known.

        Returns
        -------
        bool
            True for the simulated study.
        """
        return self.name == "simulated"

    @property
    def group_column(self):
        """Name the column of `participants` that says to which of two groups a person belongs.

        Returns
        -------
        str
            "diagnosis", or "child_adult" where nobody is a patient.
        """
        return "child_adult" if self.name == "development_fmri" else "diagnosis"

    @property
    def derivatives(self):
        """Root of the fMRIPrep derivatives, a BIDS dataset of its own.

        Returns
        -------
        Path
            The folder `derivatives/fmriprep`.
        """
        return self.root / "derivatives" / "fmriprep"

    @cached_property
    def participants(self):
        """Who took part: the table participants.tsv.

        Returns
        -------
        DataFrame, shape (n_subjects, n_columns)
            One row a person, indexed by `participant_id` ("sub-19001").
        """
        table = pd.read_csv(self.root / "participants.tsv", sep="\t", na_values="n/a", dtype={"participant_id": str})
        return table.set_index("participant_id")


def find_data_folder(name):
    """Find the folder that holds the study `name`.

    `$COURSE_DATA` decides if it is set. Otherwise `data/` is looked for beside the working directory, in each folder
    above it, and beside the installed package.

    Parameters
    ----------
    name : str
        Name of the study, which is also the name of its folder.

    Returns
    -------
    Path
        The folder that has `name` in it, or should have: the first candidate when none has.
    """
    chosen = os.environ.get("COURSE_DATA")
    if chosen:
        return Path(chosen).expanduser().resolve()
    here = Path.cwd()
    package = Path(__file__).resolve().parents[1]
    candidates = [folder / "data" for folder in (here, *here.parents, package)]
    return next((c for c in candidates if (c / name / "dataset_description.json").is_file()), package / "data")


def _shorten(path):
    """Name a folder from where we are, or from the home folder, if it lies there: a page shall not show a machine's."""
    for base, sign in ((Path.cwd(), "."), (Path.cwd().parent, ".."), (Path.home(), "~")):
        if path.is_relative_to(base):
            return Path(sign, path.relative_to(base))
    return path


def open_study(name=None, *, needs=()):
    """Open a study that lies on this machine.

    Parameters
    ----------
    name : {"simulated", "ds000030", "development_fmri"}, optional
        Which one. Without it `$COURSE_DATASET` decides, and without that the simulated study is opened.
    needs : sequence of {"anatomy", "raw", "diagnosis"}
        What the study must have besides preprocessed runs and their confounds.

    Returns
    -------
    Study
        Its place and its participants.

    Raises
    ------
    ValueError
        If the name is not that of a study.
    StudyNotFoundError
        If the study is not on this machine, or is there but is not a BIDS dataset with derivatives, or lacks what is
        needed.
    """
    name = name or os.environ.get("COURSE_DATASET") or "simulated"
    if name not in HOW_TO_MAKE:
        raise ValueError(f"There is no study named {name!r}. Known are: {', '.join(HOW_TO_MAKE)}.")
    folder = find_data_folder(name)
    study = Study(name, folder / name)
    needed = [
        study.root / "dataset_description.json",
        study.root / "participants.tsv",
        study.derivatives / "dataset_description.json",
    ]
    if name == "simulated":
        needed.append(study.root / "manifest.json")  # written last: without it the study is not whole
    missing = [path for path in needed if not path.is_file()]
    if missing:
        where = "$COURSE_DATA is set to" if os.environ.get("COURSE_DATA") else "looked in"
        place, folder = _shorten(study.root), _shorten(folder)
        found = "no such folder" if not study.root.exists() else f"{missing[0].relative_to(study.root)} is not there"
        raise StudyNotFoundError(
            f"The {name} data are not at {place} ({where} {folder}; {found}): {HOW_TO_MAKE[name]}."
        )
    lacking = [what for what, has in (NEEDS[need] for need in needs) if not has(study)]
    if lacking:
        raise StudyNotFoundError(
            f"The {name} study has no {' and no '.join(lacking)}, and this page needs them. Choose another study:"
            " set the environment variable COURSE_DATASET to simulated, or take it away."
        )
    return study
