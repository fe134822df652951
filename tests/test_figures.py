"""What is drawn: one symmetric scale, no diagonal, regions ordered by network."""

import base64
import html
import io
import re
from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from nilearn.maskers import NiftiLabelsMasker

from course_utils.figures import plot_connectomes, plot_slice_in_mm, show_report, view_slices

NAMES = ["v1", "d1", "v2", "d2"]
NETWORKS = pd.Series({"d1": "default", "d2": "default", "v1": "visual", "v2": "visual"})


@pytest.fixture(autouse=True)
def close():
    """Leave no figure open."""
    yield
    plt.close("all")


def matrix(**values):
    """Make a connectome that is 0 except for the pairs given."""
    connectome = pd.DataFrame(np.eye(4), NAMES, NAMES)
    for pair, r in values.items():
        a, b = pair.split("_")
        connectome.loc[a, b] = connectome.loc[b, a] = r
    return connectome


def drawn(ax):
    """Read back the numbers and the colour limits of a panel."""
    image = ax.images[0]
    return np.ma.filled(image.get_array().astype(float), np.nan), image.get_clim()


def test_one_scale_symmetric_about_zero():
    axes = plot_connectomes({"one": matrix(v1_d1=0.3), "two": matrix(d1_d2=-0.6)})
    assert [ax.get_title() for ax in axes] == ["one", "two"]
    assert [drawn(ax)[1] for ax in axes] == [(-0.6, 0.6), (-0.6, 0.6)]


def test_limit_can_be_given():
    (ax,) = plot_connectomes({"one": matrix(v1_d1=0.3)}, limit=1)
    assert drawn(ax)[1] == (-1, 1)


def test_diagonal_and_lost_regions_have_no_colour():
    connectome = matrix(v1_d1=0.3)
    connectome.loc["v2", :] = connectome.loc[:, "v2"] = np.nan
    (ax,) = plot_connectomes({"one": connectome})
    values, limits = drawn(ax)
    assert limits == (-0.3, 0.3)
    assert np.isnan(np.diag(values)).all()
    assert np.isnan(values[2]).all()
    assert np.isfinite(values[0, 1])
    grey = ax.images[0].cmap(np.ma.masked_invalid([np.nan]))[0]
    assert grey[0] == grey[1] == grey[2] == 0.75
    assert connectome.loc["v1", "v1"] == 1, "the matrix that was given must stay as it was"


def test_regions_are_ordered_by_network_and_named():
    (ax,) = plot_connectomes({"one": matrix(d1_d2=0.9, v1_v2=0.5)}, NETWORKS)
    values, _ = drawn(ax)
    # visual comes first, because the first region is visual: v1 v2 d1 d2
    assert values[0, 1] == values[1, 0] == 0.5
    assert values[2, 3] == values[3, 2] == 0.9
    assert [text.get_text() for text in ax.texts] == ["visual (2)", "default (2)"]
    borders = {tuple(line.get_xdata()) for line in ax.lines} | {tuple(line.get_ydata()) for line in ax.lines}
    assert (1.5, 1.5) in borders


def test_names_of_small_networks_do_not_overlap():
    names = [f"r{i}" for i in range(60)]
    networks = pd.Series([f"network {max(0, i - 50)}" for i in range(60)], names)
    (ax,) = plot_connectomes({"one": pd.DataFrame(np.eye(60), names, names)}, networks)
    ax.figure.canvas.draw()
    boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: -box.y0)  # without the lines
    assert len(boxes) == 10
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))


@pytest.mark.parametrize(
    ("connectomes", "networks", "message"),
    [
        ({}, None, "nothing to draw"),
        ({"one": matrix(), "two": matrix().iloc[:3, :3]}, None, "'two' has other regions"),
        ({"one": matrix()}, NETWORKS.drop("v2"), "No network is known for v2"),
    ],
)
def test_errors_say_what_to_do(connectomes, networks, message):
    with pytest.raises(ValueError, match=message):
        plot_connectomes(connectomes, networks)


def test_report_asks_no_other_host_for_anything():
    """nilearn's own report does: if it no longer did, this test would have nothing left to prove."""
    labels = np.zeros((8, 9, 10), np.int16)
    labels[2:4, 2:7, 2:8], labels[4:7, 2:7, 2:8] = 1, 2
    labels_img = nib.Nifti1Image(labels, np.diag([20.0, 20, 15, 1]))
    bold_img = nib.Nifti1Image(np.random.default_rng(0).normal(100, 5, (8, 9, 10, 4)), labels_img.affine)
    report = NiftiLabelsMasker(labels_img, standardize=None).fit(bold_img).generate_report(title="Two regions")
    fetched = r"<(?:link|script|img|iframe|source|use)\b[^>]*\b(?:href|src|srcset)=.https?:|@import|url\(.?http"
    assert re.search(fetched, report.get_standalone())
    shown = show_report(report, alt='Two "regions" & more').data
    frame = re.fullmatch(r'<div><iframe srcdoc="([^"]*)"[^>]*></iframe></div>', shown)
    page = html.unescape(frame[1])
    assert not re.search(fetched, page)
    assert 'alt="Two &quot;regions&quot; &amp; more"' in page
    assert "data:image/svg+xml;base64," in page
    assert "Two regions" in re.search("<title>(.*?)</title>", page)[1]
    assert "Regions summary" in page


def turned_image():
    """An image with three lengths and three sizes of voxel, turned about z; its values are 0, 1, 2 ..."""
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    affine = nib.affines.from_matvec(turn * [2, 3, 4], [-9, -7, 5])
    return nib.Nifti1Image(np.arange(210, dtype=np.float32).reshape(5, 6, 7), affine)


@pytest.mark.parametrize("storage", ["RAS", "LAS", "SPL"])
@pytest.mark.parametrize("view", ["x", "y", "z"])
def test_each_voxel_is_drawn_at_its_place_in_mm(view, storage):
    """Whatever the order of storage: what the affine says is where the voxel appears."""
    as_made, wanted = nib.io_orientation(turned_image().affine), nib.orientations.axcodes2ornt(storage)
    img = turned_image().as_reoriented(nib.orientations.ornt_transform(as_made, wanted))
    sides = {"x": "LR", "y": "PA", "z": "IS"}[view]
    across = next(axis for axis, letter in enumerate(nib.aff2axcodes(img.affine)) if letter in sides)
    ax = plot_slice_in_mm(img, 2, view=view)
    drawn_at = ax.images[0].get_transform() - ax.transData
    values = np.ma.getdata(ax.images[0].get_array())
    for column, row in [(0, 0), (3, 1), (1, 4)]:
        voxel = [column, row]
        voxel.insert(across, 2)
        mm = nib.affines.apply_affine(img.affine, voxel)
        assert np.allclose(drawn_at.transform((column, row)), np.delete(mm, "xyz".index(view)))
        assert values[row, column] == img.dataobj[tuple(voxel)]


def test_axes_of_a_slice_are_named_and_equal():
    ax = plot_slice_in_mm(turned_image(), 2, view="x", limits=((-50, 50), (-40, 60)), title="one")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("y (mm)", "z (mm)", "one")
    assert (ax.get_xlim(), ax.get_ylim(), ax.get_aspect()) == ((-50, 50), (-40, 60), 1)
    assert {text.get_text() for text in ax.texts} >= {"j", "k"}


@pytest.mark.parametrize("index", [-1, 7])
def test_a_slice_that_does_not_exist_is_refused(index):
    with pytest.raises(ValueError, match=f"no slice {index}: along z the image has slices 0 to 6"):
        plot_slice_in_mm(turned_image(), index)


@pytest.mark.parametrize("draw", [lambda img: plot_slice_in_mm(img, 0), lambda img: view_slices(img, alt="a run")])
def test_a_run_is_no_slice(draw):
    with pytest.raises(ValueError, match=r"4 axes; expected 3. Take one volume"):
        draw(nib.Nifti1Image(np.zeros((3, 4, 5, 6), np.float32), np.eye(4)))


def test_slider_holds_its_slices_and_asks_nobody_for_them():
    values = np.zeros((32, 24, 10), np.float32)
    for k in range(10):
        values[4:12, 16:24, k] = 20 * k  # a square, to the left and on top
    page = view_slices(nib.Nifti1Image(values, np.eye(4)), alt='a "square"', step=3).data
    assert "http" not in page
    assert 'alt="a &quot;square&quot;"' in page
    assert 'max="3" value="2"' in page
    assert "<output>6</output>" in page
    encoded = re.search(r"data:image/jpeg;base64,([^\"]*)", page)[1]
    strip = plt.imread(io.BytesIO(base64.b64decode(encoded)), format="jpg")[..., 0].astype(float)
    frames = strip.reshape(4, 24, 32)
    squares, outside = frames[:, 1:7, 5:11].mean(axis=(1, 2)), frames[:, 12:, 16:].mean(axis=(1, 2))
    assert np.allclose(outside, 0, atol=6)
    assert np.allclose(squares, 255 * np.arange(0, 10, 3) / 9, atol=8)
