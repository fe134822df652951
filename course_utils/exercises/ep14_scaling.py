"""Exercises of episode 14: scaling up."""

import numpy as np
import pandas as pd

from course_utils.exercises._compare import Mapping, Number
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong

# ---- hours for 1,000


def estimate_hours(seconds, n_people, n_workers):
    """The mean, not the median: a sum of n times is n times their mean."""
    return seconds.mean() * n_people / n_workers / 3600


def _example_seconds():
    return {"seconds": pd.Series([1.6, 1.2, 1.1, 2.3, 1.4]), "n_people": 1000, "n_workers": 8}


hours = Exercise(
    title="Hours for 1,000 people",
    solve=estimate_hours,
    compare=Number(rtol=1e-3, unit="hours"),
    hints=[
        "How many seconds does one person take on average? Then all people, one after the other?",
        "The workers share the people, so the time is divided by their number. An hour has 3,600 seconds.",
        "`seconds.mean() * n_people / n_workers / 3600`",
    ],
    wrong={
        "one_worker": Wrong(
            lambda seconds, n_people, n_workers: estimate_hours(seconds, n_people, 1),
            "This is the time of one worker. The others work at the same time.",
        ),
        "times_workers": Wrong(
            lambda seconds, n_people, n_workers: estimate_hours(seconds, n_people, 1) * n_workers,
            "More workers make this longer. They share the people: divide.",
        ),
        "seconds": Wrong(
            lambda seconds, n_people, n_workers: estimate_hours(seconds, n_people, n_workers) * 3600,
            "These are seconds. Asked for are hours.",
        ),
        "minutes": Wrong(
            lambda seconds, n_people, n_workers: estimate_hours(seconds, n_people, n_workers) * 60,
            "These are minutes. Asked for are hours.",
        ),
        "days": Wrong(
            lambda seconds, n_people, n_workers: estimate_hours(seconds, n_people, n_workers) / 24,
            "These are days. Asked for are hours.",
        ),
        "one_person": Wrong(
            lambda seconds, n_people, n_workers: estimate_hours(seconds, 1, n_workers),
            "This is for one person. How many are there?",
        ),
        "measured_people": Wrong(
            lambda seconds, n_people, n_workers: estimate_hours(seconds, len(seconds), n_workers),
            "This is for the people that were measured. Asked for are `n_people`.",
        ),
        "each_person": Wrong(
            lambda seconds, n_people, n_workers: seconds * n_people / n_workers / 3600,
            "One answer for each person that was measured. Take their mean first.",
        ),
        "sum": Wrong(
            lambda seconds, n_people, n_workers: seconds.sum() * n_people / n_workers / 3600,
            "This takes what all measured people need together for what one person needs.",
        ),
        "median": Wrong(
            lambda seconds, n_people, n_workers: seconds.median() * n_people / n_workers / 3600,
            "This is the median. A few slow people do not move it, but they do make the whole longer: take the mean.",
        ),
        "slowest": Wrong(
            lambda seconds, n_people, n_workers: seconds.max() * n_people / n_workers / 3600,
            "This takes everybody to be as slow as the slowest: a bound, not an estimate.",
        ),
    },
    # mean 3 s; 3 s times 2,400 people are 7,200 s = 2 hours; four workers need half an hour
    known_case=KnownCase({"seconds": pd.Series([1.0, 2.0, 6.0]), "n_people": 2400, "n_workers": 4}, 0.5),
    why="Before you ask for a cluster, measure five people. Often the answer is that your own computer will do.",
    example_inputs=_example_seconds,
)


# ---- how many cores help


def speed_up(serial, n_cores):
    """Amdahl's law: the serial part takes as long as ever, the rest is shared."""
    return 1 / (serial + (1 - serial) / n_cores)


amdahl = Exercise(
    title="How many cores help?",
    solve=speed_up,
    compare=Number(rtol=1e-3, unit="times as fast"),
    hints=[
        "Say the whole takes 1 on one core. How long does the serial part take on many cores? And the rest?",
        "The new time is `serial + (1 - serial) / n_cores`. How many times as fast is that as 1?",
    ],
    wrong={
        "cores": Wrong(
            lambda serial, n_cores: n_cores,
            "This would be so if everything could be shared. The serial part cannot.",
        ),
        "share_of_cores": Wrong(
            lambda serial, n_cores: (1 - serial) * n_cores,
            "Here the serial part costs a share of the cores. It costs time: add up the two times, then divide.",
        ),
        "limit": Wrong(
            lambda serial, n_cores: 1 / serial,
            "This is the limit for any number of cores. Asked for is the value for `n_cores`.",
        ),
        "time": Wrong(
            lambda serial, n_cores: serial + (1 - serial) / n_cores,
            "This is the new time, as a share of the old one. How many times as fast is that?",
        ),
        "saved": Wrong(
            lambda serial, n_cores: 1 - (serial + (1 - serial) / n_cores),
            "This is the share of the time that is saved. How many times as fast is that?",
        ),
        "multiplied": Wrong(
            lambda serial, n_cores: 1 / (serial * (1 - serial) / n_cores),
            "Here the two times were multiplied. One comes after the other: add them.",
        ),
        "swapped": Wrong(
            lambda serial, n_cores: 1 / ((1 - serial) + serial / n_cores),
            "The two parts are swapped: `serial` is the part that cannot be shared.",
        ),
        "no_serial": Wrong(
            lambda serial, n_cores: n_cores / (1 - serial),
            "This is faster than all cores together: the serial part has been left out instead of added.",
        ),
    },
    known_case=KnownCase({"serial": 0.5, "n_cores": 2}, 4 / 3),  # 1 / (0.5 + 0.25)
    why="With one twentieth that cannot be shared, a thousand cores are less than twenty times as fast as one.",
    example_inputs=lambda: {"serial": 0.05, "n_cores": 64},
)


# ---- which check is safe


def choose_check():
    """Whole, and made from these files in this way."""
    return "e"


safe_check = Choice(
    title="Which check is safe?",
    solve=choose_check,
    options={
        "a": "The result file exists.",
        "b": "The result file exists and is not empty.",
        "c": "The result file is newer than the image it was made from.",
        "d": "The result file can be opened and has the expected number of regions.",
        "e": "The result file was put in its place when it was whole, and it holds a note of the input files, the "
        "atlas and the versions, which are the same now.",
        "f": "The person's label is in a list of those who are finished, which the loop writes before it saves.",
    },
    reasons={
        "a": "It exists from the moment it is opened for writing. A loop that is stopped then leaves a part of a file.",
        "b": "The first half of a file is not empty.",
        "c": "Somebody changed the atlas yesterday. The image is as old as ever, and so is the wrong result. Nor does "
        "a date say that the file is whole.",
        "d": "That finds most halves. But a result of another atlas with as many regions, or of a run that has been "
        "corrected since, passes.",
        "f": "If the loop is stopped between the list and the saving, that person is missing for ever. After the "
        "saving would be better, but it says nothing about changed files.",
    },
    hints=[
        "Two things can be wrong with a file that is there. It may not be whole, and it may be the answer to another "
        "question.",
        "For each option think of a loop that is stopped at the worst moment, and of an atlas that is changed.",
    ],
    why="Write to another name and rename: a file then either is there and whole, or it is not there.",
)


# ---- read the table of failures


def share_missing(participants, failed):
    """The mean of True and False is a share, and a group that lost nobody keeps its place with 0."""
    missing = participants.index.isin(failed.index)
    return pd.Series(missing, participants.index).groupby(participants["diagnosis"]).mean().to_dict()


def _shares(function):
    """Answer from the labels of those who failed."""
    return lambda participants, failed: function(participants["diagnosis"], participants.index.isin(failed.index))


def _example_failures():
    subjects = [f"{i:05d}" for i in range(10)]
    diagnosis = ["CONTROL"] * 6 + ["SCHZ"] * 4
    people = pd.DataFrame({"diagnosis": diagnosis, "mean_fd": 0.2}, index=pd.Index(subjects, name="subject"))
    reasons = ["cannot be read to its end", "no table", "another grid"]
    failed = pd.DataFrame({"reason": reasons}, index=pd.Index([subjects[i] for i in (1, 6, 8)], name="subject"))
    return {"participants": people, "failed": failed}


def _known_failures():
    people = pd.DataFrame({"diagnosis": ["A", "A", "A", "A", "B", "B"]}, index=list("abcdef"))
    return {"participants": people, "failed": pd.DataFrame({"reason": ["x", "y"]}, index=["a", "c"])}


failures = Exercise(
    title="Read the table of failures",
    solve=share_missing,
    compare=Mapping(values=Number(rtol=1e-3, unit="share of the group", between=(0, 1))),
    hints=[
        "`participants.index.isin(failed.index)` is True for everybody who failed.",
        "The mean of True and False is the share of True. Take it in each group: `groupby`.",
        '`pd.Series(missing, participants.index).groupby(participants["diagnosis"]).mean()`',
    ],
    wrong={
        "counts": Wrong(
            _shares(lambda group, missing: pd.Series(missing, group.index).groupby(group).sum().to_dict()),
            "These are numbers of people. Groups can have different sizes: divide each by its own.",
        ),
        "of_all": Wrong(
            _shares(
                lambda group, missing: (pd.Series(missing, group.index).groupby(group).sum() / len(group)).to_dict()
            ),
            "Each is divided by the number of people in the whole study. Divide by the number in the group.",
        ),
        "of_the_failed": Wrong(
            _shares(
                lambda group, missing: (pd.Series(missing, group.index).groupby(group).sum() / missing.sum()).to_dict()
            ),
            "This is how those who failed divide into groups. Asked for is which share of each group failed.",
        ),
        "kept": Wrong(
            _shares(lambda group, missing: pd.Series(~missing, group.index).groupby(group).mean().to_dict()),
            "This is the share of those who are there. Asked for are the missing.",
        ),
        "ratio": Wrong(
            _shares(
                lambda group, missing: {
                    name: missing[group == name].sum() / max((~missing[group == name]).sum(), 1) for name in set(group)
                }
            ),
            "Each is divided by those who are left. Divide by everybody in the group, missing or not.",
        ),
        "percent": Wrong(
            _shares(lambda group, missing: (100 * pd.Series(missing, group.index).groupby(group).mean()).to_dict()),
            "These are percent. Asked for are shares, between 0 and 1.",
        ),
        "nobody": Wrong(
            lambda participants, failed: dict.fromkeys(np.unique(participants["diagnosis"]), 0.0),
            "Nobody is missing here. `failed` has labels in its index, not row numbers: compare index with index.",
        ),
    },
    known_case=KnownCase(_known_failures, {"A": 0.5, "B": 0.0}),  # two of four, none of two
    why="If one group loses more than the other, those who are left no longer are the sample that was drawn.",
    example_inputs=_example_failures,
)


# ---- threads or processes


def choose_workers():
    """Many Python steps on a small input: only processes run those side by side."""
    return "b"


workers = Choice(
    title="Threads or processes?",
    solve=choose_workers,
    options={
        "a": "Threads: they start at once and share memory.",
        "b": "Processes: the work is plain Python, which only one thread of a process can do at a time, and little has "
        "to be handed over.",
        "c": "Processes: they always are faster, because each has an interpreter of its own.",
        "d": "A cluster: one computer cannot run plain Python on more than one core.",
        "e": "One worker: nothing can be gained.",
    },
    reasons={
        "a": "Both are true, and here neither helps. See the row of plain Python in the table: what did two threads "
        "gain?",
        "c": "Not always. See the first row of the table, and think of what it takes to start them and to hand over "
        "large images.",
        "d": "One computer can: see the column of processes in the row of plain Python.",
        "e": "The people do not depend on each other, so on four cores nearly four can be done at a time. Which kind "
        "of worker lets them?",
    },
    hints=[
        "Where does the time go: into a library that works outside of Python, such as unpacking, or into Python "
        "itself?",
        "Compare the two rows of the table with each other.",
    ],
    why="Measure both: it is one word in one line. On a cluster each worker is a process anyway, and may have several "
    "threads.",
)
