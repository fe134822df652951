"""One small exercise of each kind, to test the engine with, and to copy from when writing a real one."""

import nibabel as nib
import numpy as np
import pandas as pd

from course_utils.exercises._compare import Array, Files, Image, Mapping, Number, Table
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong

HINTS = ["Think of the definition.", "Write it down for three values first."]


# --- a number ---------------------------------------------------------------------------------------------------------
def solve_duration(n_volumes, t_r):
    return n_volumes * t_r


def duration_in_volumes(n_volumes, t_r):
    return n_volumes


def duration_in_minutes(n_volumes, t_r):
    return n_volumes * t_r / 60


duration = Exercise(
    title="How long is a run?",
    solve=solve_duration,
    compare=Number(unit="seconds", between=(1, 3600)),
    hints=HINTS,
    wrong={
        "volumes": Wrong(duration_in_volumes, "This is the number of volumes. Each of them takes one TR to record."),
        "minutes": Wrong(duration_in_minutes, "This is in minutes; seconds are asked for."),
    },
    known_case=KnownCase({"n_volumes": 3, "t_r": 2.0}, 6.0),
    example_inputs=lambda: {"n_volumes": 152, "t_r": 2.5},
    why="Every frequency that we speak of later is counted in these seconds.",
)


# --- a list of files --------------------------------------------------------------------------------------------------
def solve_images(names):
    return [name for name in names if name.endswith(".nii.gz")]


def also_sidecars(names):
    return list(names)


images = Exercise(
    title="Which files are images?",
    solve=solve_images,
    compare=Files(),
    hints=HINTS,
    wrong={"sidecars": Wrong(also_sidecars, "The .json files describe images, but are none.")},
    known_case=KnownCase({"names": ["a.nii.gz", "a.json"]}, ["a.nii.gz"]),
    example_inputs=lambda: {"names": [f"/data/sub-{i}_bold{end}" for i in range(3) for end in (".nii.gz", ".json")]},
    why="A sidecar is opened with another tool.",
)


# --- a dict -----------------------------------------------------------------------------------------------------------
def solve_counts(groups):
    return {group: groups.count(group) for group in sorted(set(groups))}


def counts_as_share(groups):
    return {group: groups.count(group) / len(groups) for group in sorted(set(groups))}


counts = Exercise(
    title="How many people are in each group?",
    solve=solve_counts,
    compare=Mapping(values=Number(unit="people", whole=True)),
    hints=HINTS,
    wrong={"share": Wrong(counts_as_share, "These are shares of all people; divide by nothing.")},
    known_case=KnownCase({"groups": ["A", "B", "A"]}, {"A": 2, "B": 1}),
    example_inputs=lambda: {"groups": ["CONTROL"] * 4 + ["SCHZ"] * 3},
    why="Groups of very different size change which test is right.",
)


# --- an array ---------------------------------------------------------------------------------------------------------
def solve_means(time_series):
    return time_series.mean(axis=0)


def means_of_volumes(time_series):
    return time_series.mean(axis=1)


means = Exercise(
    title="The mean of each region",
    solve=solve_means,
    compare=Array(axes=("regions",), unit="arbitrary units", between=(-10, 10)),
    hints=HINTS,
    wrong={"other_axis": Wrong(means_of_volumes, "This is the mean of each volume: axis 0 is time, axis 1 regions.")},
    known_case=KnownCase({"time_series": np.array([[1.0, 5.0], [3.0, 7.0], [5.0, 9.0]])}, np.array([3.0, 7.0])),
    example_inputs=lambda: {"time_series": np.arange(48.0).reshape(12, 4) / 10},
    why="The mean carries no information on connectivity, so we can remove it.",
)


# --- a table ----------------------------------------------------------------------------------------------------------
def solve_patients(participants):
    return participants[participants["diagnosis"] == "SCHZ"]


def controls_instead(participants):
    return participants[participants["diagnosis"] != "SCHZ"]


def make_participants(n):
    index = pd.Index([f"sub-{i}" for i in range(n)], name="participant_id")
    return pd.DataFrame({"diagnosis": ["SCHZ", "CONTROL"] * (n // 2), "age": range(20, 20 + n)}, index=index)


patients = Exercise(
    title="The rows of the patients",
    solve=solve_patients,
    compare=Table(),
    hints=HINTS,
    wrong={"controls": Wrong(controls_instead, "These are the controls.")},
    known_case=KnownCase({"participants": make_participants(2)}, make_participants(2).iloc[:1]),
    example_inputs=lambda: {"participants": make_participants(8)},
    why="The table says who is who; the id does not.",
)


# --- an image ---------------------------------------------------------------------------------------------------------
def solve_second_volume(bold_img):
    return bold_img.slicer[..., 1]


def counted_from_one(bold_img):
    return bold_img.slicer[..., 2]


def lost_the_affine(bold_img):
    return nib.Nifti1Image(np.asarray(bold_img.dataobj)[..., 1], np.eye(4))


def make_bold(n_volumes, affine=(3.0, 3.0, 4.0, 1.0)):
    data = np.arange(24 * n_volumes, dtype=np.float32).reshape(2, 3, 4, n_volumes)
    return nib.Nifti1Image(data, np.diag(affine))


second_volume = Exercise(
    title="The second volume",
    solve=solve_second_volume,
    compare=Image(),
    hints=HINTS,
    wrong={
        "from_one": Wrong(counted_from_one, "This is the third volume: Python counts from zero."),
        "affine": Wrong(lost_the_affine, "Right values, but the new image was given a made-up affine."),
    },
    known_case=KnownCase(
        {"bold_img": make_bold(3)}, nib.Nifti1Image(np.arange(24.0).reshape(2, 3, 4) * 3 + 1, np.diag([3, 3, 4, 1]))
    ),
    example_inputs=lambda: {"bold_img": make_bold(5)},
    why="Index n is volume n + 1, here and in every table of confounds.",
)


# --- a function -------------------------------------------------------------------------------------------------------
def count_edges(n_regions):
    return n_regions * (n_regions - 1) // 2


def edges_with_diagonal(n_regions):
    return n_regions * (n_regions + 1) // 2


def edges_both_ways(n_regions):
    return n_regions * (n_regions - 1)


edges = Exercise(
    title="A function that counts edges",
    solve=count_edges,
    compare=Number(unit="edges", whole=True, between=(0, 1e6)),
    hints=HINTS,
    wrong={
        "diagonal": Wrong(edges_with_diagonal, "The diagonal is counted too, but a region has no edge to itself."),
        "both_ways": Wrong(edges_both_ways, "Each edge is counted twice: from A to B and from B to A."),
    },
    known_case=KnownCase({"n_regions": 3}, 3),
    example_inputs=lambda: {"n_regions": 64},
    answer_is_function=True,
    why="The number of tests grows with the square of the number of regions.",
)


# --- one of several options -------------------------------------------------------------------------------------------
def solve_conclusion():
    """Ten people a group cannot rule out a difference in either direction: the interval is wide."""
    return "b"


conclusion = Choice(
    title="What may we conclude?",
    solve=solve_conclusion,
    options={
        "a": "The groups do not differ.",
        "b": "The data leave open whether the groups differ.",
        "c": "The patients have a disease of the network.",
    },
    reasons={
        "a": "No evidence of a difference is not evidence of no difference.",
        "c": "A correlation between two signals says nothing about a cause.",
    },
    hints=HINTS,
    why="Half of the published conclusions would be shorter.",
)
