"""Figures with one look: values in, matplotlib Axes out. No data access."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

NO_VALUE = "0.75"  # grey: the diagonal, and regions without data
LABEL_POINTS = 9  # size of the letters of the names of networks


def _spread(centres, gap):
    """Move sorted positions apart until neighbours are at least `gap` away, and keep their mean where it was."""
    places = np.asarray(centres, dtype=float).copy()
    if len(places) < 2:
        return places
    for _ in range(200):
        short = np.clip(gap - np.diff(places), 0, None)
        if short.max() < 1e-3:
            break
        places[1:] += short / 2
        places[:-1] -= short / 2
    return places


def _mark_networks(axes, blocks, panel_points):
    """Draw the borders between networks on every panel, and their names beside the first."""
    sizes = blocks.value_counts(sort=False)
    ends = sizes.cumsum().to_numpy()
    centres = ends - sizes.to_numpy() / 2 - 0.5
    for ax in axes:
        for end in ends[:-1]:
            ax.axhline(end - 0.5, color="black", linewidth=0.6)
            ax.axvline(end - 0.5, color="black", linewidth=0.6)
    points_a_row = panel_points / len(blocks)
    places = _spread(centres, 1.25 * LABEL_POINTS / points_a_row)
    for name, centre, place in zip(sizes.index, centres, places, strict=True):
        axes[0].annotate(
            f"{name} ({sizes[name]})", xy=(-0.5, centre), xytext=(-1 - 0.04 * len(blocks), place),
            ha="right", va="center", fontsize=LABEL_POINTS, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (1, 0.5)},
        )  # fmt: skip


def plot_connectomes(connectomes, networks=None, *, limit=None, label="Pearson r", panel_inches=3.0):
    """Draw connectomes side by side, on one colour scale that is symmetric about 0.

    The diagonal is masked: a region's correlation with itself says nothing. Regions without data are grey too.

    Parameters
    ----------
    connectomes : dict of str to DataFrame, shape (n_regions, n_regions)
        Title and matrix of each panel. All have the same regions.
    networks : Series, shape (n_regions,), optional
        Network of each region, indexed by the region's name. Regions are then drawn network by network, in the order
        in which the networks first occur, with borders and names.
    limit : float, optional
        The colour scale goes from -limit to limit. By default the largest absolute value off the diagonal in any panel.
    label : str
        Name, and unit if any, of the values.
    panel_inches : float
        Width and height of one matrix, in inches.

    Returns
    -------
    axes : ndarray of Axes, shape (n_panels,)
        One a matrix.

    Raises
    ------
    ValueError
        If nothing is given, if panels have different regions, or if a region has no network.
    """
    if not connectomes:
        raise ValueError("There is nothing to draw: expected at least one connectome, as {title: connectome}.")
    regions = next(iter(connectomes.values())).index
    for title, connectome in connectomes.items():
        if not (connectome.index.equals(regions) and connectome.columns.equals(regions)):
            raise ValueError(f"The panel {title!r} has other regions than the first. Reindex them all alike.")
    if networks is not None:
        without = regions.difference(networks.index)
        if len(without):
            raise ValueError(f"No network is known for {', '.join(without)}. Expected one for every region.")
        order = list(dict.fromkeys(networks[regions]))
        blocks = pd.Categorical(networks[regions], categories=order, ordered=True)
        blocks = pd.Series(blocks, index=regions).sort_values(kind="stable")
        regions = blocks.index

    matrices = {title: c.loc[regions, regions].to_numpy(dtype=float, copy=True) for title, c in connectomes.items()}
    for values in matrices.values():
        np.fill_diagonal(values, np.nan)
    largest = max((np.nanmax(np.abs(v)) for v in matrices.values() if not np.isnan(v).all()), default=1)
    limit = limit or largest or 1
    colours = plt.get_cmap("RdBu_r").with_extremes(bad=NO_VALUE)

    figure, axes = plt.subplots(
        1, len(matrices), figsize=(panel_inches * len(matrices) + 2.4, panel_inches + 0.5),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    axes = axes[0]
    for ax, (title, values) in zip(axes, matrices.items(), strict=True):
        drawn = ax.imshow(values, cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set(title=title, xticks=[], yticks=[])
    if networks is not None:
        _mark_networks(axes, blocks, 72 * panel_inches)
    elif len(regions) <= 30:
        axes[0].set_yticks(range(len(regions)), regions, fontsize=LABEL_POINTS)
    figure.colorbar(drawn, ax=list(axes), label=label, shrink=0.8)
    return axes
