"""Exercises of episode 06: cleaning confounds."""

import numpy as np
import pandas as pd
from nilearn.interfaces.fmriprep import load_confounds

from course_utils.exercises._compare import Names, Number
from course_utils.exercises._engine import Exercise, KnownCase, Wrong
from course_utils.exercises._small_run import write_small_run
from course_utils.exercises._volumes import Columns, Volumes

# ---- the 18 columns


def choose_eighteen():
    """Take the nine, and the change of each from one volume to the next."""
    nine = ["global_signal", "csf", "white_matter", "rot_x", "rot_y", "rot_z", "trans_x", "trans_y", "trans_z"]
    return nine + [f"{name}_derivative1" for name in nine]


def _with(*endings, only=lambda name: True, more=()):
    """Make a wrong solution: other endings, some of the nine only, or more columns."""
    return lambda: [name + end for end in endings for name in filter(only, choose_eighteen()[:9])] + list(more)


eighteen_columns = Exercise(
    title="The 18 columns",
    solve=choose_eighteen,
    compare=Names(what="columns"),
    hints=[
        "Nine columns have a name of their own: six for the motion, three for mean signals.",
        "The change of `csf` is in the column `csf_derivative1`. A loop over the nine can add the ending.",
        '`nine + [f"{name}_derivative1" for name in nine]`, where `nine` is the list of the nine names.',
    ],
    wrong={
        "nine": Wrong(_with(""), "These are the nine. The change of each is still missing."),
        "pattern": Wrong(
            _with("", "_derivative1", "_derivative1_power2"),
            'A pattern such as `"derivative1" in name` also catches the squares of the changes, which end in '
            "`_derivative1_power2`.",
        ),
        "with_squares": Wrong(
            _with("", "_derivative1", "_power2", "_derivative1_power2"),
            "These are 36: the squares are among them. That set is in use too, but here we ask for the 18.",
        ),
        "squares_for_changes": Wrong(
            _with("", "_power2"),
            "The ending `_power2` is a square. The change from the volume before has another ending.",
        ),
        "motion_only": Wrong(
            _with("", "_derivative1", only=lambda name: name[-2] == "_"),
            "These are the motion and its changes. The three mean signals and their changes are missing.",
        ),
        "no_global_signal": Wrong(
            _with("", "_derivative1", only=lambda name: name != "global_signal"),
            "The global signal and its change are missing. They are debated, but Yeo and colleagues used them.",
        ),
        "tissues_together": Wrong(
            _with("", "_derivative1", more=["csf_wm"]),
            "`csf_wm` is the mean over fluid and white matter together. You have both already, one by one.",
        ),
        "measures_of_change": Wrong(
            _with("", "_derivative1", more=["framewise_displacement", "dvars"]),
            "FD and DVARS tell which volumes are bad. We use them to choose volumes, not to regress them out.",
        ),
    },
    known_case=KnownCase(
        {},
        [
            *("csf", "csf_derivative1", "white_matter", "white_matter_derivative1", "global_signal", "rot_x", "rot_y"),
            *("rot_z", "global_signal_derivative1", "rot_x_derivative1", "rot_y_derivative1", "rot_z_derivative1"),
            *("trans_x", "trans_x_derivative1", "trans_y", "trans_y_derivative1", "trans_z"),
            "trans_z_derivative1",
        ],
    ),
    why="“Motion and its derivatives” in a methods section leaves the reader to guess. A list of names does not.",
)


# ---- align table and image


def align_with_image(table, columns, n_dummy):
    """Keep the columns, and leave out as many rows at the start as volumes were dropped from the image."""
    return table[columns].iloc[n_dummy:].to_numpy()


def _rows(choose):
    """Make a wrong solution: other rows of the columns."""
    return lambda table, columns, n_dummy: choose(table[columns], n_dummy).to_numpy()


def _example_table():
    """Make a table of 12 volumes, with n/a in the first row of the derivatives."""
    table = pd.DataFrame(np.random.default_rng(6).normal(size=(12, 3)), columns=["trans_x", "csf", "dvars"])
    return table.join(table.diff().add_suffix("_derivative1"))


aligned_rows = Exercise(
    title="Align table and image",
    solve=align_with_image,
    compare=Columns(axes=("volumes", "confounds")),
    hints=[
        "The image lost its first volumes. Which rows of the table belong to them?",
        "`.iloc` counts rows from 0, as `.slicer` counts volumes: what was cut from one can be cut from the other.",
    ],
    wrong={
        "all_rows": Wrong(
            _rows(lambda t, n: t), "Every volume still has its row, the dropped ones too. The image has fewer volumes."
        ),
        "one_too_many": Wrong(
            _rows(lambda t, n: t.iloc[n + 1 :]),
            "One row too few. Was the row of n/a dropped, and then as many rows again as volumes were dropped? "
            "The row of n/a is one of these.",
        ),
        "one_too_few": Wrong(
            _rows(lambda t, n: t.iloc[n - 1 :]), "One row too many. Dropping volumes 0 to 3 leaves 4 as the first."
        ),
        "end_dropped": Wrong(
            _rows(lambda t, n: t.iloc[:-n]),
            "The number of rows is right, but they were dropped from the end. Each row would describe another volume.",
        ),
        "first_ones": Wrong(_rows(lambda t, n: t.iloc[:n]), "These are the rows of the volumes that were dropped."),
        "filled": Wrong(
            _rows(lambda t, n: t.fillna(0)),
            "The n/a are filled, but no row was dropped. The image has fewer volumes than this has rows.",
        ),
        "all_columns": Wrong(
            lambda table, columns, n_dummy: table.iloc[n_dummy:].to_numpy(),
            "The rows are right. Of the columns, only those in `columns` are asked for.",
        ),
        "in_the_tables_order": Wrong(
            lambda table, columns, n_dummy: table.loc[:, table.columns.isin(columns)].iloc[n_dummy:].to_numpy(),
            "The right values, but the columns are in the order of the table, not in that of `columns`.",
        ),
        "transposed": Wrong(
            lambda table, columns, n_dummy: align_with_image(table, columns, n_dummy).T,
            "The values are right, but they lie on their side: a row should be a volume, and a column a confound.",
        ),
    },
    known_case=KnownCase(
        {
            "table": pd.DataFrame({"csf": [0, 3, 1, 2, 5], "dvars": [9] * 5, "csf_derivative1": [np.nan, 3, -2, 1, 3]}),
            "columns": ["csf", "csf_derivative1"],
            "n_dummy": 2,
        },
        np.array([[1.0, -2.0], [2.0, 1.0], [5.0, 3.0]]),
    ),
    why="A table that is off by one row describes every volume by its neighbour. Nothing complains while the number of "
    "rows fits.",
    example_inputs=lambda: {"table": _example_table(), "columns": ["csf_derivative1", "csf"], "n_dummy": 4},
)


# ---- which frequencies survive


def find_survivors(frequencies, t_r, low_pass, high_pass):
    """Fold each frequency to where the scanner sees it, then compare it with the band."""
    sampling = 1 / t_r  # volumes a second
    seen = (frequencies - sampling * (frequencies / sampling).round()).abs()
    return seen.index[(seen >= high_pass) & (seen <= low_pass)].to_list()


def _survive(choose):
    """Make a wrong solution: other frequencies (`f` as they are, `seen` as the scanner sees them) pass."""

    def find(frequencies, t_r, low_pass, high_pass):
        seen = (frequencies - (frequencies * t_r).round() / t_r).abs()
        return frequencies.index[choose(frequencies, seen, 1 / (2 * t_r), high_pass, low_pass)].to_list()

    return find


survivors = Exercise(
    title="Which frequencies survive",
    solve=find_survivors,
    compare=Names(what="oscillations"),
    hints=[
        "An oscillation below the Nyquist frequency is seen where it is. Compare those with the band first.",
        "One above it is seen as far from 0 as it is from the nearest multiple of the sampling frequency, 1 / TR.",
        "At a TR of 2 s the multiples are 0, 0.5, 1 and 1.5 Hz. How far from the nearest one is each pulse?",
    ],
    wrong={
        "no_aliasing": Wrong(
            _survive(lambda f, seen, nyquist, high, low: (f >= high) & (f <= low)),
            "These lie in the band by themselves. But what is faster than the Nyquist frequency may come to lie there.",
        ),
        "all_pulses": Wrong(
            _survive(lambda f, seen, nyquist, high, low: ((f >= high) & (f <= low)) | (f > nyquist)),
            "Not everything above the Nyquist frequency ends up in the band. Work out where each is seen.",
        ),
        "low_pass_only": Wrong(
            _survive(lambda f, seen, nyquist, high, low: seen <= low),
            "The aliasing is right. But the band has a lower edge too: what is slower than that goes.",
        ),
        "below_nyquist": Wrong(
            _survive(lambda f, seen, nyquist, high, low: f <= nyquist),
            "These are seen where they are. Which of them lie in the band, and does something else come to lie there?",
        ),
        "removed": Wrong(
            _survive(lambda f, seen, nyquist, high, low: (seen < high) | (seen > low)),
            "These are the ones that the filter removes. Asked for are those that are left.",
        ),
        "frequencies": Wrong(
            lambda frequencies, **band: frequencies[find_survivors(frequencies, **band)].to_list(),
            "These are frequencies. Asked for are the names: for a Series, its `.index`.",
        ),
        "frequencies_in_band": Wrong(
            lambda frequencies, t_r, low_pass, high_pass: frequencies[
                frequencies.between(high_pass, low_pass)
            ].to_list(),
            "These are frequencies, and asked for are the names (for a Series, its `.index`). And something that is "
            "faster than the Nyquist frequency may come to lie in the band.",
        ),
    },
    # by hand, TR 1 s: 0.5 Hz is Nyquist; 1.95 lies 0.05 from 2, 1.3 lies 0.3 from 1
    known_case=KnownCase(
        {
            "frequencies": pd.Series({"a": 0.05, "b": 0.001, "c": 0.4, "d": 1.95, "e": 1.3}),
            **{"t_r": 1.0, "low_pass": 0.1, "high_pass": 0.01},
        },
        ["a", "d"],
    ),
    why="A filter works on what was sampled. What is too fast for the scanner comes back as something slow, and no "
    "filter can tell it from the brain.",
    example_inputs=lambda: {
        "frequencies": pd.Series({"drift": 0.004, "brain": 0.03, "breath": 0.2, "pulse": 0.93, "fast pulse": 1.3}),
        **{"t_r": 2.0, "low_pass": 0.08, "high_pass": 0.009},
    },
)


# ---- scrub


def keep_still_volumes(fd):
    """List the positions at which FD is not above the threshold."""
    return np.flatnonzero(fd <= 0.5)


def _around(fd):
    """Leave out the volume before and two after each movement too, as in Power et al. 2012."""
    moved = np.flatnonzero(fd > 0.5)
    return np.setdiff1d(np.arange(len(fd)), moved[:, None] + [-1, 0, 1, 2])


def _example_fd():
    """Make the FD of 20 volumes after 4 dummy volumes, with movements of several sizes."""
    fd = pd.Series(0.1, index=np.arange(4, 24))
    return {"fd": fd.mask(fd.index.isin([7, 8, 19]), 0.9).mask(fd.index.isin([10, 16]), 0.3)}


kept_volumes = Exercise(
    title="Scrub at FD > 0.5 mm",
    solve=keep_still_volumes,
    compare=Volumes(axes=("volumes kept",)),
    hints=[
        "`fd <= 0.5` is True where a volume may stay. Asked for are the positions of these.",
        "numpy has a function for the positions of what is True: `np.flatnonzero`.",
    ],
    wrong={
        "censored": Wrong(
            lambda fd: np.flatnonzero(fd > 0.5),
            "These are the volumes to leave out. A `sample_mask` lists those that are kept.",
        ),
        "labels": Wrong(
            lambda fd: fd.index[fd <= 0.5].to_numpy(),
            "These are labels of rows: they count from the start of the run. The dummy volumes are gone, so positions "
            "count from the first volume that is left.",
        ),
        "how_many": Wrong(lambda fd: (fd <= 0.5).sum(), "This is how many stay. Asked for are their positions."),
        "booleans": Wrong(
            lambda fd: np.asarray(fd <= 0.5),
            "True and False for every volume: the right choice. But a `sample_mask` holds numbers here, the positions "
            "of what is True.",
        ),
        "tuple": Wrong(
            lambda fd: np.where(fd <= 0.5), "`np.where` gives a tuple with one array for each axis. Take the array out."
        ),
        "values": Wrong(
            lambda fd: np.asarray(fd[fd <= 0.5]),
            "These are the values of FD at the volumes that stay. Asked for are their positions.",
        ),
        "strict": Wrong(
            lambda fd: np.flatnonzero(fd <= 0.2),
            "This leaves out what is above 0.2 mm. That threshold is in use too, but here it is 0.5 mm.",
        ),
        "neighbours": Wrong(
            _around,
            "This also leaves out the volume before each movement and the two after it. Power and colleagues widened "
            "their lists so in 2012; asked for here are the volumes above the threshold alone.",
        ),
        "from_one": Wrong(lambda fd: np.flatnonzero(fd <= 0.5) + 1, "Positions count from 0, and these from 1."),
    },
    known_case=KnownCase({"fd": pd.Series([0.1, 0.7, 0.5, 0.2, 3.0, 0.4], index=range(4, 10))}, np.array([0, 2, 3, 5])),
    why="The list of volumes kept is a decision about the data. Save it, report how many are left, and compare that "
    "between groups.",
    example_inputs=_example_fd,
)


# ---- degrees of freedom


def count_freedom(n_volumes, n_dummy, n_confounds, t_r, low_pass, high_pass):
    """Keep the band's share of the volumes, then pay one for each confound."""
    nyquist = 1 / (2 * t_r)
    share = (low_pass - high_pass) / nyquist
    return (n_volumes - n_dummy) * share - n_confounds


def _count(formula):
    """Make a wrong solution: n volumes kept, k confounds, shares of what can be seen: of the band, below its top."""

    def count(n_volumes, n_dummy, n_confounds, t_r, low_pass, high_pass):
        share, below = (low_pass - high_pass) * 2 * t_r, low_pass * 2 * t_r
        return formula(n_volumes - n_dummy, n_confounds, share, below, n_dummy)

    return count


freedom_left = Exercise(
    title="Degrees of freedom left",
    solve=count_freedom,
    compare=Number(atol=0.51, unit="degrees of freedom"),
    hints=[
        "Three steps: the volumes kept, the share of them that the band leaves, and what the confounds cost.",
        "A run holds frequencies from 0 to Nyquist, 1 / (2 TR). Which share of that range lies between the edges?",
        "The confounds are filtered too. They live in the band as the signals do, and each takes one from there.",
    ],
    wrong={
        "band_is_free": Wrong(
            _count(lambda n, k, share, below, n_dummy: n - k),
            "The confounds are counted, the filter is not. It takes more than they do.",
        ),
        "confounds_are_free": Wrong(
            _count(lambda n, k, share, below, n_dummy: n * share), "The filter is counted, the confounds are not."
        ),
        "confounds_shrink": Wrong(
            _count(lambda n, k, share, below, n_dummy: (n - k) * share),
            "Here a confound costs only a share of a degree of freedom. But after the filter confounds and signals "
            "live in the same band, and there each confound takes a whole one.",
        ),
        "sampling_frequency": Wrong(
            _count(lambda n, k, share, below, n_dummy: n * share / 2 - k),
            "The band was divided by 1 / TR, the sampling frequency. The highest frequency in a run is half of that.",
        ),
        "half_times_t_r": Wrong(
            lambda t_r, **others: count_freedom(t_r=1 / t_r, **others),
            "Python reads `1/2*t_r` as (1/2)*t_r. Write `1 / (2 * t_r)`.",
        ),
        "removed_share": Wrong(
            _count(lambda n, k, share, below, n_dummy: n * (1 - share) - k),
            "This takes the share of the frequencies that the filter removes. What is left is the other share.",
        ),
        "low_pass_only": Wrong(
            _count(lambda n, k, share, below, n_dummy: n * below - k), "The lower edge of the band takes its share too."
        ),
        "dummies_counted": Wrong(
            _count(lambda n, k, share, below, n_dummy: (n + n_dummy) * share - k),
            "The dummy volumes were dropped before: they cannot be counted.",
        ),
    },
    # by hand: 100 volumes; Nyquist is 0.25 Hz and the band 0.1 Hz wide, so 40 are left, and 30 after ten confounds
    known_case=KnownCase(
        {"n_volumes": 104, "n_dummy": 4, "n_confounds": 10, "t_r": 2.0, "low_pass": 0.11, "high_pass": 0.01}, 30.0
    ),
    why="The count is rough, but it warns in time. Count before you add a confound: each takes something of what the "
    "band has left, and with enough of them nothing is.",
    example_inputs=lambda: {
        **{"n_volumes": 152, "n_dummy": 4, "n_confounds": 18, "t_r": 2.0, "low_pass": 0.08, "high_pass": 0.009}
    },
    answer_is_function=True,
)


# ---- by hand = load_confounds


def keep_as_by_hand(bold, n_dummy):
    """Switch off the rules that we did not use, then count from the first volume after the dummies."""
    rules = {"fd_threshold": 0.5, "std_dvars_threshold": 1000, "scrub": 0}
    _, kept = load_confounds(bold, strategy=("motion", "scrub"), **rules)
    return kept[kept >= n_dummy] - n_dummy


def _loaded(change=lambda kept, n_dummy: kept[kept >= n_dummy] - n_dummy, **rules):
    """Make a wrong solution: `load_confounds` with other rules, or its volumes counted in another way."""
    rules = {"fd_threshold": 0.5, "std_dvars_threshold": 1000, "scrub": 0, **rules}
    return lambda bold, n_dummy: change(load_confounds(bold, strategy=("motion", "scrub"), **rules)[1], n_dummy)


def _example_run():
    """Write a run of 60 volumes with movements above 0.5 and 0.2 mm, and with two high values of std_dvars."""
    fd, std_dvars = np.full(60, 0.1), np.full(60, 1.0)
    fd[[0, 10, 13, 30, 31, 50, 57]], fd[[20, 40]] = [np.nan, 0.7, 0.9, 0.6, 1.5, 0.8, 0.7], 0.3
    std_dvars[[0, 25, 45]] = [np.nan, 1.7, 2.0]
    return {"bold": write_small_run(tuple(fd), tuple(std_dvars), n_marked=2), "n_dummy": 4}


def _nine_volumes():
    fd, std_dvars = (np.nan, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.6, 0.1), (np.nan, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    return {"bold": write_small_run(fd, std_dvars, n_marked=1), "n_dummy": 2}


same_volumes = Exercise(
    title="By hand = load_confounds",
    solve=keep_as_by_hand,
    compare=Volumes(axes=("volumes kept",)),
    hints=[
        "By hand there was one rule, FD. Two more are on by default: what do `std_dvars_threshold` and `scrub` do?",
        "`scrub=0` switches off the rule on short pieces. A threshold that no volume reaches switches off DVARS.",
        "Its volumes count from the start of the run. Leave out those below `n_dummy`, and subtract `n_dummy`.",
    ],
    wrong={
        "as_in_the_text": Wrong(
            _loaded(lambda kept, n_dummy: kept, std_dvars_threshold=1.5, scrub=5),
            "Two rules are still on that we did not use: one on DVARS, one on short pieces. And these volumes count "
            "from the start of the run.",
        ),
        "both_rules_on": Wrong(
            _loaded(std_dvars_threshold=1.5, scrub=5),
            "Two rules are still on that we did not use: DVARS, and pieces of fewer than 5 volumes.",
        ),
        "short_pieces": Wrong(
            _loaded(scrub=5), "Pieces of fewer than 5 volumes were left out too. The argument `scrub` sets that."
        ),
        "dvars": Wrong(
            _loaded(std_dvars_threshold=1.5),
            "Volumes with a high std_dvars were left out too. Raise `std_dvars_threshold` until none is.",
        ),
        "default_fd": Wrong(_loaded(fd_threshold=0.2), "This is FD above 0.2 mm. By hand it was 0.5 mm."),
        "from_the_start": Wrong(
            _loaded(lambda kept, n_dummy: kept[kept >= n_dummy]),
            "The right volumes, counted from the start of the run. The dummy volumes are gone: subtract how many.",
        ),
        "entries_dropped": Wrong(
            _loaded(lambda kept, n_dummy: kept[n_dummy:] - n_dummy),
            "`kept[4:]` takes away the first four entries, whichever volumes they are. The list already begins after "
            "the volumes that fMRIPrep marked: use `kept[kept >= n_dummy]`.",
        ),
        "dvars_from_the_start": Wrong(
            _loaded(lambda kept, n_dummy: kept, std_dvars_threshold=1.5),
            "The rule on DVARS is still on, and these volumes count from the start of the run.",
        ),
        "both_returned": Wrong(
            lambda bold, n_dummy: load_confounds(bold, strategy=("motion", "scrub"), scrub=0),
            "`load_confounds` returns two things, a table and the volumes kept. Take the second: "
            "`_, kept = load_confounds(...)`.",
        ),
        "as_loaded": Wrong(
            _loaded(lambda kept, n_dummy: kept),
            "The rules are right. But these volumes count from the start of the run, and dummy volumes that fMRIPrep "
            "did not mark are among them.",
        ),
        "below_zero": Wrong(
            _loaded(lambda kept, n_dummy: kept - n_dummy),
            "Some numbers are below 0: dummy volumes that fMRIPrep did not mark. Leave them out first.",
        ),
    },
    # by hand: without volumes 0 and 1 (dummies), 4 and 7 (FD) stay 2, 3, 5, 6, 8; counted from 2 on: 0, 1, 3, 4, 6
    known_case=KnownCase(_nine_volumes, np.array([0, 1, 3, 4, 6])),
    why="Two people can both write “scrubbed at FD > 0.5 mm” and keep other volumes. Defaults are part of a method: "
    "report them.",
    example_inputs=_example_run,
)
