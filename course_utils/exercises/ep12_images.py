"""Exercises of episode 12: many images as a table."""

import numpy as np
import pandas as pd
from scipy import stats

from course_utils.exercises._compare import Array, Names, Table
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong

# ---- the right row beside each image


def put_in_order(files, participants):
    """Read the label out of each file's name, then ask the table for these labels, in this order."""
    labels = [file.split("_")[0] for file in files]
    return participants.loc[labels]


def _files_of(labels):
    return [f"{label}_stat-z_statmap.nii.gz" for label in labels]


def _example_files():
    labels = [f"sub-{n}" for n in (12, 51, 11, 53, 13, 52)]
    participants = pd.DataFrame(
        {"diagnosis": ["SCHZ", "CONTROL", "CONTROL", "SCHZ", "CONTROL", "SCHZ"], "age": [51, 30, 50, 31, 40, 41]},
        index=pd.Index([f"sub-{n}" for n in (53, 11, 13, 51, 12, 52)], name="participant_id"),
    )
    return {"files": _files_of(labels), "participants": participants}


def _relabelled(files, participants):
    return participants.set_axis(put_in_order(files, participants).index)


def _bare(files, participants):
    return put_in_order(files, participants).rename(index=lambda label: label.removeprefix("sub-"))


def _whole_names(files, participants):
    return participants.reindex(files)


def _first_half(files, participants):
    return put_in_order(files[: len(files) // 2], participants)


right_rows = Exercise(
    title="The right row beside each image",
    solve=put_in_order,
    compare=Table(ordered=True),
    hints=[
        "Which part of a file's name says whose map it is? And where is that in the table?",
        '`file.split("_")[0]` is the label in the name of one file. Make a list with the label of every file.',
        "`participants.loc[labels]` gives the rows of these labels, in the order of the list.",
    ],
    wrong={
        "as_sent": Wrong(
            lambda files, participants: participants.copy(),
            "The table is as it was sent. Its rows are in another order than the files, so they describe other people.",
        ),
        "sorted": Wrong(
            lambda files, participants: participants.sort_index(),
            "The table is sorted now, but the files are not: only what follows the files will do.",
        ),
        "relabelled": Wrong(
            _relabelled,
            "The labels were exchanged and the rows stayed where they were: now somebody else's age stands beside each "
            "label. Move whole rows.",
        ),
        "one_column": Wrong(
            lambda files, participants: put_in_order(files, participants)["diagnosis"],
            "The right order, but one column is not the table. Keep all of them.",
        ),
        "numbered": Wrong(
            lambda files, participants: put_in_order(files, participants).reset_index(drop=True),
            "The order is right, but the labels are gone, so nobody can check it any more. Keep them as the index.",
        ),
        "labels_only": Wrong(
            lambda files, participants: list(put_in_order(files, participants).index),
            "These are the labels, in the right order. Now ask the table for their rows.",
        ),
        "whole_names": Wrong(
            _whole_names,
            "The rows are labelled with whole names of files. No participant is called so: take the label out of each "
            "name.",
        ),
        "bare": Wrong(_bare, 'The right rows in the right order, but their labels have lost the "sub-" of the table.'),
        "label_column": Wrong(
            lambda files, participants: put_in_order(files, participants).reset_index(names="participant_id"),
            "The order is right, but the labels have become a column. Keep them as the index.",
        ),
        "half": Wrong(_first_half, "Some of the files have no row. Make the list from all of them."),
    },
    known_case=KnownCase(
        {
            "files": ["sub-2_z.nii.gz", "sub-1_z.nii.gz"],
            "participants": pd.DataFrame({"diagnosis": ["CONTROL", "SCHZ"], "age": [30, 40]}, index=["sub-1", "sub-2"]),
        },
        pd.DataFrame({"diagnosis": ["SCHZ", "CONTROL"], "age": [40, 30]}, index=["sub-2", "sub-1"]),
    ),
    why="A table of numbers cannot tell that its rows were swapped. Only the label in the file's name can.",
    example_inputs=_example_files,
)


# ---- choose by what is known of the people


def average_young_controls(maps, people):
    """One True or False for each person; both conditions must hold."""
    chosen = (people["diagnosis"] == "CONTROL") & (people["age"] < 40)
    return maps[chosen.to_numpy()].mean(axis=0)


def _mean_where(choose):
    return lambda maps, people: maps[choose(people).to_numpy()].mean(axis=0)


def _is_control(people):
    return people["diagnosis"] == "CONTROL"


def _one_number_each(maps, people):
    return maps[(_is_control(people) & (people["age"] < 40)).to_numpy()].mean(axis=1)


def _example_maps():
    rng = np.random.default_rng(12)
    people = pd.DataFrame(
        {"diagnosis": ["CONTROL"] * 4 + ["SCHZ"] * 4, "age": [25, 40, 39, 55, 24, 41, 38, 50]},
        index=[f"{n}" for n in (11, 12, 13, 14, 51, 52, 53, 54)],
    )
    return {"maps": rng.normal(size=(8, 12)), "people": people}


chosen_mean = Exercise(
    title="The mean map of some people",
    solve=average_young_controls,
    compare=Array(axes=("voxels",), rtol=1e-4, atol=1e-5, unit="Fisher z"),
    hints=[
        'Which rows? `people["age"] < 40` gives True or False for each person. Make the same for the diagnosis.',
        "`(first) & (second)` is True where both are. The round brackets are needed.",
        "`maps[chosen.to_numpy()]` keeps these rows. The mean over people is the mean along axis 0.",
    ],
    wrong={
        "all_controls": Wrong(
            _mean_where(_is_control), "These are all controls, of any age. The second condition is missing."
        ),
        "all_young": Wrong(
            _mean_where(lambda people: people["age"] < 40), "Patients are in it too. The diagnosis is a condition too."
        ),
        "forty_too": Wrong(
            _mean_where(lambda people: _is_control(people) & (people["age"] <= 40)),
            "Somebody of exactly 40 is in it: `<=` takes them along. Younger than 40 is `<`.",
        ),
        "either": Wrong(
            _mean_where(lambda people: _is_control(people) | (people["age"] < 40)),
            "`|` means or: this takes every control, and every young patient. Use `&`.",
        ),
        "patients": Wrong(
            _mean_where(lambda people: ~_is_control(people) & (people["age"] < 40)),
            "These are the young patients. Was `!=` meant to be `==`?",
        ),
        "per_person": Wrong(
            _one_number_each,
            "One number for each person: the mean over voxels. The mean over people runs along axis 0.",
        ),
        "older": Wrong(
            _mean_where(lambda people: _is_control(people) & (people["age"] > 40)),
            "These controls are older than 40. Younger is `<`.",
        ),
        "one_number": Wrong(
            lambda maps, people: average_young_controls(maps, people).mean(),
            "The mean over people and voxels alike. Over people alone it runs along axis 0 and leaves a map.",
        ),
        "condition": Wrong(
            lambda maps, people: (_is_control(people) & (people["age"] < 40)).to_numpy(),
            "This is the condition: who is meant. Use it to choose rows of `maps`, then take their mean.",
        ),
        "no_mean": Wrong(
            lambda maps, people: maps[(_is_control(people) & (people["age"] < 40)).to_numpy()],
            "The right rows. Now take their mean.",
        ),
        "everybody": Wrong(
            lambda maps, people: maps.mean(axis=0), "This is the mean of everybody. Choose the rows first."
        ),
        "sum": Wrong(
            lambda maps, people: maps[(_is_control(people) & (people["age"] < 40)).to_numpy()].sum(axis=0),
            "This is the sum of the right rows, not their mean: it grows with the number of people.",
        ),
    },
    # the first person and the third: (1 + 3) / 2 and (2 + 8) / 2
    known_case=KnownCase(
        {
            "maps": np.array([[1.0, 2], [50, 60], [3, 8], [70, 90]]),
            "people": pd.DataFrame(
                {"diagnosis": ["CONTROL", "CONTROL", "CONTROL", "SCHZ"], "age": [20, 40, 39, 30]}, index=list("abcd")
            ),
        },
        np.array([2.0, 5.0]),
    ),
    why="The condition reads like the sentence in the methods section of a paper. A list of row numbers would not.",
    example_inputs=_example_maps,
)


# ---- copy or view


def find_views(maps, indices):
    """A view lies in the memory of the table, a copy in its own."""
    return [name for name, index in indices.items() if np.shares_memory(maps, maps[index])]


def _copies(maps, indices):
    return [name for name in indices if name not in find_views(maps, indices)]


def _slices_only(maps, indices):
    return [name for name in find_views(maps, indices) if ":" in name]


def _without_column(maps, indices):
    return [name for name in find_views(maps, indices) if name != "maps[:, 7]"]


def _integers_only(maps, indices):
    return [name for name in find_views(maps, indices) if isinstance(indices[name], int) or ", " in name]


def _positions(maps, indices):
    return [i for i, name in enumerate(indices) if name in find_views(maps, indices)]


def _with_lists(maps, indices):
    return find_views(maps, indices) + [name for name in _copies(maps, indices) if "[[" in name]


def _with_conditions(maps, indices):
    return find_views(maps, indices) + [name for name in _copies(maps, indices) if "is_" in name]


def _example_indices():
    is_patient = np.arange(20) > 9
    indices = {
        "maps[2]": 2,
        "maps[[1, 3, 2]]": [1, 3, 2],
        "maps[0:3]": slice(0, 3),
        "maps[is_patient]": is_patient,
        "maps[:, 7]": (slice(None), 7),
    }
    return {"maps": np.random.default_rng(12).normal(size=(20, 8)), "indices": indices}


def _two_indices():
    return {"maps": np.array([[0.0, 1], [2, 3]]), "indices": {"maps[1:]": slice(1, None), "maps[[1]]": [1]}}


views = Exercise(
    title="Copy or view",
    solve=find_views,
    compare=Names(what="expressions"),
    hints=[
        "Change a part, then look at the table: did it change too? (Try it with a copy of the table.)",
        "numpy can answer: `np.shares_memory(maps, maps[index])`. `indices.items()` gives each name with its index.",
        "An integer or a slice gives a view. A list, or True and False, makes numpy gather rows into a new array.",
    ],
    wrong={
        "copies": Wrong(_copies, "It is the other way round: these are the copies. We ask for the views."),
        "slices_only": Wrong(
            _slices_only,
            "One is missing: a whole row, chosen by one integer, is a view too. numpy has no need to gather anything.",
        ),
        "no_column": Wrong(
            _without_column,
            "One is missing: a column is a view as well, though its numbers do not lie side by side.",
        ),
        "no_slice": Wrong(
            _integers_only,
            "One is missing: rows that follow each other, chosen by a slice, are a view as well.",
        ),
        "positions": Wrong(_positions, "These are positions in `indices`. Answer with the names, as strings."),
        "lists": Wrong(
            _with_lists,
            "A list of integers can ask for rows in any order, even twice. That cannot be a view: numpy makes a copy.",
        ),
        "conditions": Wrong(
            _with_conditions, "Rows chosen by True and False are gathered into a new array: that one is a copy."
        ),
        "all": Wrong(
            lambda maps, indices: list(indices),
            "Not all of them are views: some had to be gathered from rows that do not follow each other.",
        ),
        "one_by_one": Wrong(
            lambda maps, indices: {name: name in find_views(maps, indices) for name in indices},
            "This has an answer for each of them. Make a list of the names that are True.",
        ),
    },
    known_case=KnownCase(_two_indices, ["maps[1:]"]),
    why="If a part may be changed, write `.copy()` behind it. It costs little, and saves the search for a bug that no "
    "error message points to.",
    example_inputs=_example_indices,
)


# ---- one-sample t


def compute_t(maps):
    """The mean, divided by its standard error: SD (of n - 1) by the root of n."""
    standard_error = maps.std(axis=0, ddof=1) / np.sqrt(len(maps))
    return maps.mean(axis=0) / standard_error


def _divided_by(spread):
    return lambda maps: maps.mean(axis=0) / spread(maps)


one_sample = Exercise(
    title="One-sample t by hand",
    solve=compute_t,
    compare=Array(axes=("voxels",), rtol=2e-3, atol=2e-3, unit="t"),
    hints=[
        "*t* is the mean divided by its standard error.",
        "The standard error is the standard deviation over people, divided by the square root of their number.",
        "`maps.std(axis=0)` divides by n. A sample of people needs n - 1: `ddof=1`.",
    ],
    wrong={
        "ddof_0": Wrong(
            _divided_by(lambda maps: maps.std(axis=0) / np.sqrt(len(maps))),
            "Almost: numpy's `std` divides by n unless it is told otherwise. Use `ddof=1`.",
        ),
        "no_root": Wrong(
            _divided_by(lambda maps: maps.std(axis=0, ddof=1)),
            "This is the mean divided by the standard deviation: an effect size, Cohen's d. Where is the number of "
            "people?",
        ),
        "no_root_ddof_0": Wrong(
            _divided_by(lambda maps: maps.std(axis=0)),
            "Two things are missing: this is the mean divided by the standard deviation, and that one is of n. Take "
            "`ddof=1`, and divide it by the root of the number of people.",
        ),
        "divided_by_n": Wrong(
            _divided_by(lambda maps: maps.std(axis=0, ddof=1) / len(maps)),
            "The standard deviation was divided by n. The standard error has the square root of n.",
        ),
        "root_of_n_minus_1": Wrong(
            _divided_by(lambda maps: maps.std(axis=0, ddof=1) / np.sqrt(len(maps) - 1)),
            "n - 1 was used twice. It belongs into the standard deviation (`ddof=1`); the root is that of n.",
        ),
        "p_values": Wrong(
            lambda maps: stats.ttest_1samp(maps, 0).pvalue, "These are *p* values. *t* is what they are made from."
        ),
        "standard_error": Wrong(
            lambda maps: maps.std(axis=0, ddof=1) / np.sqrt(len(maps)),
            "This is the standard error. Divide the mean by it.",
        ),
        "variance": Wrong(
            _divided_by(lambda maps: maps.var(axis=0, ddof=1) / np.sqrt(len(maps))),
            "The variance is in it, in place of the standard deviation. Take its root.",
        ),
        "other_axis": Wrong(
            lambda maps: maps.mean(axis=1) / (maps.std(axis=1, ddof=1) / np.sqrt(maps.shape[1])),
            "One value for each person: mean and SD run over voxels. Over people it is axis 0.",
        ),
        "mean": Wrong(
            lambda maps: maps.mean(axis=0), "This is the mean map. Divide it by its standard error, voxel by voxel."
        ),
        "upside_down": Wrong(
            lambda maps: 1 / compute_t(maps), "This is standard error by mean. It is the other way round."
        ),
    },
    # 5, 1, 1, 1: mean 2, SD 2 (the root of 12 / 3), standard error 1, t 2; 4, 0, 0, 0: mean 1, the same error, t 1
    known_case=KnownCase({"maps": np.array([[5.0, 4.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])}, np.array([2.0, 1.0])),
    why="A t map says how sure we are that a mean is not 0. It does not say how large the mean is: with enough "
    "people any t gets large.",
    example_inputs=lambda: {"maps": np.random.default_rng(3).normal(0.4, 1, size=(9, 15))},
)


# ---- what a threshold allows one to say


def choose_sentence():
    """The unit of the claim is the unit that was tested: here the cluster."""
    return "c"


sentence = Choice(
    title="What a threshold allows one to say",
    solve=choose_sentence,
    options={
        "a": "Every voxel of the cluster differs between the groups.",
        "b": "The groups differ at the peak of the cluster, at the coordinates that the cluster table gives.",
        "c": "If the groups did not differ anywhere, a cluster of such size would turn up somewhere in the map in at "
        "most 5 of 100 studies. We take this as evidence of a difference somewhere in it.",
        "d": "With a probability of 95 percent the difference in this cluster is real.",
        "e": "Outside of this cluster the groups do not differ.",
        "f": "Of the clusters that are reported, at most 5 percent are false.",
    },
    reasons={
        "a": "The cluster was tested as a whole. It may reach far beyond the voxels that truly differ.",
        "b": "The peak is a voxel, and no single voxel was tested at this threshold. A peak also moves from sample to "
        "sample.",
        "d": "A p value is not the probability that a finding is real: it starts from there being no difference.",
        "e": "What does not pass is not shown to be absent. Ten against ten see large differences only.",
        "f": "This would be a false discovery rate of clusters. The permutation controlled the chance of a single "
        "false cluster anywhere.",
    },
    hints=[
        "What was tested: each voxel, or the cluster as a whole?",
        "What does p start from: a difference, or none? And what is the largest cluster of a shuffle for?",
    ],
    why="Small clusters say more about where, large ones less: the larger the cluster, the vaguer its place.",
)
