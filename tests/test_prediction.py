"""Prediction from connectomes: by hand, by planted answers, and on real features."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import (
    KFold,
    RepeatedKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, SVR
from sklearn.utils.estimator_checks import parametrize_with_checks

from course_utils.prediction import ConfoundRemover, compute_pattern, predict_in_folds

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "development_fmri"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real connectomes of development_fmri are not in ../shared/data"
)


@pytest.fixture
def people():
    """Twelve people whose first feature is their age."""
    rng = np.random.default_rng(3)
    age = pd.Series(np.arange(20.0, 32.0), [f"190{i:02d}" for i in range(12)], name="age")
    features = pd.DataFrame(rng.normal(size=(12, 2)), age.index, ["a", "b"]).assign(a=age)
    return features, age


# ---- folds


def test_everybody_is_predicted_by_a_model_that_has_not_seen_them(people):
    features, age = people
    folds = KFold(4)
    found = predict_in_folds(Ridge(), features, age, folds)
    wanted = cross_val_predict(Ridge(), features.to_numpy(), age.to_numpy(), cv=folds)
    np.testing.assert_allclose(found["predicted"], wanted)
    assert found.index.equals(features.index)
    assert found["fold"].to_list() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_baseline_is_the_mean_of_those_learned_from(people):
    features, age = people
    found = predict_in_folds(LinearRegression(), features, age, KFold(2))
    # the first half is 20 to 25, mean 22.5; the second 26 to 31, mean 28.5
    assert found["baseline"].unique().tolist() == [28.5, 22.5]
    np.testing.assert_allclose(found["predicted"], age)


def test_baseline_of_classes_is_the_most_frequent(people):
    features, _ = people
    group = pd.Series(["child"] * 8 + ["adult"] * 4, features.index)
    found = predict_in_folds(SVC(kernel="linear"), features, group, StratifiedKFold(4))
    assert (found["baseline"] == "child").all()
    assert set(found["predicted"]) <= {"child", "adult"}


def test_targets_are_matched_by_label_not_by_order(people):
    features, age = people
    straight = predict_in_folds(Ridge(), features, age, KFold(3))
    more = pd.concat([age.iloc[::-1], pd.Series({"99": 70.0})])
    pd.testing.assert_frame_equal(predict_in_folds(Ridge(), features, more, KFold(3)), straight)


def test_integer_ages_are_not_rounded(people):
    features, age = people
    found = predict_in_folds(Ridge(50), features, age.astype(int), KFold(3))
    assert (found["predicted"] % 1 != 0).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f, a: (f.mask(f.index.to_series() == "19003"), a, KFold(3)), "2 features are NaN.*dropna"),
        (lambda f, a: (f, a.drop("19004"), KFold(3)), "no target for 19004"),
        (lambda f, a: (f, a, RepeatedKFold(n_splits=3, n_repeats=2)), "do not test each person once"),
    ],
)
def test_what_cannot_be_predicted_is_named(people, change, message):
    features, age, folds = change(*people)
    with pytest.raises(ValueError, match=message):
        predict_in_folds(Ridge(), features, age, folds)


# ---- confounds


@parametrize_with_checks([ConfoundRemover()])
def test_confound_remover_is_a_transformer_as_scikit_learn_asks(estimator, check):
    check(estimator)


def test_confounds_are_regressed_with_what_was_learned_from_others():
    # learned: feature = 2 * confound + 1. The third person has 10 at confound 3: 10 - 7 is left
    learned, tested = np.array([[0.0, 1.0], [1.0, 3.0]]), np.array([[3.0, 10.0]])
    np.testing.assert_allclose(ConfoundRemover().fit(learned).transform(tested), [[3.0]])


def test_two_confounds_are_removed_together():
    rng = np.random.default_rng(0)
    confounds = rng.normal(size=(40, 2))
    noise = rng.normal(size=(40, 3))
    columns = np.hstack([confounds, confounds @ rng.normal(size=(2, 3)) + noise])
    left = ConfoundRemover(2).fit_transform(columns)
    assert left.shape == (40, 3)
    np.testing.assert_allclose(confounds.T @ left, 0, atol=1e-9)


def test_confounds_without_features_are_refused():
    with pytest.raises(ValueError, match="put the confounds in front"):
        ConfoundRemover(3).fit(np.zeros((4, 3)))


def test_confounds_alone_predict_nothing_once_removed():
    rng = np.random.default_rng(4)
    group = np.repeat([0, 1], 100)
    motion = group + rng.normal(0, 0.5, 200)
    features = motion[:, None] + rng.normal(size=(200, 30))
    columns = np.column_stack([motion, features])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    models = {"left": SVC(kernel="linear"), "removed": make_pipeline(ConfoundRemover(), SVC(kernel="linear"))}
    found = {
        name: np.mean(cross_val_predict(model, features if name == "left" else columns, group, cv=folds) == group)
        for name, model in models.items()
    }
    assert found["left"] > 0.75
    assert abs(found["removed"] - 0.5) < 0.1


# ---- patterns


def test_pattern_is_the_covariance_with_the_output():
    rng = np.random.default_rng(1)
    features, weights = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=6)
    covariance = np.cov(features, rowvar=False)
    wanted = covariance @ weights / (weights @ covariance @ weights)
    np.testing.assert_allclose(compute_pattern(features, weights), wanted)


def test_pattern_is_zero_where_a_weight_only_cancels_noise():
    rng = np.random.default_rng(2)
    signal, noise = rng.normal(size=(2, 20000))
    features = np.column_stack([signal + noise, noise])
    np.testing.assert_allclose(compute_pattern(features, [1, -1]), [1, 0], atol=0.03)


def test_pattern_of_a_model_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match="the same of everybody"):
        compute_pattern(np.eye(3), np.zeros(3))


# ---- real features


@pytest.fixture(scope="module")
def real():
    """Connectomes of 155 people aged 3 to 39 (ds000228), and who they are."""
    people = pd.read_csv(REAL / "participants.tsv", sep="\t", na_values="n/a", index_col="participant_id").head(155)
    with np.load(REAL / "MAIN_BASC064_subsamp_features.npz") as saved:
        return pd.DataFrame(saved["a"], people.index), people


@needs_real
def test_age_is_predicted_on_real_connectomes_as_well_as_published(real, tmp_path):
    features, people = real
    folds = KFold(10, shuffle=True, random_state=0)
    found = predict_in_folds(SVR(kernel="linear"), features, people["Age"], folds)
    r = found["predicted"].corr(found["target"])
    error, without = (found[name].sub(found["target"]).abs().mean() for name in ("predicted", "baseline"))
    figure, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    ax.plot(found["target"], found["predicted"], "o", alpha=0.6)
    ax.axline((0, 0), slope=1, color="0.5", linestyle="--")
    ax.set(xlabel="age (years)", ylabel="predicted age (years)", title=f"155 real connectomes, ten folds, r = {r:.2f}")
    figure.savefig(tmp_path / "age_on_real_connectomes.png", dpi=150)
    plt.close(figure)
    print(f"r = {r:.3f}, mean error {error:.2f} years, without features {without:.2f}: {tmp_path}")
    assert 0.80 < r < 0.88
    assert error < 0.65 * without
    assert (tmp_path / "age_on_real_connectomes.png").stat().st_size > 10_000


@needs_real
def test_children_and_adults_are_told_apart_on_real_connectomes(real):
    features, people = real
    folds = StratifiedKFold(10, shuffle=True, random_state=1)
    found = predict_in_folds(SVC(kernel="linear"), features, people["Child_Adult"], folds)
    accuracy, base = ((found[name] == found["target"]).mean() for name in ("predicted", "baseline"))
    print(f"accuracy {accuracy:.3f}, base rate {base:.3f}")
    assert 0.935 < accuracy < 0.985
    assert base == pytest.approx(0.787, abs=0.001)
