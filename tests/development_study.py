"""A look-alike of nilearn's `development_fmri`, made from a simulated study, where nilearn's fetcher finds its files.

`python tests/development_study.py data/simulated /tmp/look` puts it into /tmp/look/nilearn_data and makes the study
/tmp/look/development_fmri of it, which `COURSE_DATA=/tmp/look COURSE_DATASET=development_fmri` opens.
"""

import argparse
import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.image import resample_img

NAME = "development_fmri"
MNI = "MNI152NLin2009cAsym"
# what nilearn keeps of a table when it reduces it, except for framewise displacement and components
FEW = [*(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"), "csf", "white_matter"]
FEW += ["framewise_displacement"]
AFFINE = np.diag([4.0, 4, 4, 1])
AFFINE[:3, 3] = (-96, -132, -78)
SHAPE = (50, 59, 50)
# columns of the real table, of which nilearn reads six
HEAD = ["participant_id", "Age", "AgeGroup", "Child_Adult", "Gender", "Handedness", "ToM Booklet-Matched"]


def list_people(n_adults, n_children):
    """Make the table of participants; children come first, as in the real one."""
    kinds = ["child"] * n_children + ["adult"] * n_adults
    rows = [
        (f"sub-pixar{i + 1:03}", 4.5 + i % 8 if kind == "child" else 20.5 + i % 15, "4yo", kind, "MF"[i % 2], "R", 0.5)
        for i, kind in enumerate(kinds)
    ]
    return pd.DataFrame(rows, columns=HEAD)


def place(study, folder, *, reduced=False):
    """Put the people of a simulated study where nilearn looks for `development_fmri`.

    Parameters
    ----------
    study : Path
        Raw root. Controls become adults, patients children.
    folder : Path
        nilearn's data folder.
    reduced : bool
        Tables with few columns: no global signal, no differences, no components.

    Returns
    -------
    Path
        The folder with the files.
    """
    people = pd.read_csv(study / "participants.tsv", sep="\t", index_col="participant_id")
    order = people["diagnosis"].sort_values(ascending=False, kind="stable").index  # SCHZ first
    n_adults = int((people["diagnosis"] == "CONTROL").sum())
    table, out = list_people(n_adults, len(people) - n_adults), folder / NAME
    out.mkdir(parents=True)
    table.to_csv(out / "participants.tsv", sep="\t", index=False)
    for subject, label in zip(order, table["participant_id"], strict=True):
        stem = study / "derivatives/fmriprep" / subject / "func" / f"{subject}_task-rest"
        confounds = pd.read_csv(f"{stem}_desc-confounds_timeseries.tsv", sep="\t", dtype=str, keep_default_na=False)
        confounds = confounds[FEW] if reduced else confounds
        confounds.to_csv(out / f"{label}_task-pixar_desc-confounds_regressors.tsv", sep="\t", index=False)
        img = nib.load(f"{stem}_space-{MNI}_desc-preproc_bold.nii.gz")
        coarse = resample_img(img, AFFINE, SHAPE, interpolation="nearest", copy_header=True, force_resample=True)
        coarse = nib.Nifti1Image(np.asarray(coarse.dataobj, np.float32), AFFINE)
        path = out / f"{label}_task-pixar_space-{MNI}_desc-preproc_bold.nii.gz"
        path.write_bytes(gzip.compress(coarse.to_bytes(), 1, mtime=0))
    return out


def main():
    """Place the files, and make the study of them with the command line's own function."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--reduced", action="store_true")
    options = parser.parse_args()
    place(options.study, options.out / "nilearn_data", reduced=options.reduced)
    os.environ["NILEARN_DATA"] = str(options.out / "nilearn_data")
    from data_scripts.development import download_development

    n_people = len(pd.read_csv(options.study / "participants.tsv", sep="\t"))
    print(download_development(options.out / NAME, n_people=n_people))


if __name__ == "__main__":
    main()
