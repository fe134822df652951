"""The study `development_fmri`: nilearn fetches it, and here it gets the form that the course's code expects.

Children and adults watch a short film (task "pixar"), so these are no resting runs. nilearn has functional images in
coarse voxels and confounds tables, from the Open Science Framework: no anatomy, no brain masks, no raw data. What is
made here is a line of the table of changes. What could not be tried is the live server itself.
"""

import gzip
import shutil
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import requests
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from nilearn.datasets import fetch_development_fmri, get_data_dirs
from nilearn.masking import compute_epi_mask

from course_utils.layout import MNI, bids_path
from course_utils.manifest import MANIFEST_NAME, write_manifest
from data_scripts.convert import SKULL, link_or_copy
from data_scripts.fetched import (
    CHANGES,
    DERIVED,
    REQUEST,
    Downloaded,
    as_json,
    count_study,
    refuse_other_study,
    write_atlas,
    write_texts,
)
from data_scripts.folder import HARMLESS, only_one
from data_scripts.network import NetworkError
from data_scripts.old_tables import TableError, convert_table, describe_columns, list_changes, read_text
from data_scripts.partial import remove_partial_files, whole_file
from data_scripts.records import StudyError, course_version, write_json
from data_scripts.resources import free_space

NAME, TASK = "development_fmri", "pixar"
N_PEOPLE, MOST = 30, 155
COLUMNS = {
    "participant_id": "participant_id", "Age": "age", "Gender": "gender", "Child_Adult": "child_adult",
    "AgeGroup": "age_group", "Handedness": "handedness",
}  # fmt: skip
LICENSE = "usage is unrestricted for non-commercial research purposes (nilearn's description of it)"
CITE = "Richardson et al. 2018, https://doi.org/10.1038/s41467-018-03399-2"
README = f"""OpenNeuro ds000228 as nilearn.datasets.fetch_development_fmri gives it.

Children and adults watch a film: not a resting state. Images of 4 mm, in space {MNI}. There is no anatomy. Brain masks
were computed here; this and every other change is a line of ../../sourcedata/changes.tsv. Cite {CITE}.
"""


def download_development(out, *, n_people=N_PEOPLE, dry_run=False, verbose=1, say=print):
    """Fetch the study through nilearn, or finish that, or add people.

    Parameters
    ----------
    out : path-like
        A new or empty folder, or one of an earlier call. nilearn keeps its own copies in its data folder; images are
        hard links to those where the disk allows it.
    n_people : int
        How many. nilearn chooses them: the first children and the first adults, in the proportion of all 155.
    dry_run : bool
        Fetch nothing, write nothing.
    verbose : int
        As nilearn takes it: 0 for silence.
    say : callable
        Called with each sentence for the person who asked.

    Returns
    -------
    Downloaded
        Somebody whose files are damaged is in `problems` and left out.

    Raises
    ------
    StudyError
        If nothing can be fetched, or something else is in the folder.
    """
    out = Path(out).expanduser().absolute()
    if not 2 <= n_people <= MOST:
        raise StudyError(f"Found {n_people} people; expected a number from 2 to {MOST}.")
    say(f"{NAME} through nilearn: {n_people} people who watch a film, voxels of 4 mm; it does not say how many bytes.")
    say(f"nilearn looks for it, and keeps it, in {' or '.join(map(str, get_data_dirs()))}; the study goes to {out}")
    if dry_run:
        return Downloaded(out, *count_study(out))
    refuse_other_study(out, NAME)
    free_space(out)  # says so if it is read-only
    with only_one(out):
        refuse_other_study(out, NAME)
        write_json(out / REQUEST, {"format": 1, "study": NAME, "from": "nilearn.datasets.fetch_development_fmri"})
        fetched = _fetch(n_people, verbose)
        (out / MANIFEST_NAME).unlink(missing_ok=True)  # the study is not whole from here to the end
        remove_partial_files(out)
        rows, problems, people = [], [], []
        for subject, run, table in zip(
            fetched.phenotypic["participant_id"], fetched.func, fetched.confounds, strict=True
        ):
            try:
                rows += _place_person(out, subject, Path(run), Path(table), float(fetched.t_r))
                people.append(subject)
            except TableError as error:
                problems.append(f"{subject} cannot be used: {error}")
        if not people:
            raise StudyError(f"Nobody's files are whole. The first: {problems[0]}")
        _write_roots(out, fetched.phenotypic, people, rows)
    return Downloaded(out, *count_study(out), problems)


def _fetch(n_people, verbose):
    """Let nilearn fetch what it does not have; all that goes wrong is one sentence."""
    try:
        # the whole tables: nilearn's reduced ones lack the global signal and all differences
        return fetch_development_fmri(n_subjects=n_people, reduce_confounds=False, verbose=verbose)
    except requests.RequestException as error:
        raise NetworkError(
            f"nilearn could not fetch {NAME}: {type(error).__name__}. Check the connection; the same command goes on"
            " with the files that have come."
        ) from error
    except (ValueError, IndexError) as error:
        raise StudyError(
            f"nilearn has no table of participants that fits: {error}. Delete {NAME}/participants.tsv in its data"
            " folder and give the same command again."
        ) from error


def _place_person(out, subject, run, table, t_r):
    """Put one person's files into the study; returns the rows of the table of changes."""
    label, run = subject.removeprefix("sub-"), run.resolve()
    img = _read_run(run)
    mask_img = compute_epi_mask(img, verbose=0)
    text, changes = _convert_table(table, np.asanyarray(img.dataobj), np.asarray(mask_img.dataobj) > 0)

    def place(suffix, extension, **entities):
        return DERIVED / bids_path(label, suffix, extension, datatype="func", task=TASK, **entities)

    bold = place("bold", ".nii.gz", space=MNI, desc="preproc")
    sidecar = place("bold", ".json", space=MNI, desc="preproc")
    mask = place("mask", ".nii.gz", space=MNI, desc="brain")
    confounds = place("timeseries", ".tsv", desc="confounds")
    link_or_copy(run, out / bold)
    with whole_file(out / mask) as file:
        file.write(gzip.compress(mask_img.to_bytes(), compresslevel=1, mtime=0))
    about = {"RepetitionTime": t_r, "TaskName": TASK, **SKULL}
    texts = {sidecar: as_json(about), confounds: text, confounds.with_suffix(".json"): as_json(describe_columns(text))}
    write_texts(out, texts)
    what = {
        bold: ["a second name for nilearn's file"],
        sidecar: [f"written: RepetitionTime {t_r:g} s, from nilearn"],
        mask: ["computed: nilearn's compute_epi_mask of the run; none was published"],
        confounds: ["renamed", *changes],
    }
    return [(run.name, path.as_posix(), change) for path, changes in what.items() for change in changes]


def _read_run(run):
    """Read an image to its last byte, so that a damaged one is noticed here and not in a lesson."""
    try:
        img = nib.Nifti1Image.from_bytes(gzip.decompress(run.read_bytes()))
        shape = np.asanyarray(img.dataobj).shape
    except (OSError, EOFError, zlib.error, ValueError, ImageFileError, HeaderDataError, WrapStructError) as error:
        raise TableError(f"{run} is damaged ({error}). Delete it, and the same command fetches it again.") from error
    if len(shape) != 4:
        raise TableError(f"{run} has the shape {shape}, and a run of volumes was expected.")
    return img


def _convert_table(path, values, mask):
    """Bring a confounds table up to date; the global signal is computed if it lacks."""
    try:
        text = read_text(path)
        head, *lines = text.splitlines() or [""]
        if len(lines) != values.shape[3]:
            raise TableError(f"has {len(lines)} rows, for {values.shape[3]} volumes.")
        before = []
        if not {"global_signal", "GlobalSignal"} & set(head.split("\t")):
            signal = [f"{line}\t{value:.6f}" for line, value in zip(lines, values[mask].mean(axis=0), strict=True)]
            text = "\n".join([f"{head}\tglobal_signal", *signal, ""])
            before = ["computed: global_signal, the mean of the run in the brain mask; none was published"]
        text, changes = convert_table(text)
    except TableError as error:
        raise TableError(f"{path} {error} Delete it, and the same command fetches it again.") from None
    return text, [*before, *changes]


def _write_roots(out, phenotypic, people, rows):
    """Write what belongs to nobody alone, and last the list of all files."""
    table = phenotypic.rename(columns=COLUMNS)[list(COLUMNS.values())]
    table = table[table["participant_id"].isin(people)]
    about = {"Name": f"{NAME}: OpenNeuro ds000228, as nilearn gives it", "BIDSVersion": "1.10.0", "License": LICENSE}
    about["HowToAcknowledge"] = f"Cite {CITE}."
    made_by = [{"Name": "fMRIPrep"}, {"Name": "data_scripts download", "Version": course_version()}]
    derived = {**about, "DatasetType": "derivative", "GeneratedBy": made_by}
    write_texts(
        out,
        {
            CHANGES: list_changes(rows),
            Path("participants.tsv"): table.to_csv(sep="\t", index=False, na_rep="n/a"),
            Path("dataset_description.json"): as_json(about),
            Path(".bidsignore"): f"{MANIFEST_NAME}\n",
            DERIVED / "dataset_description.json": as_json(derived),
            DERIVED / ".bidsignore": "*_desc-confounds_timeseries.*\n",
            DERIVED / "README": README,
        },
    )
    write_atlas(out)
    for folder in (out / DERIVED).glob("sub-*"):  # of an earlier call, and not asked for now; nilearn keeps its copy
        if folder.name not in people:
            shutil.rmtree(folder)
    files = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file() and path.name not in HARMLESS]
    write_manifest(out, files, simulated=False, study=NAME, source="nilearn", people=people)
