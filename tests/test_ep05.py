"""What episode 05 tells about nilearn and about the simulated scanner, beyond its exercises; and answers in steps."""

import inspect
import re
import warnings
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np
import pytest
from nilearn import image, maskers, signal

from course_utils.exercises._compare import Image
from course_utils.exercises._steps import Steps, slip
from data_scripts.baseline import excess_before_steady_state
from data_scripts.parameters import PHYSICS

NOTEBOOK = Path(__file__).resolve().parents[1] / "book" / "05_functional_data.ipynb"


def row_img(values, zoom=1.0, origin=0.0, width=3):
    """Rows of voxels along x, all alike."""
    data = np.tile(np.asarray(values)[:, None, None], (1, width, width))
    return nib.Nifti1Image(data, nib.affines.from_matvec(np.diag([zoom, 1, 1]), [origin, 0, 0]))


def on_grid(values, target, interpolation):
    """Values of a row on another grid, in the middle of the row's cross-section."""
    img = image.resample_to_img(row_img(values), target, interpolation=interpolation)
    return np.asarray(img.dataobj)[:, 1, 1]


@pytest.fixture
def run_img():
    """Two volumes, 2 s apart."""
    img = nib.Nifti1Image(np.arange(16.0, dtype=np.float32).reshape(2, 2, 2, 2), np.eye(4))
    img.header.set_zooms((1, 1, 1, 2.0))
    return img


def test_the_t_r_is_lost_where_the_episode_says_so(run_img):
    mask_img = nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4))
    masker = maskers.NiftiMasker(mask_img, standardize=None).fit()
    back_img = masker.inverse_transform(masker.transform(run_img))
    told_img = image.math_img("img * 1", img=run_img, copy_header_from="img")
    imgs = [run_img.slicer[..., 1:], image.math_img("img * 1", img=run_img), told_img, back_img]
    assert [float(img.header.get_zooms()[3]) for img in imgs] == [2, 1, 2, 1]


def test_signal_clean_assumes_a_t_r():
    assert inspect.signature(signal.clean).parameters["t_r"].default == 2.5


def test_old_ways_to_standardize(run_img):
    mask_img = nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4))
    for old in (True, False):
        with pytest.warns(FutureWarning, match="standardize"):
            maskers.NiftiMasker(mask_img, standardize=old).fit().transform(run_img)
    with pytest.raises(ValueError, match="zscore_sample"):
        maskers.NiftiMasker(mask_img, standardize="zscore").fit().transform(run_img)


@pytest.mark.filterwarnings("ignore:Resampling binary images")
def test_interpolation_between_the_voxels():
    """Nearest invents nothing, linear stays between, continuous overshoots."""
    row = np.array([1, 0, 1, 1, 1, 0, 0, 1, 0], np.float32)
    fine = row_img(np.zeros(161, np.float32), zoom=0.05)
    assert set(on_grid(row, fine, "nearest")) == {0, 1}
    linear = on_grid(row, fine, "linear")
    np.testing.assert_allclose(linear, np.interp(0.05 * np.arange(161), range(9), row), atol=1e-5)
    continuous = on_grid(row, fine, "continuous")
    assert continuous.min() < -0.1
    assert continuous.max() > 1.1


@pytest.mark.filterwarnings("ignore:Resampling binary images")
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "continuous"])
def test_a_large_voxel_takes_no_vote(interpolation):
    """1, 0, 1 gives 0: the value at the centre, whatever the majority."""
    row = np.array([1, 0, 1, 1, 1, 0, 0, 1, 0], np.float32)
    large = row_img(np.zeros(3, np.float32), zoom=3.0, origin=1.0)
    np.testing.assert_allclose(on_grid(row, large, interpolation), [0, 1, 1], atol=1e-5)


def test_linear_makes_another_label_without_a_warning():
    labels = np.array([3, 3, 7, 7], np.uint8)
    half = row_img(np.zeros(7, np.uint8), zoom=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mixed = on_grid(labels, half, "linear")
    assert mixed.tolist() == [3, 3, 3, 5, 7, 7, 7]
    assert set(on_grid(labels, half, "nearest")) == {3, 7}


def test_the_page_has_the_numbers_of_the_simulator():
    """T1 and flip angle are typed into a cell: they must be those of the scanner, and the formula its formula."""
    source = next(c.source for c in nbformat.read(NOTEBOOK, 4).cells if c.id == "tissues-table")
    t1 = {name: float(value) for name, value in re.findall(r'"(GM|WM|CSF)": ([\d.]+)', source)}
    degrees = float(re.search(r"deg2rad\(([\d.]+)\)", source)[1])
    scanner = PHYSICS.scanner
    assert t1 == {"GM": scanner.t1_grey, "WM": scanner.t1_white, "CSF": scanner.t1_csf}
    assert degrees == scanner.flip_angle
    for seconds in t1.values():
        e, cosine = np.exp(-2 / seconds), np.cos(np.deg2rad(degrees))
        for volume in range(4):
            formula = ((1 - e * cosine) / (1 - e) - 1) * (e * cosine) ** volume
            assert formula == pytest.approx(excess_before_steady_state(volume, seconds, 2.0, np.deg2rad(degrees)))


def test_steps_are_judged_in_order():
    """What is right so far is counted; the first step that is not right is named."""
    one, two = row_img([1.0, 2]), row_img([3.0, 4])
    compare, right = Steps(step=Image()), {"first": one, "second": two}
    assert compare(dict(right), right) is None
    assert compare({"first": one, "second": ...}, right).startswith('1 of 2 steps are right so far. At "second": it is')
    assert compare({"first": two, "second": two}, right).startswith('0 of 2 steps are right so far. At "first": all')
    assert "'second' is missing" in compare({"first": one}, right)
    assert compare(one, right) == "it is not a dict."


def test_a_slip_is_found_whatever_the_other_steps_are():
    one, two, three = row_img([1.0, 2]), row_img([3.0, 4]), row_img([5.0, 6])
    guess = slip(("first", "second", "third"), "second", lambda img: img)(img=two)
    compare = Steps(step=Image())
    assert guess == {"first": ..., "second": two, "third": ...}
    assert compare({"first": one, "second": two, "third": ...}, guess) is None
    assert compare({"first": one, "second": three, "third": three}, guess) is not None
