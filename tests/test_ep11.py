"""How the exercises of episode 11 judge answers that are right by another road, and what their pages promise."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import StratifiedKFold, cross_val_score, cross_validate, permutation_test_score
from sklearn.svm import SVC

from course_utils.exercises import ep11_prediction as ep11

pytestmark = pytest.mark.usefixtures("own_progress")


def reply_to(exercise, answer, capsys, **inputs):
    exercise.check(answer, **inputs)
    return " ".join(capsys.readouterr().out.split())


def test_chance_level_is_what_a_dummy_reaches(capsys):
    inputs = ep11.chance_level.example_inputs()
    groups = np.array(inputs["groups"])
    dummy = DummyClassifier(strategy="most_frequent").fit(groups[:, None], groups)
    answer = dummy.score(groups[:, None], groups)
    assert reply_to(ep11.chance_level, answer, capsys, **inputs).startswith("Correct.")


@pytest.mark.parametrize("kind", [set, tuple, lambda names: names[::-1]])
def test_leaks_are_accepted_in_any_order(kind, capsys):
    assert reply_to(ep11.leaks, kind(ep11.find_leaks()), capsys).startswith("Correct.")


def test_leaks_are_accepted_in_american_spelling(capsys):
    answer = ["standardize", "select", "motion", "tune"]
    assert reply_to(ep11.leaks, answer, capsys).startswith("Correct.")
    assert "one is chosen by their scores" in reply_to(ep11.leaks, answer[:2], capsys)


def test_every_step_is_shown(capsys):
    ep11.leaks.show()
    printed = capsys.readouterr().out
    assert [line.partition(":")[0] for line in printed.splitlines() if not line.startswith(" ")] == list(ep11.STEPS)
    assert set(ep11.find_leaks()) < set(ep11.STEPS)


@pytest.mark.parametrize(
    ("step", "leaks"),
    [
        (lambda X, y: np.arctanh(np.tanh(X)), False),
        (lambda X, y: (X - X.mean(0)) / X.std(0), True),
        (lambda X, y: SelectKBest(k=2).fit_transform(X, y), True),
        (lambda X, y: X - X[:, :1] * (X[:, 0] @ X / (X[:, 0] @ X[:, 0])), True),
    ],
    ids=["fisher", "standardise", "select", "motion"],
)
def test_a_step_leaks_if_other_people_change_its_result(step, leaks):
    """What the first hint asks: the result for the first person, when another person is somebody else."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 6)), np.repeat([0, 1], 6)
    others = X.copy()
    others[1:] = rng.normal(size=(11, 6))
    first, again = step(X, y)[0], step(others, y)[0]
    assert (not np.allclose(first, again)) == leaks


def test_nested_score_is_accepted_however_it_was_computed(capsys):
    inputs = ep11.nested_score.example_inputs()
    X, y, search, outer = (inputs[name] for name in ("X", "y", "search", "outer"))
    by_hand = np.mean([clone(search).fit(X[a], y[a]).score(X[b], y[b]) for a, b in outer.split(X, y)])
    for answer in (by_hand, cross_validate(search, X, y, cv=outer)["test_score"].mean(), round(by_hand, 3)):
        assert reply_to(ep11.nested_score, answer, capsys, **inputs).startswith("Correct.")


def test_best_score_of_a_fitted_search_is_known_for_what_it_is(capsys):
    inputs = ep11.nested_score.example_inputs()
    answer = clone(inputs["search"]).fit(inputs["X"], inputs["y"]).best_score_
    assert "best score of the search" in reply_to(ep11.nested_score, answer, capsys, **inputs)


def test_p_is_that_of_scikit_learn(capsys):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(16, 3)), np.repeat([0, 1], 8)
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    observed, permuted, p = permutation_test_score(
        SVC(kernel="linear"), X, y, cv=folds, n_permutations=50, random_state=0
    )
    assert reply_to(ep11.permutation_p, p, capsys, observed=observed, permuted=permuted).startswith("Correct.")


def test_selection_before_the_folds_makes_perfection_of_noise():
    """What the page shows, with another seed: the leak is no accident of one."""
    rng = np.random.default_rng(99)
    y, folds, leaky = np.repeat([0, 1], 10), StratifiedKFold(5, shuffle=True, random_state=0), []
    for _ in range(5):
        noise = rng.normal(size=(20, 4095))
        kept = SelectKBest(k=20).fit_transform(noise, y)
        leaky.append(cross_val_score(SVC(kernel="linear"), kept, y, cv=folds).mean())
    assert np.mean(leaky) > 0.9
