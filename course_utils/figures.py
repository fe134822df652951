"""Figures with one look: values in, matplotlib Axes out. No data access."""

import base64
import html
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.transforms import Affine2D

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


VOXEL_COLOUR, MM_COLOUR = "tab:orange", "#1f77c8"  # both can be seen on black, grey and white
SLIDER = """\
<figure style="max-width: 20rem; margin: 0">
<div style="overflow: hidden; aspect-ratio: {width} / {height}">
<img alt="{alt}" src="data:image/jpeg;base64,{picture}"
 style="width: 100%; max-width: none; display: block; transform: translateY({start}%)"></div>
<figcaption><label>slice k = <output>{k}</output>
<input type="range" min="0" max="{last}" value="{middle}" style="width: 100%" oninput="
 const figure = this.closest('figure');
 figure.querySelector('img').style.transform = 'translateY(' + -100 * this.value / {n} + '%)';
 figure.querySelector('output').textContent = this.value * {step}"></label></figcaption>
</figure>"""


def _in_plane(affine, index, view):
    """Find which voxel axes a plane shows, which axes in mm, and the affine (3, 3) from the ones to the others."""
    seen = "xyz".index(view)
    mm = [axis for axis in range(3) if axis != seen]
    steps = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    across = int(np.argmax(np.abs(steps[seen])))  # the voxel axis that runs nearest to the direction of view
    shown = [axis for axis in range(3) if axis != across]
    flat = np.eye(3)
    flat[:2, :2] = affine[np.ix_(mm, shown)]
    flat[:2, 2] = affine[mm, across] * index + affine[mm, 3]
    return across, shown, mm, flat


def _draw_voxel_axes(ax, flat, shape, names):
    """Mark the first voxel, and draw arrows from it along the two axes of the grid."""
    first = flat[:2, 2]
    ax.plot(*first, "o", color=VOXEL_COLOUR, markersize=6, zorder=4)
    for axis, name in enumerate(names):
        tip = first + flat[:2, axis] * 0.42 * shape[axis]
        look = {"arrowstyle": "-", "color": VOXEL_COLOUR, "linewidth": 2.5, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xy=tip, xytext=first, arrowprops=look, zorder=4)
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": VOXEL_COLOUR}
        ax.text(*tip, name, color="black", fontsize=11, ha="center", va="center", bbox=box, zorder=5)


def plot_slice_in_mm(img, index, *, view="z", ax=None, limits=None, title=""):
    """Draw one slice where its voxels lie in mm, without resampling, with the axes of the grid over the axes in mm.

    Arrows and a dot (the first voxel) in one colour are the axes of the grid; lines in another are the axes in mm,
    which meet at 0. A slice that is tilted out of the plane is drawn as seen along the axis of view.

    Parameters
    ----------
    img : 3-D nibabel image
        Its affine decides where the slice is drawn.
    index : int
        Number of the slice, along the voxel axis that runs nearest to the direction of view.
    view : {"x", "y", "z"}
        Axis in mm that one looks along.
    ax : Axes, optional
        Where to draw. Without it, a new figure.
    limits : pair of pair of float, optional
        Lowest and highest mm to the right, and upwards. By default the whole slice and the place where all is 0.
    title : str
        Of the panel.

    Returns
    -------
    Axes
        With equal scales in both directions.

    Raises
    ------
    ValueError
        If the image is not 3-D, or has no such slice.
    """
    if len(img.shape) != 3:
        raise ValueError(f"The image has {len(img.shape)} axes; expected 3. Take one volume: img.slicer[..., 0].")
    across, shown, mm, flat = _in_plane(img.affine, index, view)
    if not 0 <= index < img.shape[across]:
        raise ValueError(f"There is no slice {index}: along {view} the image has slices 0 to {img.shape[across] - 1}.")
    values = np.asarray(img.dataobj[tuple(index if axis == across else slice(None) for axis in range(3))])
    n_first, n_second = values.shape
    corners = np.array([[-0.5, n_first - 0.5, n_first - 0.5, -0.5], [-0.5, -0.5, n_second - 0.5, n_second - 0.5]])
    frame = flat[:2, :2] @ corners + flat[:2, 2:]
    if ax is None:
        ax = plt.subplots()[1]
    ax.imshow(
        values.T, cmap="gray", origin="lower", interpolation="nearest", aspect="equal",
        extent=(-0.5, n_first - 0.5, -0.5, n_second - 0.5), transform=Affine2D(flat) + ax.transData,
    )  # fmt: skip
    ax.fill(*frame, fill=False, edgecolor=VOXEL_COLOUR, linewidth=1)
    ax.axvline(0, color=MM_COLOUR, linewidth=1.2)
    ax.axhline(0, color=MM_COLOUR, linewidth=1.2)
    _draw_voxel_axes(ax, flat, values.shape, ["ijk"[axis] for axis in shown])
    if limits is None:
        limits = [(min(*side, 0) - 8, max(*side, 0) + 8) for side in frame]
    ax.set(xlim=limits[0], ylim=limits[1], title=title)
    ax.set_xlabel(f"{'xyz'[mm[0]]} (mm)", color=MM_COLOUR)
    ax.set_ylabel(f"{'xyz'[mm[1]]} (mm)", color=MM_COLOUR, labelpad=0)
    return ax


def view_slices(img, *, alt, step=1):
    """Make a slider that steps through the slices of an image along its third axis.

    The pictures travel with the page, in one strip: it needs neither a network nor a running kernel.

    Parameters
    ----------
    img : 3-D nibabel image
        Drawn as it is stored: first axis to the right, second upwards.
    alt : str
        What the pictures show, for those who cannot see them.
    step : int
        Show every n-th slice.

    Returns
    -------
    HTML
        For the last line of a cell.

    Raises
    ------
    ValueError
        If the image is not 3-D.
    """
    if len(img.shape) != 3:
        raise ValueError(f"The image has {len(img.shape)} axes; expected 3. Take one volume: img.slicer[..., 0].")
    values = np.asarray(img.dataobj)[:, :, ::step]
    width, height, n = values.shape
    strip = values.transpose(2, 1, 0)[:, ::-1].reshape(n * height, width)  # one below the other, each the right way up
    low, high = np.percentile(values, [0, 99.5])
    picture = io.BytesIO()
    plt.imsave(picture, strip, cmap="gray", vmin=low, vmax=high, format="jpg", pil_kwargs={"quality": 75})
    parts = {"width": width, "height": height, "n": n, "last": n - 1, "step": step, "alt": html.escape(alt)}
    parts |= {"middle": n // 2, "k": n // 2 * step, "start": -100 * (n // 2) / n}
    return HTML(SLIDER.format(picture=base64.b64encode(picture.getvalue()).decode(), **parts))


REPORT_STYLE = """<style>
body { margin: 0; overflow-x: hidden; font-family: sans-serif; }
img { max-width: 100%; height: auto; } footer { display: none !important; }
.nilearn-report { height: auto !important; overflow: visible !important; }
.nilearn-report .main-container { min-height: 0 !important; }
</style>"""


def show_report(report, *, alt, height=460):
    """Show a report of nilearn in the page, in a frame of its own that asks no other host for anything.

    nilearn's report loads style sheets and an icon from the network. Here they are left out; pictures and tables travel
    with the report anyway.

    Parameters
    ----------
    report : nilearn.reporting.HTMLReport
        As `masker.generate_report()` gives it.
    alt : str
        What its picture shows, for those who cannot see it.
    height : int
        Of the frame, in pixels; what is longer can be scrolled.

    Returns
    -------
    HTML
        For the last line of a cell.
    """
    page = re.sub(r"<link\b[^>]*https?:[^>]*>", "", report.get_standalone())
    page = page.replace('alt="image"', f'alt="{html.escape(alt)}"').replace("</head>", f"{REPORT_STYLE}</head>", 1)
    # the div is for IPython, which warns of a bare iframe
    frame = f'srcdoc="{html.escape(page)}" width="100%" style="border: 0; height: {height}px"'
    return HTML(f"<div><iframe {frame}></iframe></div>")
