"""Ways of cleaning: the columns they choose, and that they do what nilearn does with these."""

import numpy as np
import pandas as pd
import pytest
from nilearn import signal

from course_utils.confounds import EIGHTEEN_REGRESSORS, MOTION_PARAMETERS, NINE_REGRESSORS
from course_utils.strategies import STRATEGIES, clean_with

T_R, N_VOLUMES, N_DUMMY = 2.0, 80, 3


@pytest.fixture(scope="module")
def table():
    """A table of noise with all the columns, n/a in the first row of derivatives."""
    rng = np.random.default_rng(0)
    columns = {}
    for name in NINE_REGRESSORS:
        values = rng.standard_normal(N_VOLUMES)
        slope = np.concatenate([[np.nan], np.diff(values)])
        columns |= {name: values, f"{name}_derivative1": slope}
        columns |= {f"{name}_power2": values**2, f"{name}_derivative1_power2": slope**2}
    columns |= {f"a_comp_cor_{k:02d}": rng.standard_normal(N_VOLUMES) for k in range(8)}
    columns |= {f"cosine{k:02d}": rng.standard_normal(N_VOLUMES) for k in range(4)}
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("name", "n_columns"),
    [("none", 0), ("band", 0), ("6P", 6), ("9P", 9), ("16P", 16), ("18P", 18), ("24P", 24), ("36P", 36)],
)
def test_names_say_how_many_columns(table, name, n_columns):
    columns = STRATEGIES[name].choose_columns(table)
    assert len(columns) == len(set(columns)) == n_columns
    assert set(columns) <= set(table.columns)


def test_eighteen_are_those_of_the_course(table):
    assert set(STRATEGIES["18P"].choose_columns(table)) == set(EIGHTEEN_REGRESSORS)


def test_sixteen_leave_out_the_global_signal(table):
    assert set(EIGHTEEN_REGRESSORS) - set(STRATEGIES["16P"].choose_columns(table)) == {
        "global_signal",
        "global_signal_derivative1",
    }


def test_compcor_takes_five_components_all_cosines_and_no_other_high_pass(table):
    strategy = STRATEGIES["aCompCor"]
    columns = strategy.choose_columns(table)
    assert [c for c in columns if c.startswith("a_comp")] == [f"a_comp_cor_{k:02d}" for k in range(5)]
    assert [c for c in columns if c.startswith("cosine")] == [f"cosine{k:02d}" for k in range(4)]
    assert len(columns) == 2 * len(MOTION_PARAMETERS) + 5 + 4
    assert strategy.high_pass is None
    assert strategy.low_pass == 0.08


def test_compcor_takes_all_components_where_fewer_were_kept(table):
    few = table.drop(columns=[f"a_comp_cor_{k:02d}" for k in range(2, 8)])
    columns = STRATEGIES["aCompCor"].choose_columns(few)
    assert [c for c in columns if c.startswith("a_comp")] == ["a_comp_cor_00", "a_comp_cor_01"]


def test_clean_with_is_nilearns_clean(table):
    averages = np.random.default_rng(1).standard_normal((N_VOLUMES - N_DUMMY, 3))
    cleaned = clean_with(STRATEGIES["18P"], averages, table, t_r=T_R, n_dummy=N_DUMMY)
    expected = signal.clean(
        averages,
        confounds=table[list(EIGHTEEN_REGRESSORS)].to_numpy()[N_DUMMY:],
        t_r=T_R,
        low_pass=0.08,
        high_pass=0.009,
        detrend=True,
        standardize="zscore_sample",
    )
    np.testing.assert_allclose(cleaned, expected, atol=1e-10)
    filters = {"t_r": T_R, "low_pass": 0.08, "high_pass": 0.009, "detrend": True, "standardize": None}
    csf = signal.clean(table[["csf"]].to_numpy()[N_DUMMY:], **filters)
    left = np.corrcoef(cleaned[:, 0], csf[:, 0])[0, 1]
    assert abs(left) < 1e-6  # nothing of a regressor, filtered alike, is left


def test_no_cleaning_only_takes_the_trend_out(table):
    ramp = np.linspace(0, 5, N_VOLUMES)[:, None] + np.random.default_rng(2).standard_normal((N_VOLUMES, 1))
    cleaned = clean_with(STRATEGIES["none"], ramp, table, t_r=T_R, n_dummy=0)
    assert abs(np.polyfit(np.arange(N_VOLUMES), cleaned[:, 0], 1)[0]) < 1e-10
    assert cleaned.std(ddof=1) == pytest.approx(1)


def test_missing_columns_are_named(table):
    with pytest.raises(ValueError, match="csf_derivative1"):
        clean_with(STRATEGIES["18P"], np.zeros((80, 1)), table.drop(columns="csf_derivative1"), t_r=T_R, n_dummy=0)
