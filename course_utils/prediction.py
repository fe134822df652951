"""Prediction from connectomes: cross-validation that keeps people's labels, confounds inside the folds, patterns.

Models, folds and scores are scikit-learn's. Here is only what it does not have.
"""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted, validate_data


class ConfoundRemover(TransformerMixin, BaseEstimator):
    """Regress confounds out of features, as a step of a pipeline.

    The regression is fitted to the people that the model learns from, and applied as it is to those it is tested on. A
    pipeline hands over features only, so the confounds come along as the first columns; they do not come out again.

    Parameters
    ----------
    n_confounds : int
        How many of the first columns are confounds.

    Attributes
    ----------
    regression_ : LinearRegression
        From confounds to features.

    Examples
    --------
    >>> confound = np.array([[0.0], [1.0], [2.0]])
    >>> features = np.array([[1.0], [3.0], [5.0]])  # twice the confound, plus 1
    >>> ConfoundRemover().fit_transform(np.hstack([confound, features])).round(9).ravel() + 0.0
    array([0., 0., 0.])
    """

    def __init__(self, n_confounds=1):
        self.n_confounds = n_confounds

    def fit(self, X, y=None):
        """Learn how the features follow from the confounds.

        Parameters
        ----------
        X : array-like, shape (n_people, n_confounds + n_features)
            Confounds first.
        y : None
            Not used.

        Returns
        -------
        ConfoundRemover
            Itself, fitted.

        Raises
        ------
        ValueError
            If there are no features besides the confounds.
        """
        X = validate_data(self, X)
        if not 0 < self.n_confounds < X.shape[1]:
            raise ValueError(
                f"n_features = {X.shape[1]} and n_confounds = {self.n_confounds}; expected at least one confound "
                "and one feature: put the confounds in front with numpy.hstack or numpy.column_stack."
            )
        self.regression_ = LinearRegression().fit(X[:, : self.n_confounds], X[:, self.n_confounds :])
        return self

    def transform(self, X):
        """Subtract from the features what the confounds explain.

        Parameters
        ----------
        X : array-like, shape (n_people, n_confounds + n_features)
            Confounds first; other people than in `fit`, if they are to be tested.

        Returns
        -------
        ndarray, shape (n_people, n_features)
            Features without the confounds.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return X[:, self.n_confounds :] - self.regression_.predict(X[:, : self.n_confounds])


def predict_in_folds(model, features, target, folds):
    """Predict something of each person with a model that has not seen this person.

    Parameters
    ----------
    model : scikit-learn estimator
        A classifier, or a regressor such as for age. It is fitted anew in each fold, and not changed.
    features : DataFrame, shape (n_people, n_features)
        One row a person, no NaN.
    target : Series
        What is to be predicted, with a value for each of these people; others are left out.
    folds : scikit-learn splitter
        Such as `StratifiedKFold(5, shuffle=True, random_state=0)`: each person is tested once.

    Returns
    -------
    DataFrame, shape (n_people, 4)
        Indexed as the features: `target`, `predicted`, `baseline` (what one says without looking at features: the mean,
        or the most frequent class, of the people learned from) and `fold`.

    Raises
    ------
    ValueError
        If features are NaN, if somebody has no target, or if the folds do not test each person once.
    """
    lost = features.columns[features.isna().any()]
    if len(lost):
        raise ValueError(
            f"{len(lost)} features are NaN in somebody, such as {lost[0]}. Expected a number for everybody: use the "
            "regions that everyone has, features.dropna(axis=1)."
        )
    target = target.reindex(features.index)
    if target.isna().any():
        raise ValueError(f"There is no target for {', '.join(map(str, target.index[target.isna()]))}.")
    values, wanted = features.to_numpy(), target.to_numpy()
    splits = list(folds.split(values, wanted))
    if not np.array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(len(wanted))):
        raise ValueError("These folds do not test each person once. Take one of the KFold kind, without repeats.")
    dummy = DummyClassifier(strategy="most_frequent") if is_classifier(model) else DummyRegressor()
    found = pd.DataFrame({"target": target, "predicted": target, "baseline": target, "fold": 0}, features.index)
    found = found.astype({} if is_classifier(model) else {"predicted": float, "baseline": float})
    for fold, (train, test) in enumerate(splits):
        for name, each in {"predicted": model, "baseline": dummy}.items():
            fitted = clone(each).fit(values[train], wanted[train])
            found.iloc[test, found.columns.get_loc(name)] = fitted.predict(values[test])
        found.iloc[test, found.columns.get_loc("fold")] = fold
    return found


def compute_pattern(features, weights):
    """Turn the weights of a linear model into a pattern: where the data change along with what the model says.

    This is the covariance of the features with the model's output, divided by the variance of that output: for one
    output, what Haufe et al. 2014 derive (doi 10.1016/j.neuroimage.2013.10.067). The covariance matrix of the features,
    with millions of cells for a connectome, is not needed.

    Parameters
    ----------
    features : array-like, shape (n_people, n_features)
        Those that the model was fitted to, as they arrive at it.
    weights : array-like, shape (n_features,)
        Of the model.

    Returns
    -------
    ndarray, shape (n_features,)
        In units of the features, for one unit of the model's output.

    Raises
    ------
    ValueError
        If all weights are 0, so that the model says the same of everybody.

    Examples
    --------
    >>> features = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    >>> compute_pattern(features, [1.0, 0.0])
    array([1., 2.])
    """
    features = np.asarray(features, dtype=float)
    centred = features - features.mean(axis=0)
    output = centred @ np.ravel(weights)
    size = output @ output
    if size == 0:
        raise ValueError("The model says the same of everybody: its weights are 0, or the features do not vary.")
    return centred.T @ output / size
