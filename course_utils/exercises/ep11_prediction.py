"""Exercises of episode 11: machine learning on connectomes."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.svm import SVC

from course_utils.exercises._compare import Names, Number
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong
from course_utils.exercises._reply import wrap

# ---- chance level


def find_chance_level(groups):
    """Say the most frequent group every time: you are right as often as it occurs."""
    most_frequent = max(Counter(groups).values())
    return most_frequent / len(groups)


chance_level = Exercise(
    title="Chance level",
    solve=find_chance_level,
    compare=Number(atol=5.1e-3, unit="share of the people", between=(0, 1)),
    hints=[
        "You may look at no feature, but you know which group is larger. What would you say of everybody?",
        "How many of all people are in the larger group?",
    ],
    wrong={
        "one_half": Wrong(
            lambda groups: 1 / len(set(groups)),
            "One half holds for groups of equal size. Here one group is larger, and the baseline knows it.",
        ),
        "smaller": Wrong(
            lambda groups: min(Counter(groups).values()) / len(groups),
            "This is the share of the smaller group. Somebody who knows no more bets on the larger one.",
        ),
        "guess_in_proportion": Wrong(
            lambda groups: sum((n / len(groups)) ** 2 for n in Counter(groups).values()),
            "This is how often one is right who guesses each group as often as it occurs. Always saying the larger "
            "group does better.",
        ),
        "percent": Wrong(
            lambda groups: 100 * find_chance_level(groups),
            "The right number in percent. Here a share between 0 and 1 is asked for.",
        ),
        "count": Wrong(
            lambda groups: max(Counter(groups).values()),
            "This is a number of people. Divide it by the number of all people.",
        ),
        "odds": Wrong(
            lambda groups: min(Counter(groups).values()) / max(Counter(groups).values()),
            "This is the smaller group divided by the larger. Divide the larger by all.",
        ),
    },
    # three of four
    known_case=KnownCase({"groups": ["a", "b", "a", "a"]}, 0.75),
    why="With 90 controls of 120 people, an accuracy of 74 % is below what one gets by calling everybody healthy. For "
    "groups of unequal size report the balanced accuracy too: the mean of the shares that are right in each group.",
    example_inputs=lambda: {"groups": ["patient"] * 30 + ["control"] * 90},
)


# ---- find the leaks

STEPS = {
    "clean": "regress each run's own 18 confounds out of it, and filter it",
    "fisher": "turn every r into Fisher's z",
    "standardise": "subtract from every edge its mean over all people, and divide by its standard deviation",
    "select": "keep the 100 edges whose t between patients and controls is largest",
    "motion": "regress mean FD out of every edge, over all people",
    "tune": "try ten values of C in a cross-validation of all people, and keep the best",
    "atlas": "use the regions of an atlas that others published, from other people",
}


def find_leaks():
    """What is learned from several of these people leaks; what comes from one person, or from others, does not."""
    return ["standardise", "select", "motion", "tune"]


@dataclass(frozen=True, kw_only=True)
class _Steps(Names):
    """Judge a list of steps; "standardize" is another spelling of one."""

    def _name(self, element):
        name = super()._name(element)
        return "standardise" if name == "standardize" else name


class _Leaks(Exercise):
    """An exercise whose steps can be shown."""

    def show(self):
        """Print the steps, in the order in which they were done."""
        print("\n".join(wrap(f"{name}: {text}", indent=" " * 3) for name, text in STEPS.items()))


leaks = _Leaks(
    title="Find the leaks",
    solve=find_leaks,
    compare=_Steps(what="steps"),
    hints=[
        "Ask of each step: would its result for one person change if the others were different people?",
        "Three of them can be done with one person alone, or come from elsewhere.",
        "A step need not know the diagnosis to leak: it is enough that it has seen the people of the test.",
    ],
    wrong={
        "only_selection": Wrong(
            lambda: ["select"],
            "The worst one, but not the only one. Other steps learn from several people too.",
        ),
        "those_with_diagnosis": Wrong(
            lambda: ["select", "tune"],
            "These two look at the diagnosis. Others do not, and still learn from the people of the test.",
        ),
        "without_regression_and_tune": Wrong(
            lambda: ["select", "standardise"],
            "Both leak, and two more do: one is fitted over people as well, one is chosen by their scores.",
        ),
        "without_standardise": Wrong(
            lambda: ["select", "motion", "tune"],
            "One is missing. It harms little, but it too uses the people of the test: look for a mean over people.",
        ),
        "without_motion": Wrong(
            lambda: ["standardise", "select", "tune"],
            "One is missing: a regression is fitted to people as well. The next section shows what that does.",
        ),
        "without_tune": Wrong(
            lambda: ["standardise", "select", "motion"],
            "One is missing. Choosing the best of several scores is learning, too.",
        ),
        "clean_too": Wrong(
            lambda: ["clean", "standardise", "select", "motion", "tune"],
            "Cleaning a run with its own confounds uses one person only. The others would not change it.",
        ),
        "fisher_too": Wrong(
            lambda: ["fisher", "standardise", "select", "motion", "tune"],
            "Fisher's z of an r is computed from this r and nothing else. The other people would not change it.",
        ),
        "atlas_too": Wrong(
            lambda: ["standardise", "select", "motion", "tune", "atlas"],
            "The atlas is learned from several people, but from none of these. Those who are tested had no part in it.",
        ),
        "both_regressions": Wrong(
            lambda: ["clean", "motion"],
            "Both regress something out, but over different things: one over the volumes of a person, one over people. "
            "And there are other steps that learn from people.",
        ),
        "everything": Wrong(
            lambda: list(STEPS),
            "Not everything leaks. What is computed from one person alone, or comes from other people, may be done "
            "before the folds.",
        ),
        "those_that_may": Wrong(
            lambda: ["clean", "fisher", "atlas"],
            "These are the steps that do not leak. The others do.",
        ),
    },
    known_case=KnownCase({}, ["standardise", "select", "motion", "tune"]),
    why="How much harm a leak does differs: selection can make perfection out of noise, standardising hardly matters. "
    "In a pipeline you need not know which is which.",
)


# ---- nested choice of C


def score_nested(X, y, search, outer):
    """The search is the model: in each outer fold it chooses C anew, from the people it learns from."""
    return cross_val_score(search, X, y, cv=outer).mean()


def _best_score(X, y, search, outer):
    return GridSearchCV(search.estimator, search.param_grid, cv=search.cv).fit(X, y).best_score_


def _chosen_then_tested(X, y, search, outer):
    chosen = GridSearchCV(search.estimator, search.param_grid, cv=search.cv).fit(X, y).best_estimator_
    return cross_val_score(chosen, X, y, cv=outer).mean()


def _learned_from(X, y, search, outer):
    return GridSearchCV(search.estimator, search.param_grid, cv=search.cv).fit(X, y).score(X, y)


def _best_outer_fold(X, y, search, outer):
    return cross_val_score(search, X, y, cv=outer).max()


def _example_people():
    """Make twenty-seven people of two groups among whom each way of choosing C gives another score."""
    rng = np.random.default_rng(0)
    y = np.repeat(["CONTROL", "SCHZ"], [13, 14])
    X = rng.normal(size=(27, 12)) + 0.9 * (y == "SCHZ")[:, None] * (np.arange(12) < 3)
    folds = [StratifiedKFold(4, shuffle=True, random_state=seed) for seed in (0, 5)]
    search = GridSearchCV(SVC(kernel="linear", C=0.3), {"C": [0.01, 3.0, 100.0]}, cv=folds[0])
    return {"X": X, "y": y, "search": search, "outer": folds[1]}


def _separate_people():
    """Make eight people whom one feature tells apart without fail."""
    X = np.array([[-5.0], [-5.5], [-6.0], [-6.5], [5.0], [5.5], [6.0], [6.5]])
    search = GridSearchCV(SVC(kernel="linear"), {"C": [1.0, 10.0]}, cv=StratifiedKFold(2))
    return {"X": X, "y": np.repeat(["a", "b"], 4), "search": search, "outer": StratifiedKFold(2)}


nested_score = Exercise(
    title="Which score may be reported?",
    solve=score_nested,
    compare=Number(rtol=0, atol=5e-3, unit="accuracy", between=(0, 1)),
    hints=[
        "The people of the test must not have helped to choose `C`.",
        "`search` is a model like any other. How did we get the accuracy of a model that chooses for itself?",
        "`cross_val_score(search, default_edges, diagnosis, cv=outer)` gives one accuracy a fold.",
    ],
    wrong={
        "best_score": Wrong(
            _best_score,
            "This is the best score of the search. The people it was measured on have chosen C: it is too high on "
            "average.",
        ),
        "chosen_then_tested": Wrong(
            _chosen_then_tested,
            "Here C was chosen with all people, and then tested on new folds of the same people. They have met before.",
        ),
        "learned_from": Wrong(
            _learned_from, "This is the share of right answers about the people learned from. It says nothing."
        ),
        "best_fold": Wrong(_best_outer_fold, "This is the best of the outer folds. Take their mean."),
        "per_fold": Wrong(
            lambda X, y, search, outer: cross_val_score(search, X, y, cv=outer),
            "Nested, and one accuracy for each fold. Report their mean.",
        ),
        "not_chosen": Wrong(
            lambda X, y, search, outer: cross_val_score(search.estimator, X, y, cv=outer).mean(),
            "This is the model with the C that it had from the start. Let `search` choose, in each fold.",
        ),
        "same_folds": Wrong(
            lambda X, y, search, outer: cross_val_score(search, X, y, cv=search.cv).mean(),
            "Nested, but with other folds than `outer` for the test: give `cv=outer`.",
        ),
    },
    # one feature tells everybody apart, in any fold and with any C
    known_case=KnownCase(_separate_people, 1.0),
    why="What is reported is the accuracy of the whole procedure, choosing included. Each outer fold may have chosen "
    "another C, and that is as it should be.",
    example_inputs=_example_people,
)


# ---- the p of a permutation test


def find_permutation_p(observed, permuted):
    """The share of groupings, the true one among them, that do at least as well."""
    return (1 + np.sum(permuted >= observed)) / (1 + len(permuted))


permutation_p = Exercise(
    title="The p of a permutation test",
    solve=find_permutation_p,
    compare=Number(rtol=0, atol=2e-5, unit="probability", between=(0, 1)),
    hints=[
        "Count the shuffles that reach the observed accuracy or exceed it. How many groupings are there, with the "
        "true one?",
        "`np.sum(permuted >= observed)` counts. Add 1 to the count and to the number of shuffles, then divide.",
    ],
    wrong={
        "without_true": Wrong(
            lambda observed, permuted: np.mean(permuted >= observed),
            "The true grouping is left out, so p could be 0. It is one of the groupings: count it above and below.",
        ),
        "without_ties": Wrong(
            lambda observed, permuted: (1 + np.sum(permuted > observed)) / (1 + len(permuted)),
            "Shuffles that do exactly as well count too. With twenty people there are many ties.",
        ),
        "neither": Wrong(
            lambda observed, permuted: np.mean(permuted > observed),
            "Shuffles that do exactly as well count too, and so does the true grouping.",
        ),
        "other_side": Wrong(
            lambda observed, permuted: (1 + np.sum(permuted <= observed)) / (1 + len(permuted)),
            "This counts the shuffles that do no better. A small p means that few do as well.",
        ),
        "one_minus": Wrong(
            lambda observed, permuted: 1 - find_permutation_p(observed, permuted),
            "This is 1 - p. A small p means that few shuffles do as well.",
        ),
        "added_above_only": Wrong(
            lambda observed, permuted: (1 + np.sum(permuted >= observed)) / len(permuted),
            "The true grouping is counted above the line, but not below: there is one grouping more than shuffles.",
        ),
        "count": Wrong(
            lambda observed, permuted: np.sum(permuted >= observed),
            "This is how many shuffles do as well. Make a share of it, the true grouping counted too.",
        ),
        "twice": Wrong(
            lambda observed, permuted: 2 * find_permutation_p(observed, permuted),
            "This is twice one tail. Asked for is one: a model that does worse than chance is no success.",
        ),
        "two_sided": Wrong(
            lambda observed, permuted: (1 + np.sum(abs(permuted - 0.5) >= abs(observed - 0.5))) / (1 + len(permuted)),
            "This counts both tails, shuffles that do as badly too. Count only those that do at least as well.",
        ),
        "observed": Wrong(lambda observed, permuted: observed, "This is the accuracy. How rare is it among shuffles?"),
    },
    # of the four shuffles two reach 0.7; with the true grouping three of five
    known_case=KnownCase({"observed": 0.7, "permuted": np.array([0.5, 0.7, 0.4, 0.8])}, 0.6),
    why="With n shuffles p cannot be below 1 / (n + 1): nobody may write p = 0.",
    example_inputs=lambda: {
        "observed": 0.7,
        "permuted": np.random.default_rng(2).binomial(20, 0.5, 199) / 20,
    },
)


# ---- what a weight says


def read_weight():
    """A weight belongs to a model as a whole; an edge that only cancels noise can have a large one."""
    return "c"


weights = Choice(
    title="What a weight says",
    solve=read_weight,
    options={
        "a": "This edge is stronger in patients than in controls.",
        "b": "This edge alone would tell patients from controls.",
        "c": "The model uses this edge, together with others, to tell them apart.",
        "d": "Edges with weights near 0 do not differ between the groups.",
        "e": "Illness strengthens this connection.",
    },
    reasons={
        "a": "The example with two features shows the opposite: noise that did not differ had a large weight. To see "
        "whether the edge differs, look at the edge: its mean in each group, or the pattern.",
        "b": "A feature may be worth nothing alone and much beside another whose noise it cancels.",
        "d": "Of several edges that say the same, a model may use one and leave the others near 0. They still differ.",
        "e": "Not even a difference follows from a weight, and a cause does not follow from a difference. Motion, "
        "medication or age may go with the group.",
    },
    hints=[
        "What did the weight of the pure noise tell about the groups?",
        "A weight answers a question about the model. Which option is about the model?",
    ],
    why="Weights answer how the model decides. Where the groups differ is another question, with other tools.",
)
