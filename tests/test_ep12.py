"""What episode 12 takes for granted, and what its exercises accept beside their own solutions."""

import ast
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn import signal
from nilearn.glm import threshold_stats_img
from scipy import stats

from course_utils.exercises import ep12_images as ep12

NOTEBOOK = Path(__file__).resolve().parents[1] / "book" / "12_images_as_table.ipynb"
# the public names that `dir()` lists of a Brain_Data object, ordered by their last letters
BRAIN_DATA = {
    *("X", "Y", "data", "icc", "threshold", "append", "detrend", "std", "distance", "scale", "file_name", "shape"),
    *("dtype", "astype", "transform_pairwise", "decompose", "aggregate", "write", "standardize", "smooth"),
    *("extract_roi", "to_nifti", "predict_multi", "mask", "apply_mask", "sum", "mean", "align", "bootstrap"),
    *("nifti_masker", "filter", "find_spikes", "regions", "regress", "predict", "upload_neurovault", "plot"),
    *("iplot", "ttest", "groupby", "copy", "similarity", "multivariate_similarity", "empty", "isempty", "r_to_z"),
}
WITHOUT_ROW = {"align", "icc", "upload_neurovault"}


pytestmark = pytest.mark.usefixtures("own_progress")


def test_cleaning_is_a_matrix():
    """Cleaning the identity gives weights that clean any signal, to rounding."""
    rng = np.random.default_rng(12)
    confounds = pd.DataFrame(rng.normal(size=(148, 18)).cumsum(axis=0))
    how = {"t_r": 2.0, "high_pass": 0.009, "low_pass": 0.08, "detrend": True, "standardize": None}
    how |= {"confounds": confounds, "butterworth__copy": True}
    raw = 500 + rng.normal(size=(148, 30)).cumsum(axis=0)
    weights = signal.clean(np.eye(148), **how)
    assert np.abs(weights @ raw - signal.clean(raw, **how)).max() < 1e-6 * raw.std()


def test_nothing_passes_gives_an_infinite_threshold_and_a_warning():
    """The page counts this warning in its table of thresholds."""
    values = np.random.default_rng(1).normal(size=(9, 9, 9)).clip(-2, 2)
    with pytest.warns(UserWarning, match="must not exceed"):
        kept, limit = threshold_stats_img(
            nib.Nifti1Image(values, np.eye(4)),
            mask_img=nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), np.eye(4)),
            alpha=0.05,
            height_control="fdr",
        )
    assert np.isinf(limit)
    assert not np.any(kept.get_fdata())


def test_every_method_has_a_row_or_a_reason():
    """The dicts handed to run_each, read from the notebook's source."""
    nb = nbformat.read(NOTEBOOK, as_version=4)
    calls = [
        node
        for cell in nb.cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run_each"
    ]
    rows = [key.value for call in calls for key in call.args[0].keys]
    assert len(rows) == len(set(rows))
    assert BRAIN_DATA - set(rows) == WITHOUT_ROW
    text = " ".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    assert all(f"- `{name}` " in text for name in WITHOUT_ROW)


def test_rows_may_be_put_in_order_by_reindex_or_merge(reply):
    inputs = ep12.right_rows.example_inputs()
    labels = pd.Series(inputs["files"]).str.extract(r"^(sub-\w+?)_")[0]
    assert reply(ep12.right_rows, inputs["participants"].reindex(labels)).startswith("Correct.")
    merged = pd.DataFrame(index=labels).join(inputs["participants"])
    assert reply(ep12.right_rows, merged).startswith("Correct.")


def test_rows_may_be_chosen_by_number_or_query(reply):
    inputs = ep12.chosen_mean.example_inputs()
    people = inputs["people"].reset_index(drop=True)
    rows = people.query("diagnosis == 'CONTROL' and age < 40").index
    assert reply(ep12.chosen_mean, inputs["maps"][rows].mean(axis=0)).startswith("Correct.")


def test_t_of_scipy_is_right(reply):
    maps = ep12.one_sample.example_inputs()["maps"]
    assert reply(ep12.one_sample, stats.ttest_1samp(maps, 0).statistic).startswith("Correct.")


def test_views_may_come_in_any_order(reply):
    assert reply(ep12.views, ("maps[:, 7]", "maps[0:3]", "maps[2]")).startswith("Correct.")
