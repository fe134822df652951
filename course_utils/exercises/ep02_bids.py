"""Exercises of episode 02, *Exploring a BIDS dataset*: find files by what they are, count people, read a sidecar."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import pandas as pd
from bids import BIDSLayout
from bids.layout import Query

from course_utils.dataset import open_study
from course_utils.exercises._compare import Files, Mapping, Number
from course_utils.exercises._engine import Exercise, KnownCase, Wrong
from course_utils.layout import MNI, open_layout

# --- a dataset of empty files, small enough to name the right answers by hand -----------------------------------------
TOY_T_R = 1.5  # s
TOY_FILES = [
    "sub-01/anat/sub-01_desc-preproc_T1w.json",
    "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz",
    "sub-01/anat/sub-01_desc-brain_mask.nii.gz",
    "sub-01/anat/sub-01_space-MNI152NLin2009cAsym_desc-preproc_T1w.nii.gz",
    "sub-01/func/sub-01_task-rest_desc-confounds_timeseries.tsv",
    "sub-01/func/sub-01_task-rest_space-T1w_boldref.nii.gz",
    "sub-01/func/sub-01_task-rest_space-T1w_desc-preproc_bold.json",
    "sub-01/func/sub-01_task-rest_space-T1w_desc-preproc_bold.nii.gz",
    "sub-01/func/sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.json",
    "sub-01/func/sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz",
    "sub-02/anat/sub-02_desc-preproc_T1w.nii.gz",
    "sub-02/func/sub-02_task-rest_run-1_space-T1w_desc-preproc_bold.nii.gz",
    "sub-02/func/sub-02_task-rest_run-2_space-T1w_desc-preproc_bold.nii.gz",
]
TOY_T1W_RUNS = [
    "sub-01_task-rest_space-T1w_desc-preproc_bold.nii.gz",
    "sub-02_task-rest_run-1_space-T1w_desc-preproc_bold.nii.gz",
    "sub-02_task-rest_run-2_space-T1w_desc-preproc_bold.nii.gz",
]
TOY_MNI_RUNS = ["sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"]
TOY_NATIVE_T1W = ["sub-01_desc-preproc_T1w.nii.gz", "sub-02_desc-preproc_T1w.nii.gz"]


def make_toy_layout():
    """Index the toy dataset, as inputs of an exercise. Its files are gone afterwards; names and metadata are not."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        description = {"Name": "toy", "BIDSVersion": "1.10.0", "GeneratedBy": [{"Name": "nobody"}]}
        (root / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")
        for path in map(root.joinpath, TOY_FILES):
            path.parent.mkdir(parents=True, exist_ok=True)
            metadata = {"RepetitionTime": TOY_T_R} if path.name.endswith("bold.json") else {}
            path.write_text(json.dumps(metadata), encoding="utf-8")
        return {"layout": BIDSLayout(root, is_derivative=True)}


def open_course_layout():
    """Open the index of the study at hand, as inputs of an exercise."""
    return {"layout": open_layout(open_study())}


# --- makers of wrong solutions ----------------------------------------------------------------------------------------
def asking_for(extension=".nii.gz", **filters):
    """Ask the layout for other files than one should; the extension can be left out with None."""
    filters = filters if extension is None else {**filters, "extension": extension}
    return lambda layout: layout.get(return_type="file", **filters)


def for_one_person(solve):
    """Keep only the files of the first person. Who that is stands in the names: to ask the layout again is slow."""

    def keep(layout):
        names = [Path(file).name for file in solve(layout)]
        first = min(name.partition("_")[0] for name in names)
        return [name for name in names if name.startswith(f"{first}_")]

    return keep


def on_disk(pattern):
    """Look on the disk, from the raw dataset down."""
    return lambda layout: [str(path) for path in Path(layout.root).parents[1].glob(pattern)]


NOTHING = "No file passes all of your filters, and pybids says nothing when a value never occurs. "
SIDECARS = "The JSON sidecar of each image is in your list too: it has the entities and the suffix of its image."
ONE_PERSON = "These are the files of one person. Without a subject, the layout searches in everyone's folder."
NO_MASKS = "Masks and reference images are in your list too. Which part of the name says that a file is a run?"
EVERY_SPACE = "These are the runs in every space. Narrow them down to one."


# --- the preprocessed runs --------------------------------------------------------------------------------------------
def find_preprocessed_runs(layout):
    """Find the preprocessed runs of everyone, in every space."""
    return layout.get(suffix="bold", desc="preproc", extension=".nii.gz")


preprocessed_runs = Exercise(
    title="All preprocessed runs",
    solve=find_preprocessed_runs,
    compare=Files(what="images"),
    hints=[
        "Look at the name of one preprocessed run. Which of its parts do all of them share?",
        "Their suffix is the kind of image, their desc the version of it. One more part tells it from its sidecar.",
        "Give layout.get a suffix, a desc and an extension, and nothing else that narrows the search.",
    ],
    wrong={
        "raw_too": Wrong(
            on_disk("**/*_bold.nii.gz"),
            "Raw runs are among them: you searched the whole study. The layout knows only the derivatives.",
        ),
        "sidecars": Wrong(asking_for(suffix="bold", desc="preproc", extension=None), SIDECARS),
        "masks_and_references": Wrong(asking_for(datatype="func"), NO_MASKS),
        "anatomy_too": Wrong(
            asking_for(desc="preproc"),
            "Anatomical images are in your list too: desc says which version of an image a file is, not which kind.",
        ),
        "swapped": Wrong(
            asking_for(suffix="preproc", desc="bold"),
            f"{NOTHING}Are desc and suffix swapped, or does a subject's label begin with 'sub-'?",
        ),
        "one_person": Wrong(for_one_person(find_preprocessed_runs), ONE_PERSON),
        "one_space": Wrong(
            asking_for(suffix="bold", desc="preproc", space=MNI),
            "These are the runs in one space only; each run was written in more than one.",
        ),
        "labels": Wrong(
            lambda layout: layout.get_subjects(),
            "These are the labels of people. `get_subjects` says who is there, `get` says which files are.",
        ),
    },
    known_case=KnownCase(make_toy_layout, TOY_T1W_RUNS + TOY_MNI_RUNS),
    example_inputs=open_course_layout,
    why="There are more of these files than people were scanned: each run was written once for each space.",
)


# --- the preprocessed runs in MNI space -------------------------------------------------------------------------------
def find_mni_runs(layout):
    """Find the preprocessed runs in the space of the template."""
    return layout.get(
        suffix="bold",
        desc="preproc",
        space="MNI152NLin2009cAsym",
        extension=".nii.gz",
    )


mni_runs = Exercise(
    title="The runs in MNI space",
    solve=find_mni_runs,
    compare=Files(what="images"),
    hints=[
        "One more entity than in the exercise before.",
        "layout.get_spaces() lists the values that the space can have; yours must be one of them, letter for letter.",
    ],
    wrong={
        "no_such_space": Wrong(
            asking_for(suffix="bold", desc="preproc", space="MNI"),
            f"{NOTHING}There are several MNI templates, and 'MNI' names none of them: which value do the names use?",
        ),
        "every_space": Wrong(find_preprocessed_runs, EVERY_SPACE),
        "other_space": Wrong(
            asking_for(suffix="bold", desc="preproc", space="T1w"),
            "These runs lie in the space of each person's own T1w image, not in that of the template.",
        ),
        "sidecars": Wrong(asking_for(suffix="bold", desc="preproc", space=MNI, extension=None), SIDECARS),
        "masks_and_references": Wrong(asking_for(datatype="func", space=MNI), NO_MASKS),
        "anatomy_too": Wrong(
            asking_for(desc="preproc", space=MNI),
            "Anatomical images lie in MNI space, too. Say which kind of image you want.",
        ),
        "one_person": Wrong(for_one_person(find_mni_runs), ONE_PERSON),
    },
    known_case=KnownCase(make_toy_layout, TOY_MNI_RUNS),
    example_inputs=open_course_layout,
    why="In this space the same coordinates mean about the same place in every brain: here people are compared.",
)


# --- the preprocessed runs in the space of the T1w image --------------------------------------------------------------
def find_t1w_runs(layout):
    """Find the preprocessed runs in the space of the person's T1w image."""
    return layout.get(
        suffix="bold",
        desc="preproc",
        space="T1w",
        extension=".nii.gz",
    )


t1w_runs = Exercise(
    title="The runs in the space of the T1w image",
    solve=find_t1w_runs,
    compare=Files(what="images"),
    hints=[
        "The word T1w can stand in two places of a name. In which of them does it say where an image lies?",
        "The kind of image is still a run; its space is another than before.",
    ],
    wrong={
        "anatomical_images": Wrong(
            asking_for(suffix="T1w", desc="preproc"),
            "These are the T1w images themselves. Here T1w is not the kind of image but the space of a run.",
        ),
        "no_space": Wrong(
            asking_for(suffix="bold", desc="preproc", space=Query.NONE),
            f"{NOTHING}Is there a run without a space here, and is each value letter for letter the one in the names?",
        ),
        "every_space": Wrong(find_preprocessed_runs, EVERY_SPACE),
        "other_space": Wrong(find_mni_runs, "These runs lie in the space of the template, which everyone shares."),
        "sidecars": Wrong(asking_for(suffix="bold", desc="preproc", space="T1w", extension=None), SIDECARS),
        "masks_and_references": Wrong(asking_for(space="T1w"), NO_MASKS),
        "one_person": Wrong(for_one_person(find_t1w_runs), ONE_PERSON),
    },
    known_case=KnownCase(make_toy_layout, TOY_T1W_RUNS),
    example_inputs=open_course_layout,
    why="These runs can be laid over the same person's own anatomy; nothing was bent to the shape of a template.",
)


# --- the native T1w images --------------------------------------------------------------------------------------------
def find_native_t1w(layout):
    """Find the preprocessed T1w images whose name has no space."""
    return layout.get(
        suffix="T1w",
        desc="preproc",
        space=Query.NONE,
        extension=".nii.gz",
    )


native_t1w = Exercise(
    title="The native T1w images",
    solve=find_native_t1w,
    compare=Files(what="images"),
    hints=[
        "Compare the names of the two preprocessed T1w images of one person. What does one of them lack?",
        "There is a value that asks for the absence of an entity. It was imported in the first cell.",
    ],
    wrong={
        "space_t1w": Wrong(
            asking_for(suffix="T1w", desc="preproc", space="T1w"),
            f"{NOTHING}Does the name of a native T1w image say space-T1w, or nothing about space?",
        ),
        "both_spaces": Wrong(
            asking_for(suffix="T1w", desc="preproc"),
            "The images in MNI space are in your list too. To leave a filter out means 'whatever it is', not 'absent'.",
        ),
        "template_space": Wrong(
            asking_for(suffix="T1w", desc="preproc", space=MNI),
            "These were bent to the shape of the template. Native means: in the shape in which the person was scanned.",
        ),
        "raw": Wrong(
            on_disk("sub-*/anat/*_T1w.nii.gz"),
            "These are the raw images, as they came from the scanner. The preprocessed ones are in the layout.",
        ),
        "runs": Wrong(find_t1w_runs, "These are runs that lie in the space of the T1w image, not the image itself."),
        "sidecars": Wrong(asking_for(suffix="T1w", desc="preproc", space=Query.NONE, extension=None), SIDECARS),
        "masks_and_tissues": Wrong(
            asking_for(datatype="anat", space=Query.NONE),
            "Masks and tissue maps are native too. Say which kind and which version of an image you want.",
        ),
        "one_person": Wrong(for_one_person(find_native_t1w), ONE_PERSON),
    },
    known_case=KnownCase(make_toy_layout, TOY_NATIVE_T1W),
    example_inputs=open_course_layout,
    why="Asked this way, the question stays right when a third space is added. Taking one list from another does not.",
)


# --- people per diagnosis ---------------------------------------------------------------------------------------------
def count_people(participants):
    """Count the people with each diagnosis."""
    return participants["diagnosis"].value_counts().to_dict()


def count_first_digits(participants):
    """Take the group from the id, with a digit for the patients that no patient's id begins with."""
    first = participants.index.str.removeprefix("sub-").str[0]
    return {"CONTROL": int((first == "1").sum()), "SCHZ": int((first == "2").sum())}


TOY_PEOPLE = pd.DataFrame(
    {"diagnosis": ["SCHZ", "CONTROL", "SCHZ", "BIPOLAR"], "age": [30, 40, 50, 60], "gender": ["F", "M", "F", "M"]},
    index=pd.Index(["sub-10", "sub-11", "sub-20", "sub-21"], name="participant_id"),
)

people_per_diagnosis = Exercise(
    title="How many people have each diagnosis?",
    solve=count_people,
    compare=Mapping(values=Number(unit="people", whole=True)),
    hints=[
        "Which column says who belongs to which group?",
        "A column can count its own values: participants['diagnosis'] has a method for it, value_counts.",
    ],
    wrong={
        "first_digit": Wrong(
            count_first_digits,
            "Was the group taken from the first digit of the id? An id is a name; the group has a column of its own.",
        ),
        "shares": Wrong(
            lambda participants: participants["diagnosis"].value_counts(normalize=True).to_dict(),
            "These are shares of all people. The number of people is asked for.",
        ),
        "other_column": Wrong(
            lambda participants: participants["gender"].value_counts().to_dict(),
            "This counts another column of the table.",
        ),
        "to_frame": Wrong(
            lambda participants: participants["diagnosis"].value_counts().to_frame(),
            "The counts are right, but `to_frame()` made a table of them. Leave it out: the Series is the answer.",
        ),
        "reset_index": Wrong(
            lambda participants: participants["diagnosis"].value_counts().reset_index(),
            "The counts are right, but `reset_index()` moved the diagnoses into a column. They should stay the keys.",
        ),
        "counts_alone": Wrong(
            lambda participants: participants["diagnosis"].value_counts().to_list(),
            "These are the counts, without a word on whose they are. Keep the diagnoses as keys.",
        ),
        "column": Wrong(
            lambda participants: participants["diagnosis"],
            "This is the right column, one row a person. It is not yet counted.",
        ),
        "each_column": Wrong(
            lambda participants: participants.groupby("diagnosis").count(),
            "This counts the values in each column, where missing ones do not count. One column is enough.",
        ),
        "everyone": Wrong(lambda participants: len(participants), "This is the number of all people together."),
        "diagnoses": Wrong(
            lambda participants: participants["diagnosis"].nunique(),
            "This is the number of different diagnoses, not of people.",
        ),
    },
    known_case=KnownCase({"participants": TOY_PEOPLE}, {"SCHZ": 2, "CONTROL": 1, "BIPOLAR": 1}),
    example_inputs=lambda: {"participants": open_study().participants},
    why="The table says who is a patient; an id is a name. A lesson that we read counted by the id's first digit.",
)


# --- the repetition time ----------------------------------------------------------------------------------------------
def read_t_r(bold):
    """Read the repetition time of a run from its sidecar, in seconds."""
    return bold.get_metadata()["RepetitionTime"]


def read_header(bold):
    """Read the header of a run: shape, volumes last; voxel sizes in mm, TR in seconds last."""
    header = nib.load(bold.path).header
    return header.get_data_shape(), header.get_zooms()


def make_toy_run():
    """Find one run of the toy dataset, as inputs of an exercise."""
    return {"bold": make_toy_layout()["layout"].get(subject="01", suffix="bold", space="T1w", extension=".nii.gz")[0]}


def find_course_run():
    """Find one run of the study at hand, as inputs of an exercise."""
    layout = open_course_layout()["layout"]
    return {"bold": layout.get(suffix="bold", desc="preproc", space="T1w", extension=".nii.gz")[0]}


repetition_time = Exercise(
    title="The repetition time of a run",
    solve=read_t_r,
    compare=Number(unit="seconds", between=(0.2, 10)),
    hints=[
        "The sidecar knows it: bold.get_metadata() is a dict.",
        "Its key is RepetitionTime, and its unit in BIDS is the second.",
    ],
    wrong={
        "milliseconds": Wrong(
            lambda bold: 1000 * read_t_r(bold), "This is in milliseconds. BIDS, and this course, count in seconds."
        ),
        "converted": Wrong(
            lambda bold: read_t_r(bold) / 1000, "This was divided by 1000, but the sidecar is in seconds already."
        ),
        "frequency": Wrong(
            lambda bold: 1 / read_t_r(bold), "This is how many volumes fit into one second (Hz): the inverse."
        ),
        "whole_sidecar": Wrong(
            lambda bold: bold.get_metadata(),
            "This is the whole sidecar, as a dict. Take one value out of it, by its key.",
        ),
        "header_sizes": Wrong(
            lambda bold: read_header(bold)[1],
            "These are the sizes of a voxel and, last, the repetition time. Asked for is that one value alone.",
        ),
        "duration": Wrong(
            lambda bold: read_t_r(bold) * read_header(bold)[0][3],
            "This is how long the whole run lasts. The time from one volume to the next is asked for.",
        ),
        "n_volumes": Wrong(lambda bold: read_header(bold)[0][3], "This is the number of volumes of the run."),
        "voxel_size": Wrong(
            lambda bold: read_header(bold)[1][2],
            "This is the third size of a voxel, in mm. In the header, time comes after the three sizes.",
        ),
    },
    known_case=KnownCase(make_toy_run, TOY_T_R),
    example_inputs=find_course_run,
    why="Every filter counts its frequencies with this number; in a wrong unit it spoils them, and no error is raised.",
)
