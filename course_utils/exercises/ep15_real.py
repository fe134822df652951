"""Exercises of episode 15: the real study."""

import numpy as np
import pandas as pd

from course_utils.exercises._compare import Names, Number, Table
from course_utils.exercises._engine import Exercise, KnownCase, Wrong

# ---- an old table, up to date


def bring_up_to_date(old, names):
    """Rename, keep what was asked for, put each difference from the volume before beside it."""
    today = {old_name: name for name, old_name in names.items()}
    signals = old.rename(columns=today)[list(names)]
    return signals.join(signals.diff().add_suffix("_derivative1"))


def _not_renamed(old, names):
    signals = old[list(names.values())]
    return signals.join(signals.diff().add_suffix("_derivative1"))


def _with_everything(old, names):
    today = old.rename(columns={old_name: name for name, old_name in names.items()})
    return today.join(today[list(names)].diff().add_suffix("_derivative1"))


def _from_the_next(old, names):
    signals = bring_up_to_date(old, names)[list(names)]
    return signals.join((signals.shift(-1) - signals).add_suffix("_derivative1"))


def _signs(names):
    return pd.Series({name + end: sign for end, sign in (("", 1), ("_derivative1", -1)) for name in names})


def _small_old_table():
    # from 1 to 3 it is 2, from 5 to 4 it is -1; nothing comes before the first volume
    old = pd.DataFrame({"CSF": [5.0, 4.0], "X": [1.0, 3.0], "tCompCor00": [0.1, 0.2]})
    return {"old": old, "names": {"trans_x": "X", "csf": "CSF"}}


def _example_old_table():
    values = np.random.default_rng(15).normal(size=(12, 4))
    old = pd.DataFrame(values, columns=["WhiteMatter", "RotX", "X", "aCompCor00"])
    return {"old": old, "names": {"trans_x": "X", "rot_x": "RotX", "white_matter": "WhiteMatter"}}


up_to_date = Exercise(
    title="An old table, up to date",
    solve=bring_up_to_date,
    compare=Table(),
    hints=[
        "`rename(columns=...)` wants a dictionary from old to new. `names` goes the other way: turn it round.",
        "Keep the columns `list(names)`. The difference of each row from the one before is `.diff()`.",
        'Put them side by side: `signals.join(signals.diff().add_suffix("_derivative1"))`.',
    ],
    wrong={
        "only_renamed": Wrong(
            lambda old, names: bring_up_to_date(old, names)[list(names)],
            "The differences are missing. The old table had none; a table of today has one beside each signal.",
        ),
        "not_renamed": Wrong(
            _not_renamed, "The columns have their old names. nilearn and this course look for those of today."
        ),
        "everything": Wrong(_with_everything, "Other columns came along. Keep those that `names` lists."),
        "zero": Wrong(
            lambda old, names: bring_up_to_date(old, names).fillna(0.0),
            "The first row of the differences is 0. Nothing comes before the first volume: leave it without a value.",
        ),
        "from_the_next": Wrong(
            _from_the_next,
            "These are differences from a volume to the next one, a row too early. fMRIPrep takes those from the one "
            "before.",
        ),
        "backwards": Wrong(
            lambda old, names: bring_up_to_date(old, names).mul(_signs(names)),
            "The differences have the wrong sign: take the volume before from each volume.",
        ),
        "filled": Wrong(
            lambda old, names: bring_up_to_date(old, names).bfill(),
            "The first row of the differences was filled with the second. Nothing comes before the first volume: leave "
            "it without a value.",
        ),
        "row_dropped": Wrong(
            lambda old, names: bring_up_to_date(old, names).dropna(),
            "The first row is gone. A table of confounds has a row for each volume, also for the first.",
        ),
        "rounded": Wrong(
            lambda old, names: bring_up_to_date(old, names).round(1),
            "These are rounded. Keep all digits of the published table.",
        ),
    },
    known_case=KnownCase(
        _small_old_table,
        pd.DataFrame(
            {
                "trans_x": [1.0, 3.0],
                "csf": [5.0, 4.0],
                "trans_x_derivative1": [np.nan, 2.0],
                "csf_derivative1": [np.nan, -1.0],
            }
        ),
    ),
    why="Data stay, programs change their names for things. Convert beside the original, and write down what you did.",
    example_inputs=_example_old_table,
)


# ---- diagnosis from the scanner alone


def guess_from_scanner(people):
    """On each scanner guess the diagnosis that most people there have."""
    counts = pd.crosstab(people["scanner"], people["diagnosis"])
    return counts.max(axis=1).sum() / len(people)


def _mean_over_scanners(people):
    return pd.crosstab(people["scanner"], people["diagnosis"], normalize="index").max(axis=1).mean()


def _scanner_from_diagnosis(people):
    return pd.crosstab(people["diagnosis"], people["scanner"]).max(axis=1).sum() / len(people)


def _make_people(counts):
    """Make one row a person from counts by scanner and diagnosis."""
    rows = [place for place, n in counts.items() for _ in range(n)]
    index = pd.Index([f"sub-{i:02}" for i in range(len(rows))], name="participant_id")
    return {"people": pd.DataFrame(rows, columns=["scanner", "diagnosis"], index=index)}


from_scanner = Exercise(
    title="Diagnosis from the scanner",
    solve=guess_from_scanner,
    compare=Number(rtol=1e-3, unit="", between=(0, 1)),
    hints=[
        "Count the people of each scanner by diagnosis: `pd.crosstab`.",
        "On each scanner guess the diagnosis that is more frequent there. How many people are right, on both together?",
    ],
    wrong={
        "without_scanner": Wrong(
            lambda people: people["diagnosis"].value_counts(normalize=True).max(),
            "This is what guessing the larger group gives, without a look at the scanner.",
        ),
        "mean_over_scanners": Wrong(
            _mean_over_scanners,
            "This is the mean of the scanners' shares. The scanners did not see equally many people: count people.",
        ),
        "the_other_way": Wrong(
            _scanner_from_diagnosis, "This guesses the scanner from the diagnosis. Guess the diagnosis."
        ),
        "share_wrong": Wrong(
            lambda people: 1 - guess_from_scanner(people), "This is the share of people who are guessed wrong."
        ),
        "best_scanner": Wrong(
            lambda people: pd.crosstab(people["scanner"], people["diagnosis"], normalize="index").max(axis=1).max(),
            "This is the share in one scanner, where the guess is best. Count the people of all scanners.",
        ),
        "rounded": Wrong(
            lambda people: round(guess_from_scanner(people), 2), "Nearly, but this is rounded: give all its digits."
        ),
        "percent": Wrong(
            lambda people: 100 * guess_from_scanner(people), "This is in percent. Asked for is a share from 0 to 1."
        ),
    },
    # 4 controls are right on the first, 2 patients on the second, of 9 people
    known_case=KnownCase(lambda: _make_people({("A", "CONTROL"): 4, ("A", "SCHZ"): 3, ("B", "SCHZ"): 2}), 6 / 9),
    why="Whatever differs between two scanners will differ between the groups as well, and a classifier will find it.",
    example_inputs=lambda: _make_people({("A", "CONTROL"): 6, ("A", "SCHZ"): 4, ("B", "CONTROL"): 1, ("B", "SCHZ"): 3}),
)


# ---- people who are alike


def choose_alike(people, scanner, gender):
    """One scanner, one sex, and a resting run: neither of the first two can then pass for the diagnosis."""
    alike = people.query("scanner == @scanner and gender == @gender and rest == 1")
    return list(alike.index)


def _mixed_people():
    people = pd.DataFrame(
        {
            "diagnosis": ["CONTROL", "CONTROL", "SCHZ", "SCHZ", "SCHZ", "CONTROL"],
            "scanner": ["A", "B", "B", "B", "A", "B"],
            "gender": ["M", "M", "M", "F", "F", "M"],
            "rest": [1.0, 1.0, 1.0, 1.0, np.nan, np.nan],
        },
        index=pd.Index(["sub-1", "sub-2", "sub-3", "sub-4", "sub-5", "sub-6"], name="participant_id"),
    )
    return {"people": people, "scanner": "B", "gender": "M"}


alike = Exercise(
    title="People who are alike",
    solve=choose_alike,
    compare=Names(what="people"),
    hints=[
        "Each condition is a column of True and False, such as `people['gender'] == gender`. `&` joins them.",
        "There are three: scanner, sex, and a resting run (`rest` is 1). The labels are in the index.",
    ],
    wrong={
        "any": Wrong(
            lambda people, scanner, gender: list(
                people.index[((people["scanner"] == scanner) | (people["gender"] == gender)) & (people["rest"] == 1)]
            ),
            "These people have the scanner *or* the sex. Both are asked for.",
        ),
        "without_run": Wrong(
            lambda people, scanner, gender: list(
                people.index[(people["scanner"] == scanner) & (people["gender"] == gender)]
            ),
            "Somebody without a resting run is among them: `rest` must be 1.",
        ),
        "only_scanner": Wrong(
            lambda people, scanner, gender: list(people.index[(people["scanner"] == scanner) & (people["rest"] == 1)]),
            "All of them were in the right scanner, but they are of both sexes.",
        ),
        "only_gender": Wrong(
            lambda people, scanner, gender: list(people.index[(people["gender"] == gender) & (people["rest"] == 1)]),
            "All of them are of the right sex, but they were in different scanners.",
        ),
        "bare": Wrong(
            lambda people, scanner, gender: [
                label.removeprefix("sub-") for label in choose_alike(people, scanner, gender)
            ],
            'The right people, but their labels have lost the "sub-" of the table.',
        ),
        "everybody": Wrong(
            lambda people, scanner, gender: list(people.index), "Nobody was left out: these are all people."
        ),
        "others": Wrong(
            lambda people, scanner, gender: list(people.index.difference(choose_alike(people, scanner, gender))),
            "These are the people to leave out.",
        ),
    },
    known_case=KnownCase(_mixed_people, ["sub-2", "sub-3"]),
    why="Choosing people who are alike is the one cure that needs no model. Its price: fewer people, and an answer "
    "that holds for them alone.",
    example_inputs=_mixed_people,
)
