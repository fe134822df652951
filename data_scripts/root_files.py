"""The files that describe the study as a whole: what it is, who took part, how it was made."""

from pathlib import Path

import pandas as pd

BIDS_VERSION = "1.10.0"
DERIVATIVES = Path("derivatives", "fmriprep")
TITLE = "SIMULATED resting-state study of From Files to Findings"
WARNING = "SIMULATED DATA. Nobody was scanned. Every number here was made by a program."
IGNORED = "manifest.json\n"
# the standard's schema has no rule for these two; fMRIPrep's own .bidsignore names boldref as well
IGNORED_DERIVATIVES = "*_desc-confounds_timeseries.*\n*_boldref.nii.gz\n"
# holds for everybody, so it is said once, at the root (the standard's inheritance principle)
T1W_SPACE = {"SpatialReference": "desc-preproc_T1w image of the same subject, in their anat folder"}

README = """\
{warning}

This folder looks like a real study on purpose: a raw BIDS dataset with fMRIPrep-style derivatives, shaped like those of
OpenNeuro ds000030. It is not one. {n_people} people ({n_controls} labelled CONTROL, {n_patients} labelled SCHZ) were
simulated by `python -m data_scripts simulate` of the course From Files to Findings (profile {profile}, seed {seed}).

- No result from these images says anything about brains, schizophrenia, ageing or gender.
- The difference between the groups, its size and its direction were planted to teach with. The direction of such
  differences in real patients is contested.
- The subject labels do not occur in ds000030.
- The anatomy is the averaged brain MNI152NLin2009cAsym, warped a little for each person; the head around is invented.

What lies where
- sub-*/                     as from the scanner: a T1w image of everybody, a raw BOLD run of one person in each group
- derivatives/fmriprep/      preprocessed images and confounds, a BIDS dataset of its own
- derivatives/atlas/         the course's offline atlas, a BIDS dataset of its own
- sourcedata/truth/          what was planted
- sourcedata/records/        sizes and hashes of each person's files, and what the study was asked to be
- manifest.json              every file with its size and hash; parameters, seed and versions

`python -m data_scripts verify` checks that all of it is there; with --deep, that every byte is.
"""

CHANGES = """\
1.0.0
  - First form of the simulated study.
"""

LICENSE = """\
What the simulator adds is dedicated to the public domain under CC0 1.0 Universal
(https://creativecommons.org/publicdomain/zero/1.0/). {warning}

The anatomical images derive from the MNI152NLin2009cAsym template, whose notice is:

Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill
University. Permission to use, copy, modify, and distribute this software and its documentation for any purpose and
without fee is hereby granted, provided that the above copyright notice appear in all copies. The authors and McGill
University make no representations about the suitability of this software for any purpose. It is provided "as is"
without express or implied warranty. The authors are not responsible for any data loss, equipment damage, property loss,
or injury to subjects or patients resulting from the use or misuse of this software package.
"""

PARTICIPANTS = {
    "participant_id": {"Description": "Subject label. None of these occurs in ds000030."},
    "diagnosis": {
        "Description": "Simulated group, in the words of ds000030",
        "Levels": {"CONTROL": "simulated healthy control", "SCHZ": "simulated patient with schizophrenia"},
    },
    "age": {"Description": "Simulated age", "Units": "years"},
    "gender": {"Description": "Simulated gender, balanced in each group", "Levels": {"F": "female", "M": "male"}},
    "rest": {"Description": "Whether there is a preprocessed resting-state run", "Levels": {"1": "yes"}},
    "T1w": {"Description": "Whether there is a T1w image", "Levels": {"1": "yes"}},
}


def participants_table(people):
    """Make participants.tsv: the columns of ds000030 that have a meaning here.

    Parameters
    ----------
    people : sequence of Person

    Returns
    -------
    DataFrame, shape (n_subjects, 6)
    """
    rows = [(f"sub-{p.subject}", p.diagnosis, p.age, p.gender, 1, 1) for p in people]
    return pd.DataFrame(rows, columns=list(PARTICIPANTS))


def describe_dataset(version):
    """Make the dataset_description.json of the raw root and of the derivatives.

    Parameters
    ----------
    version : str
        Of the course's package.

    Returns
    -------
    raw, derivative : dict
    """
    shared = {
        "BIDSVersion": BIDS_VERSION,
        "License": "CC0-1.0",
        "Authors": ["contributors to From Files to Findings"],
        "ReferencesAndLinks": [
            "Fonov et al. 2011, NeuroImage 54:313 (template)",
            "Seitzman et al. 2020, NeuroImage 206:116290 (nodes and networks)",
            "Poldrack et al. 2016, Sci Data 3:160110 (ds000030, whose shape is imitated)",
        ],
    }
    made_by = {"Name": "data_scripts simulate", "Version": version}
    raw = {"Name": TITLE, "DatasetType": "raw", **shared, "Acknowledgements": WARNING, "GeneratedBy": [made_by]}
    imitated = {**made_by, "Description": "simulated directly; fMRIPrep was not run, only its file names are used"}
    derivative = {
        "Name": f"{TITLE}: fMRIPrep-style derivatives",
        "DatasetType": "derivative",
        **shared,
        "Acknowledgements": WARNING,
        "GeneratedBy": [imitated],
    }
    return raw, derivative


def root_files(people, profile_name, profile, seed, version):
    """Go through the files of the study as a whole.

    Parameters
    ----------
    people : sequence of Person
    profile_name : str
    profile : Profile
    seed : int
    version : str
        Of the course's package.

    Yields
    ------
    path : Path
        Relative to the raw BIDS root.
    content : DataFrame, dict or str
    """
    raw, derivative = describe_dataset(version)
    n_controls = sum(person.diagnosis == "CONTROL" for person in people)
    readme = README.format(
        warning=WARNING,
        n_people=len(people),
        n_controls=n_controls,
        n_patients=len(people) - n_controls,
        profile=profile_name,
        seed=seed,
    )
    yield Path("dataset_description.json"), raw
    yield Path("README"), readme
    yield Path("CHANGES"), CHANGES
    yield Path("LICENSE"), LICENSE.format(warning=WARNING)
    yield Path(".bidsignore"), IGNORED
    yield Path("participants.tsv"), participants_table(people)
    yield Path("participants.json"), PARTICIPANTS
    yield (
        Path("task-rest_bold.json"),
        {
            "RepetitionTime": profile.t_r,
            "TaskName": "rest",
            "TaskDescription": "Simulated rest: nobody was scanned.",
        },
    )
    yield DERIVATIVES / "dataset_description.json", derivative
    yield DERIVATIVES / "README", f"{WARNING}\nSee the README two folders up.\n"
    yield DERIVATIVES / ".bidsignore", IGNORED_DERIVATIVES
    yield DERIVATIVES / "task-rest_space-T1w_desc-preproc_bold.json", T1W_SPACE
    yield DERIVATIVES / "task-rest_space-T1w_desc-brain_mask.json", T1W_SPACE
