"""What is drawn: one symmetric scale, no diagonal, regions ordered by network."""

from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from course_utils.figures import plot_connectomes

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
