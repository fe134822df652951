"""Exercises of episode 10: how well did the cleaning work?"""

import numpy as np
import pandas as pd
from scipy import stats

from course_utils.exercises._compare import Mapping, Number
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong

# ---- error to truth


def measure_error(found, planted):
    """Correlate over edges for the pattern; average the differences for the level."""
    return {"pattern": found.corr(planted), "level": (found - planted).mean()}


def _error(pattern=None, level=None):
    """Make a wrong solution: one of the two, or both, computed in another way."""

    def measure(found, planted):
        right = measure_error(found, planted)
        return {
            "pattern": pattern(found, planted) if pattern else right["pattern"],
            "level": level(found, planted) if level else right["level"],
        }

    return measure


def _swapped(found, planted):
    right = measure_error(found, planted)
    return {"pattern": right["level"], "level": right["pattern"]}


def _one_number(found, planted):
    return float(np.sqrt(((found - planted) ** 2).mean()))


def _example_edges():
    """Make 300 planted edges, and what a run may show of them."""
    rng = np.random.default_rng(10)
    planted = pd.Series(np.clip(rng.exponential(0.3, 300) - 0.25, -0.8, 0.9))  # few strong edges, many weak ones
    found = np.clip(0.9 * planted - 0.15 + rng.normal(0, 0.15, 300), -0.95, 0.95)
    return {"found": found, "planted": planted}


truth_error = Exercise(
    title="Error to truth",
    solve=measure_error,
    compare=Mapping(values=Number(rtol=0, atol=5.1e-3)),  # two decimals are enough
    hints=[
        "The pattern asks which edges are strong beside others: a correlation over edges. The level asks whether all "
        "are too high or too low.",
        "`found.corr(planted)` is a correlation over edges. `found - planted` is one difference for each edge.",
        'Both in a dict: `{"pattern": ..., "level": ...}`. The level is a mean that keeps its sign.',
    ],
    wrong={
        "other_sign": Wrong(
            _error(level=lambda f, p: (p - f).mean()),
            "The level has the wrong sign: what was found comes first, the truth is subtracted. Then a positive level "
            "means too high.",
        ),
        "absolute": Wrong(
            _error(level=lambda f, p: (f - p).abs().mean()),
            "The level is the mean of absolute differences. Without the signs one cannot tell too high from too low.",
        ),
        "root_mean_square": Wrong(
            _error(level=lambda f, p: np.sqrt(((f - p) ** 2).mean())),
            "The level is a root mean square. In it a shift of all edges and the scatter of single ones are mixed.",
        ),
        "level_of_found": Wrong(
            _error(level=lambda f, p: f.mean()),
            "The level is the mean of what was found. How far is that from the mean of the truth?",
        ),
        "absolute_first": Wrong(
            _error(level=lambda f, p: f.abs().mean() - p.abs().mean()),
            "The level compares absolute values of r. An edge that went from 0.2 to −0.2 would not have moved.",
        ),
        "squared": Wrong(
            _error(pattern=lambda f, p: f.corr(p) ** 2),
            "The pattern is r squared, the share of variance in common. Here we ask for r.",
        ),
        "ranks": Wrong(
            _error(pattern=lambda f, p: f.corr(p, method="spearman")),
            "The pattern is a correlation of ranks (Spearman). Here we ask for Pearson's, which also sees how far "
            "apart the edges are.",
        ),
        "slope": Wrong(
            _error(pattern=lambda f, p: f.cov(p) / p.var()),
            "The pattern is a slope: it changes when all edges shrink alike, and the pattern does not.",
        ),
        "swapped": Wrong(_swapped, "The two have changed places: the pattern is the correlation, the level the mean."),
        "one_number": Wrong(
            _one_number,
            "This is one number for both. A shift and a wrong pattern are different faults: keep them apart.",
        ),
    },
    # each edge is 0.2 below the truth: the pattern is perfect, the level is not
    known_case=KnownCase(
        {"found": pd.Series([0.1, 0.3, 0.5]), "planted": pd.Series([0.3, 0.5, 0.7])}, {"pattern": 1.0, "level": -0.2}
    ),
    why="A pattern may be right at the wrong level. Which of the two you need depends on your question, and no single "
    "number tells.",
    example_inputs=_example_edges,
)


# ---- QC-FC


def measure_qc_fc(correlations, mean_fd):
    """Correlate each edge with motion over people, drop the signs, and take the median over edges."""
    return correlations.corrwith(mean_fd).abs().median()


def _edges_with_people(correlations, mean_fd):
    """Correlate the edges of each person with those of the mean person."""
    return correlations.T.corrwith(correlations.mean()).abs().median()


def _mean_edge(correlations, mean_fd):
    return abs(correlations.mean(axis=1).corr(mean_fd))


def _example_people():
    """Make 20 people whose 200 edges depend on motion, some more and some less."""
    rng = np.random.default_rng(11)
    people = [f"{19001 + i}" for i in range(20)]
    mean_fd = pd.Series(rng.uniform(0.05, 0.4, 20), people)
    values = rng.normal(0.1, 0.2, (20, 200)) + np.outer(mean_fd - 0.2, rng.normal(-0.8, 1.0, 200))
    return {"correlations": pd.DataFrame(values, people), "mean_fd": mean_fd}


median_qc_fc = Exercise(
    title="QC-FC of all edges",
    solve=measure_qc_fc,
    compare=Number(rtol=0, atol=1.1e-3, unit="median absolute Pearson r", between=(0, 1)),
    hints=[
        "QC-FC is a correlation over people, one for each edge. Which axis of the table are the people on?",
        "`correlations.corrwith(mean_fd)` correlates each column with motion. What you want is one number for all.",
        "Drop the signs first (`.abs()`), then take the median.",
    ],
    wrong={
        "signs_kept": Wrong(
            lambda correlations, mean_fd: correlations.corrwith(mean_fd).median(),
            "The signs were kept, so edges that rise with motion and edges that fall with it cancel.",
        ),
        "signs_dropped_late": Wrong(
            lambda correlations, mean_fd: abs(correlations.corrwith(mean_fd).median()),
            "The signs were dropped after the median. Before it, each edge counts with its size.",
        ),
        "mean": Wrong(
            lambda correlations, mean_fd: correlations.corrwith(mean_fd).abs().mean(),
            "This is a mean over edges. The field reports the median, which a few extreme edges do not move.",
        ),
        "all_edges": Wrong(
            lambda correlations, mean_fd: correlations.corrwith(mean_fd).abs(),
            "These are all edges, one by one, without their signs. Asked for is one number: their median.",
        ),
        "largest": Wrong(
            lambda correlations, mean_fd: correlations.corrwith(mean_fd).abs().max(),
            "This is the largest of all edges. The largest of thousands is large by chance alone.",
        ),
        "mean_edge": Wrong(
            _mean_edge,
            "The edges were averaged first, and their mean was correlated with motion. That is one correlation, not "
            "one for each edge.",
        ),
        "squared": Wrong(
            lambda correlations, mean_fd: (correlations.corrwith(mean_fd) ** 2).median(),
            "This is r squared. QC-FC is reported as r.",
        ),
        "no_motion": Wrong(
            _edges_with_people, "Motion is not in this: people were compared with the mean of all people."
        ),
    },
    # edge a rises with motion (r = 1), b falls with it (r = -1), c goes up and down (r = 0): the median of 1, 1, 0
    known_case=KnownCase(
        {
            "correlations": pd.DataFrame({"a": [0.1, 0.2, 0.3], "b": [0.6, 0.4, 0.2], "c": [0.1, 0.4, 0.1]}),
            "mean_fd": pd.Series([0.1, 0.2, 0.3]),
        },
        1.0,
    ),
    why="This number needs no truth, so it can be reported for any study. Report the number of people with it: with "
    "few, it is not small even if motion has left no trace.",
    example_inputs=_example_people,
)


# ---- independent volumes


def count_volumes(chance_r):
    """Turn the scatter of chance correlations around: their variance is 1 / (n - 1)."""
    return 1 + 1 / chance_r.var()


independent_volumes = Exercise(
    title="What a cleaned run is worth",
    solve=count_volumes,
    compare=Number(rtol=0, atol=0.51, unit="independent volumes"),  # may be rounded to a whole number
    hints=[
        "Correlations of n independent volumes scatter around 0 with a standard deviation of 1 / √(n − 1).",
        "The variance is the square of that: 1 / (n − 1). Solve it for n.",
    ],
    wrong={
        "standard_deviation": Wrong(
            lambda chance_r: 1 + 1 / chance_r.std(),
            "The standard deviation was turned around without being squared. The variance is 1 / (n − 1).",
        ),
        "one_missing": Wrong(
            lambda chance_r: 1 / chance_r.var(),
            "This is n − 1. The mean of a signal takes one of its volumes, and the formula leaves it out.",
        ),
        "one_less": Wrong(
            lambda chance_r: 1 / chance_r.var() - 1, "The 1 has the wrong sign: 1 / (n − 1) is solved for n, not n − 2."
        ),
        "edges_counted": Wrong(
            lambda chance_r: len(chance_r),
            "This is the number of pairs of signals. How many there are does not say how widely they scatter.",
        ),
        "size_of_r": Wrong(
            lambda chance_r: 1 + 1 / chance_r.abs().mean() ** 2,
            "The mean absolute value is smaller than the standard deviation, so n comes out too large.",
        ),
        "scatter": Wrong(
            lambda chance_r: chance_r.std(),
            "This is the scatter itself. How many independent volumes would give such a scatter?",
        ),
        "fisher": Wrong(
            lambda chance_r: 3 + 1 / chance_r.var(),
            "The variance of Fisher's z is 1 / (n − 3). The values here are r, and theirs is 1 / (n − 1).",
        ),
    },
    # mean 0 and variance (0.25 + 0.25) / (3 - 1) = 0.25, so n - 1 = 4
    known_case=KnownCase({"chance_r": pd.Series([-0.5, 0.0, 0.5])}, 5.0),
    why="A count of regressors is a promise, this is a measurement, for white noise. Signals that are slow have fewer "
    "independent volumes from the start.",
    example_inputs=lambda: {"chance_r": pd.Series(np.random.default_rng(12).uniform(-0.4, 0.4, 400))},
)


# ---- false positives


def count_false_positives(replicates, strategy):
    """Test each study without a planted difference; the rate is the share of studies with p < 0.05."""
    chosen = replicates[(replicates["effect"] == "none") & (replicates["strategy"] == strategy)]
    p_values = []
    for _, people in chosen.groupby("study"):
        is_control = people["diagnosis"] == "CONTROL"
        controls, patients = people["default_mode"][is_control], people["default_mode"][~is_control]
        p_values.append(stats.ttest_ind(controls, patients, equal_var=False).pvalue)
    return np.mean(np.array(p_values) < 0.05)


def _rate_with(effect="none", rate=lambda p: np.mean(p < 0.05), choose=lambda table, strategy: table):
    """Make a wrong solution: other studies, other people, or something else than the rate."""

    def count(replicates, strategy):
        chosen = choose(replicates[replicates["effect"] == effect], strategy)
        p_values = []
        for _, people in chosen.groupby("study"):
            is_control = people["diagnosis"] == "CONTROL"
            values = people["default_mode"]
            p_values.append(stats.ttest_ind(values[is_control], values[~is_control], equal_var=False).pvalue)
        return rate(np.array(p_values))

    return count


def _of_strategy(table, strategy):
    return table[table["strategy"] == strategy]


def _all_at_once(table, strategy):
    return _of_strategy(table, strategy).assign(study=0)


def _example_replicates():
    """Make 20 studies with and 20 without a difference, cleaned in two ways, one of which brings a bias."""
    rng = np.random.default_rng(13)
    rows = []
    for effect, study in [(effect, study) for effect in ("none", "planted") for study in range(20)]:
        for diagnosis in ["CONTROL"] * 10 + ["SCHZ"] * 10:
            patient = diagnosis == "SCHZ"
            for strategy, bias in (("18P", 0.6), ("6P", 0.0)):
                z = rng.normal(0.8 - patient * (bias + 0.5 * (effect == "planted")) * 0.1, 0.1)
                rows.append((effect, study, diagnosis, strategy, z))
    return pd.DataFrame(rows, columns=["effect", "study", "diagnosis", "strategy", "default_mode"])


def _known_replicates():
    """Make four studies by hand: in two of them the groups do not overlap, in two they are equal."""
    far, equal = ([0.9, 1.0, 1.1], [0.1, 0.2, 0.3]), ([0.4, 0.5, 0.6], [0.4, 0.5, 0.6])
    rows = [
        ("none", study, diagnosis, "18P", z)
        for study, groups in enumerate([far, equal, far, equal])
        for diagnosis, values in zip(("CONTROL", "SCHZ"), groups, strict=True)
        for z in values
    ]
    return pd.DataFrame(rows, columns=["effect", "study", "diagnosis", "strategy", "default_mode"])


false_positives = Exercise(
    title="False positives",
    solve=count_false_positives,
    compare=Number(rtol=0, atol=1e-3, unit="share of studies", between=(0, 1)),
    hints=[
        "A false positive needs a study in which nothing was planted. Which column tells, and with which value?",
        'Choose the rows, then go through `.groupby("study")`: one test, and one p, for each study.',
        "`stats.ttest_ind(controls, patients, equal_var=False).pvalue` is Welch's test. The rate is the mean of "
        "p < 0.05.",
    ],
    wrong={
        "power": Wrong(
            _rate_with("planted", choose=_of_strategy),
            "In these studies a difference was planted, so their positives are true. This is the power.",
        ),
        "not_chosen": Wrong(
            _rate_with(), "All ways of cleaning are in this: each person counts many times. Choose one strategy."
        ),
        "all_at_once": Wrong(
            _rate_with(choose=_all_at_once),
            "All studies were tested as if they were one. A rate needs one test for each study.",
        ),
        "counted": Wrong(
            _rate_with(rate=lambda p: int(np.sum(p < 0.05)), choose=_of_strategy),
            "This is how many studies were positive. Divide by the number of studies.",
        ),
        "percent": Wrong(
            _rate_with(rate=lambda p: 100 * np.mean(p < 0.05), choose=_of_strategy),
            "This is in percent. Here we ask for the share, from 0 to 1.",
        ),
        "negatives": Wrong(
            _rate_with(rate=lambda p: np.mean(p >= 0.05), choose=_of_strategy),
            "This is the share of studies in which nothing was found. Asked for is the other share.",
        ),
        "mean_p": Wrong(
            _rate_with(rate=np.mean, choose=_of_strategy),
            "This is the mean of the p values. Asked for is how often p is below 0.05.",
        ),
        "p_values": Wrong(
            _rate_with(rate=lambda p: p, choose=_of_strategy),
            "These are the p values, one for each study. How many of them are below 0.05, as a share?",
        ),
    },
    known_case=KnownCase(lambda: {"replicates": _known_replicates(), "strategy": "18P"}, 0.5),
    why="A false positive rate is itself an estimate. From a few dozen studies it is a rough one: give its interval.",
    example_inputs=lambda: {"replicates": _example_replicates(), "strategy": "18P"},
)


# ---- choose a strategy


def choose_strategy():
    """Decide before the result is seen, by what the question needs, and show that it does not hang on the choice."""
    return "d"


strategy_for_a_study = Choice(
    title="Choose a strategy",
    solve=choose_strategy,
    options={
        "a": "Try all of them on the data, and take the one that shows the largest difference between the groups: it "
        "has removed the most noise.",
        "b": "Take the one with the smallest median QC-FC in these 40 people: no motion is left in it.",
        "c": "Take 36P in the band, with scrubbing at 0.2 mm: what has the most regressors removes the most motion.",
        "d": "Write down one without the global signal, and one with it as a check, before looking at any difference. "
        "Report both, with QC-FC, minutes kept and mean FD in each group, and with motion as a covariate.",
        "e": "Regress out the global signal and report how high the coupling is in each group: the artefacts that "
        "reach the whole brain are gone, so its level can be trusted.",
        "f": "Clean nothing: regressors cost degrees of freedom, and motion is a property of the patients anyway.",
    },
    reasons={
        "a": "The result would choose the method. A bias from motion makes a difference larger too, and the largest of "
        "many differences is too large by selection alone.",
        "b": "With 40 people QC-FC is far from 0 by chance alone, and to regress out the global signal pushes it down "
        "by construction. A network may still depend on motion: remember the 400 people.",
        "c": "In five minutes, regressors, band and scrubbing together leave few independent volumes. What is gained "
        "in motion is paid for in noise: look at the column of volumes.",
        "e": "Pattern and level are two things. Regressing out the global signal moves the level of everybody, and by "
        "how much may differ between groups.",
        "f": "Not to clean is a choice as well. Here it lost most of the planted difference, because artefacts scatter "
        "more than brains do.",
    },
    hints=[
        "Two answers let the data choose the method. Which?",
        "No strategy came first in every column. What can one do when a result may hang on a choice that nobody can "
        "settle?",
    ],
    why="Nobody can know the best strategy for real data. What one can do is to decide before, to say so, and to show "
    "what the result owes to the decision.",
)
