"""Exercises of episode 09: comparing groups."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from course_utils.confounds import count_dummy_volumes, read_confounds, select_confounds
from course_utils.connectomes import correlate_regions, edges
from course_utils.exercises._compare import Array, Mapping, Number, Table
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong
from course_utils.exercises._loops import (
    last_one_in_all,
    last_one_only,
    loop_with,
    mean_r,
    mean_with_diagonal,
)
from course_utils.exercises._small_group import write_small_group
from course_utils.signals import extract_time_series

# ---- the loop


def average_in_each(runs, atlas, regions):
    """The cells above, indented, once for each run."""
    means = {}
    for run in runs:
        table = read_confounds(run.confounds)
        n_dummy = count_dummy_volumes(table)
        time_series = extract_time_series(
            run.bold,
            atlas,
            t_r=run.t_r,
            n_dummy=n_dummy,
            mask_img=run.mask,
            confounds=select_confounds(table, n_dummy=n_dummy),
            high_pass=0.009,
            low_pass=0.08,
        )
        connectome = correlate_regions(time_series[regions])
        means[run.subject] = np.arctanh(edges(connectome)).mean()
    return means


loop = Exercise(
    title="The loop",
    solve=average_in_each,
    compare=Mapping(values=Number(rtol=0, atol=5.1e-3, unit="Fisher z")),
    hints=[
        "Begin with `means = {}` and `for run in runs:`. Indent the steps of the two cells above below it.",
        "Inside of the loop nothing may be left from the person before: read table, `n_dummy` and confounds anew.",
        "The last line of the loop is `means[run.subject] = np.arctanh(edges(connectome)).mean()`, with `connectome` "
        "made from `time_series[regions]`.",
    ],
    wrong={
        "last_only": Wrong(
            last_one_only,
            "Only the last person is here. Was `means = {}` inside of the loop, or the last line outside?",
        ),
        "last_in_all": Wrong(
            last_one_in_all,
            "Everybody has the value of the last person. Which line must stand inside of the loop?",
        ),
        "dummies_in": Wrong(
            loop_with(n_dummy=0), "The first, brighter volumes are still in. Drop them from image and table."
        ),
        "same_dummies": Wrong(
            loop_with(n_dummy="first"),
            "The first person is right, others are not: not everybody has the same number of dummy volumes. Count "
            "them inside of the loop.",
        ),
        "no_confounds": Wrong(loop_with(signals=()), "The confounds are still in. Hand them to extract_time_series."),
        "no_band": Wrong(loop_with(band=(None, None)), "The band-pass filter is missing: `high_pass` and `low_pass`."),
        "not_z": Wrong(loop_with(summary=mean_r), "This is the mean of r. Go to Fisher's z first, then average."),
        "diagonal": Wrong(
            loop_with(summary=mean_with_diagonal),
            "The diagonal came along: its r is 1, and arctanh(1) is infinite. Take the edges only.",
        ),
        "everywhere": Wrong(
            loop_with(everywhere=True),
            "This is the mean over the edges of the whole atlas. Keep the columns of `regions` before you correlate.",
        ),
    },
    # arctanh(0.6) = ln(1.6 / 0.4) / 2 = ln 2, and arctanh(0.8) = ln(1.8 / 0.2) / 2 = ln 3
    known_case=KnownCase(
        lambda: write_small_group((0.6, 0.8), dummies=(2, 1)), {"01": float(np.log(2)), "02": float(np.log(3))}
    ),
    why="You have written the core of every group analysis. Whatever is counted or read once instead of once a person "
    "is the usual bug in it.",
    example_inputs=lambda: write_small_group((0.5, 0.1, 0.7), dummies=(2, 1, 3)),
)


# ---- the table


@dataclass(frozen=True, kw_only=True)
class People(Table):
    """Judge a table with one row a person; labels may have "sub-" in front.

    Two tables whose labels are a column are compared by that column, whatever its name.
    """

    def _differs(self, answer, expected):
        tables = answer, expected
        if all(_label_columns(people) for people in tables):
            tables = (people.set_index(_label_columns(people)[0]) for people in tables)
            tables = (people.drop(columns=_label_columns(people)) for people in tables)
        return super()._differs(*map(_bare_labels, tables))


def _label_columns(people):
    columns = people.columns if isinstance(people, pd.DataFrame) else ()
    return [name for name in ("participant_id", "subject", "index") if name in columns]


def _bare_labels(people):
    if not isinstance(people, pd.DataFrame):
        return people
    return people.rename(index=lambda name: str(name).removeprefix("sub-"))


def join_by_label(participants, mean_z):
    """Bring both to one kind of label, then join: everybody stays, in the order of the participants."""
    labels = participants.index.str.removeprefix("sub-")
    return participants.set_index(labels).join(mean_z)


def _example_people():
    participants = pd.DataFrame(
        {"diagnosis": ["CONTROL"] * 3 + ["SCHZ"] * 3, "age": [30, 40, 50, 31, 41, 51]},
        index=pd.Index([f"sub-{n}" for n in (11, 12, 13, 51, 52, 53)], name="participant_id"),
    )
    z = {"52": 0.3, "11": 0.6, "53": np.nan, "12": 0.5, "51": 0.2, "13": 0.7}
    return {"participants": participants, "mean_z": pd.Series(z, name="default_mode")}


def _two_people():
    index = pd.Index(["sub-1", "sub-2"], name="participant_id")
    participants = pd.DataFrame({"diagnosis": ["CONTROL", "SCHZ"]}, index=index)
    return {"participants": participants, "mean_z": pd.Series({"2": 0.25, "1": 0.5}, name="default_mode")}


table = Exercise(
    title="The table",
    solve=join_by_label,
    compare=People(rtol=1e-6),
    hints=[
        "Look at the labels of both: `participants.index` and `mean_z.index`. What do the first ones have in front?",
        '`participants.index.str.removeprefix("sub-")` takes it away, `participants.set_index(...)` uses the result.',
        "`join` matches by label and keeps every row of the table on its left.",
    ],
    wrong={
        "by_position": Wrong(
            lambda participants, mean_z: participants.assign(default_mode=mean_z.to_numpy()),
            "The numbers were pasted in the order they had, so most people got somebody else's. Match by label.",
        ),
        "never_met": Wrong(
            lambda participants, mean_z: participants.join(mean_z),
            "The new column is empty: sub-19001 and 19001 are two labels, so nobody met. Bring both to one kind.",
        ),
        "stacked": Wrong(
            lambda participants, mean_z: pd.concat([participants, mean_z], axis=1),
            "Everybody is in it twice, half empty: the labels of the two do not agree. Bring them to one kind.",
        ),
        "inner": Wrong(
            lambda participants, mean_z: participants.join(mean_z, how="inner"),
            "Nobody is left: an inner join keeps labels that occur in both, and one side has sub- in front.",
        ),
        "dropped": Wrong(
            lambda participants, mean_z: join_by_label(participants, mean_z).dropna(),
            "Whoever has no value is gone, and the table does not say so. Keep the row, with NaN.",
        ),
        "zero": Wrong(
            lambda participants, mean_z: join_by_label(participants, mean_z).fillna({"default_mode": 0}),
            "A 0 says that the mean z is zero. We do not know it: leave NaN.",
        ),
        "label_column": Wrong(
            lambda participants, mean_z: (
                join_by_label(participants, mean_z).rename_axis("participant_id").reset_index()
            ),
            "Nearly. The labels are a column here. Make the labels the index, with `set_index`.",
        ),
        "only_z": Wrong(
            lambda participants, mean_z: mean_z.reindex(participants.index.str.removeprefix("sub-")).to_frame(),
            "The right numbers in the right order, but the columns of `participants` are missing.",
        ),
    },
    known_case=KnownCase(
        _two_people,
        pd.DataFrame({"diagnosis": ["CONTROL", "SCHZ"], "default_mode": [0.5, 0.25]}, index=["1", "2"]),
    ),
    why="Tables are sorted, filtered and saved anew, and their order changes. Labels stay with their people.",
    example_inputs=_example_people,
)


# ---- motion check


def compare_motion(people):
    """Welch's test: the two groups need not scatter alike."""
    groups = people.groupby("diagnosis")["mean_fd"]
    return stats.ttest_ind(groups.get_group("SCHZ"), groups.get_group("CONTROL"), equal_var=False).pvalue


def _test_with(test, column="mean_fd", field="pvalue", order=("SCHZ", "CONTROL"), **options):
    def compare(people):
        groups = people.groupby("diagnosis")[column]
        result = test(*map(groups.get_group, order), **options)
        return result if field is None else getattr(result, field)

    return compare


def _example_motion():
    fd = [0.10, 0.14, 0.12, 0.16, 0.11, 0.22, 0.17, 0.35, 0.15, 0.27]
    age = [30, 41, 25, 36, 50, 31, 40, 22, 37, 55]
    return {"people": pd.DataFrame({"diagnosis": ["CONTROL"] * 5 + ["SCHZ"] * 5, "mean_fd": fd, "age": age})}


motion_check = Exercise(
    title="Motion check",
    solve=compare_motion,
    compare=Number(rtol=0.01, unit="p value", between=(0, 1)),
    hints=[
        'Choose the column `mean_fd`, once for each group: `people.groupby("diagnosis")` or a condition on a column.',
        "`stats.ttest_ind(a, b, equal_var=False)` is Welch's test. Its result has a field `pvalue`.",
    ],
    wrong={
        "student": Wrong(
            _test_with(stats.ttest_ind),
            "This is Student's test, the default: it takes for granted that both groups scatter alike. Ask for Welch's "
            "with `equal_var=False`.",
        ),
        "statistic": Wrong(
            _test_with(stats.ttest_ind, field="statistic", equal_var=False), "This is t. Asked for is its p value."
        ),
        "whole": Wrong(
            _test_with(stats.ttest_ind, field=None, equal_var=False),
            "This is the whole result of the test. Asked for is one part of it, its field `pvalue`.",
        ),
        "whole_swapped": Wrong(
            _test_with(stats.ttest_ind, field=None, order=("CONTROL", "SCHZ"), equal_var=False),
            "This is the whole result, with t the other way round, which p does not mind. Take its field `pvalue`.",
        ),
        "paired": Wrong(
            _test_with(stats.ttest_rel),
            "A paired test needs to know who belongs to whom: two values of one person, or people matched one to one. "
            "Asked for is Welch's test of two groups.",
        ),
        "one_sided": Wrong(
            _test_with(stats.ttest_ind, equal_var=False, alternative="greater"),
            "This test looks in one direction only. Before you look, a difference in either direction would matter.",
        ),
        "ranks": Wrong(
            _test_with(stats.mannwhitneyu),
            "This compares ranks, which is a sound question too, but another one. Here we ask for the means: Welch.",
        ),
        "age": Wrong(_test_with(stats.ttest_ind, column="age", equal_var=False), "This compares the ages."),
    },
    # means 0.2 and 0.6, variances 0.02: t = 0.4 / sqrt(0.02) = 2 sqrt(2), 2 degrees of freedom; there p is
    # 1 - t / sqrt(t^2 + 2) = 1 - 2 sqrt(2) / sqrt(10)
    known_case=KnownCase(
        {"people": pd.DataFrame({"diagnosis": ["CONTROL"] * 2 + ["SCHZ"] * 2, "mean_fd": [0.1, 0.3, 0.5, 0.7]})},
        1 - 2 * np.sqrt(2) / np.sqrt(10),
    ),
    why="A large p would not have shown that motion is equal: with few people, differences that matter go unnoticed.",
    example_inputs=_example_motion,
)


# ---- permutation p


def count_permutations(null, observed):
    """The observed labelling is one of the possible ones, so it is counted too."""
    as_extreme = np.abs(null) >= np.abs(observed)
    return (as_extreme.sum() + 1) / (len(null) + 1)


def _count_tail(null, observed):
    return min(np.sum(null <= observed), np.sum(null >= observed))


permutation = Exercise(
    title="Permutation p",
    solve=count_permutations,
    compare=Number(rtol=1e-3, unit="p value", between=(0, 1)),
    hints=[
        "Which values of `null` are at least as far from 0 as `observed`, on either side?",
        "`np.abs(null) >= np.abs(observed)` is True for those, and its `sum()` counts them.",
        "The true labelling is one more way to label: add 1 to the count, and 1 to the number of shuffles.",
    ],
    wrong={
        "no_one": Wrong(
            lambda null, observed: np.mean(np.abs(null) >= np.abs(observed)),
            "Nearly. This could become 0, but the true labelling is a possible one too: count it, above and below.",
        ),
        "one_above": Wrong(
            lambda null, observed: (np.sum(np.abs(null) >= np.abs(observed)) + 1) / len(null),
            "The 1 is added above only. It is one more shuffle too, so it belongs below as well.",
        ),
        "upper": Wrong(
            lambda null, observed: (np.sum(null >= observed) + 1) / (len(null) + 1),
            "This counts shuffles above the observed value with their sign. Count those that are as far from 0.",
        ),
        "lower": Wrong(
            lambda null, observed: (np.sum(null <= observed) + 1) / (len(null) + 1),
            "This counts shuffles below the observed value with their sign. Count those that are as far from 0.",
        ),
        "twice_one_tail": Wrong(
            lambda null, observed: 2 * (_count_tail(null, observed) + 1) / (len(null) + 1),
            "This is twice one tail, as scipy has it. Asked for is a count of both tails: "
            "`np.abs(null) >= np.abs(observed)`.",
        ),
        "twice_no_one": Wrong(
            lambda null, observed: 2 * _count_tail(null, observed) / len(null),
            "This is twice one tail, without the true labels. Count both tails, and 1 more above and below.",
        ),
        "tail_no_one": Wrong(
            lambda null, observed: _count_tail(null, observed) / len(null),
            "This is one tail, without the true labels. Count both tails, and 1 more above and below.",
        ),
        "complement": Wrong(
            lambda null, observed: (np.sum(np.abs(null) < np.abs(observed)) + 1) / (len(null) + 1),
            "This counts the shuffles that are nearer to 0. Count those that are at least as far.",
        ),
        "count": Wrong(
            lambda null, observed: np.sum(np.abs(null) >= np.abs(observed)) + 1,
            "This is a count. A p value is a share: divide by the number of labellings.",
        ),
    },
    known_case=KnownCase({"null": np.array([-3, -1, 0, 2.5, 1, 0, 0.5, -2.5, 1.5]), "observed": -2.0}, 0.4),
    why="With the +1 the test keeps its promise: without a difference, p is below 0.05 in at most 5 % of studies.",
    example_inputs=lambda: {"null": np.random.default_rng(9).normal(0.05, 0.1, 199), "observed": -0.18},
)


# ---- correct for many edges


def control_false_discoveries(p_values):
    """Benjamini and Hochberg's procedure, as scipy has it."""
    return stats.false_discovery_control(p_values)


@dataclass(frozen=True, kw_only=True)
class Adjusted(Array):
    """Judge adjusted p values; two whole answers of `multipletests` are compared by the p values in them."""

    def _handles(self, value):
        return _is_whole(value) or super()._handles(value)

    def _differs(self, answer, expected):
        whole = [_is_whole(answer), _is_whole(expected)]
        if all(whole):
            return super()._differs(answer[1], expected[1])
        if any(whole):
            return "it is a tuple, of decisions and p values and more: only the p values are asked for."
        return super()._differs(answer, expected)


def _is_whole(value):
    return isinstance(value, tuple) and len(value) == 4 and isinstance(value[1], np.ndarray)


def _without_minimum(p_values):
    return np.asarray(p_values) * len(p_values) / stats.rankdata(p_values)


def _example_p_values():
    pairs = pd.MultiIndex.from_product([["a", "b"], ["c", "d", "e"]], names=["region_a", "region_b"])
    return {"p_values": pd.Series([0.3, 0.001, 0.04, 0.012, 0.9, 0.013], index=pairs)}


many_edges = Exercise(
    title="Correct for many edges",
    solve=control_false_discoveries,
    compare=Adjusted(rtol=1e-6, atol=1e-12),
    hints=[
        "scipy.stats has a function whose name says what it controls.",
        "`stats.false_discovery_control(...)` takes all p values at once and returns as many adjusted ones.",
    ],
    wrong={
        "nothing": Wrong(lambda p_values: p_values, "These are the p values as they were, not corrected."),
        "bonferroni": Wrong(
            lambda p_values: np.minimum(np.asarray(p_values) * len(p_values), 1),
            "This is Bonferroni's correction. It guards against a single false edge. Here we ask for the false "
            "discovery rate.",
        ),
        "uncapped": Wrong(
            lambda p_values: np.asarray(p_values) * len(p_values),
            "Each p times the number of tests is Bonferroni's correction, and values above 1 are no probabilities.",
        ),
        "divided": Wrong(
            lambda p_values: np.asarray(p_values) / len(p_values),
            "Dividing makes p smaller: correcting makes it larger.",
        ),
        "whole": Wrong(
            lambda p_values: multipletests(p_values, method="fdr_bh"),
            "The right method, and its whole answer: a tuple. The adjusted p values are its second element.",
        ),
        "whole_default": Wrong(
            lambda p_values: multipletests(p_values),  # its own argument has another name
            "A tuple of which the second element is asked for, and the default method, Holm and Sidak's, which guards "
            "against a single false edge. Say which method you want.",
        ),
        "default": Wrong(
            lambda p_values: multipletests(p_values)[1],
            "This is Holm and Sidak's method, the default of multipletests, which guards against a single false edge. "
            'For the false discovery rate say `method="fdr_bh"`.',
        ),
        "dependent": Wrong(
            lambda p_values: stats.false_discovery_control(p_values, method="by"),
            "This is Benjamini and Yekutieli's version, which holds under any dependence and is stricter. Here we "
            "ask for Benjamini and Hochberg's.",
        ),
        "by_rank": Wrong(
            _without_minimum,
            "Each p times n / rank is the core of it, but a smaller p can now have a larger adjusted value. "
            "Go from the largest down and keep the smallest so far.",
        ),
        "sorted": Wrong(
            lambda p_values: np.sort(stats.false_discovery_control(p_values)),
            "The right numbers, sorted: they have lost their edges. Keep the order of `p_values`.",
        ),
        "decision": Wrong(
            lambda p_values: stats.false_discovery_control(p_values) < 0.05,
            "These are decisions, True or False. Asked for are the adjusted p values.",
        ),
    },
    # times n / rank: 0.04, 0.16 / 3, 0.06, 0.5; the third smallest is below the second, which takes its value
    known_case=KnownCase({"p_values": pd.Series([0.01, 0.04, 0.03, 0.5])}, np.array([0.04, 0.16 / 3, 0.16 / 3, 0.5])),
    why="Below 0.05 after this, one expects at most one in twenty of the edges you report to be false.",
    example_inputs=_example_p_values,
)


# ---- the conclusion


def conclude():
    """An estimate, its uncertainty, its rival explanation, and what would settle it."""
    return "d"


conclusion = Choice(
    title="Write the conclusion",
    solve=conclude,
    options={
        "a": "Patients with schizophrenia have a default-mode network that is less tightly coupled.",
        "b": "The groups differ, and motion cannot be the reason: 18 confounds were regressed out of every run.",
        "c": "With motion, age and sex in the model the interval is wide, so the groups do not differ.",
        "d": "We report the difference with its interval. The groups also differ in motion, and twenty people cannot "
        "separate the two. A larger sample, matched for motion, with the same plan would tell more.",
        "e": "The dots of the patients lie in three heaps, so there are three subclasses of patients.",
        "f": "The edges with the smallest p values show where in the network the illness is.",
        "g": "In these data a difference was planted, so whatever size we found is the right one.",
    },
    reasons={
        "a": "This speaks of all patients. We saw ten, and these do not even exist. In real studies even the direction "
        "is contested.",
        "b": "Look at the studies in which nothing was planted. They were cleaned in the same way. What did they find?",
        "c": "A wide interval says that we do not know. It holds 0, perhaps, but large differences too.",
        "e": "Ten numbers always fall into some heaps. Nobody predicted three, and nobody tested it. Draw ten random "
        "numbers a few times and look.",
        "f": "Among thousands of edges, some p values are small by chance. Which of them survived the correction?",
        "g": "That something was planted says little about one estimate. See how far studies of one design scatter.",
    },
    hints=[
        "For each sentence ask: which figure or table of this page says that, and could it be otherwise?",
        "A good conclusion has an estimate, its uncertainty, the best rival explanation, and what would settle it.",
    ],
    why="Such a sentence is less exciting, and it is still true when the next study comes.",
)
