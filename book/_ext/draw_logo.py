"""Draws the logo and the picture for previews of links when it is run.

A correlation matrix of eight regions in three networks, on the ground of a
file with a folded corner. The two files in book/_static are what this writes.
"""

from pathlib import Path

import numpy as np
from matplotlib import colormaps, colors, font_manager
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

STATIC = Path(__file__).resolve().parents[1] / "_static"
NETWORKS = np.array([0, 0, 0, 1, 1, 2, 2, 2])
SIZE, EDGE, FOLD = 100, 9, 22  # of the file, its margin, its folded corner
PAPER, LINE, INK = "#ffffff", "#1f3b57", "#12263a"
SHEET = [(4, 2), (96 - FOLD, 2), (96, 2 + FOLD), (96, 98), (4, 98)]
FLAP = [(96 - FOLD, 2), (96 - FOLD, 2 + FOLD), (96, 2 + FOLD)]


def matrix_cells():
    """The cells of the matrix.

    Returns
    -------
    list of (float, float, float, str)
        Left, top, width and colour of each; the fold covers none.
    """
    n = len(NETWORKS)
    far = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    together = np.equal.outer(NETWORKS, NETWORKS)
    values = np.where(together, 0.92 - 0.08 * far, 0.38 - 0.04 * (far % 4))
    width = (SIZE - 2 * EDGE - 10) / n
    left, top = (SIZE - n * width) / 2, SIZE - EDGE + 4 - n * width
    return [
        (
            left + column * width,
            top + row * width,
            width - 0.9,
            colors.to_hex(colormaps["YlGnBu"](values[row, column])),
        )
        for row in range(n)
        for column in range(n)
    ]


def logo_svg():
    """The logo.

    Returns
    -------
    str
        An SVG document.
    """

    def points(corners):
        return " ".join(f"{x},{y}" for x, y in corners)

    shape = f'stroke="{LINE}" stroke-width="3" stroke-linejoin="round"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">',
        f'<polygon points="{points(SHEET)}" fill="{PAPER}" {shape}/>',
    ]
    for x, y, width, colour in matrix_cells():
        box = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}"'
        lines.append(f'<rect {box} height="{width:.2f}" fill="{colour}"/>')
    lines += [
        f'<polygon points="{points(FLAP)}" fill="#cfe0ee" {shape}/>',
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def draw_social(path):
    """Draw the picture for previews, 1200 x 630 pixels.

    Parameters
    ----------
    path : path
        Where to write it (PNG).
    """
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#eef4f9")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 240), ylim=(126, 0))
    ax.set_axis_off()
    scale, left, top = 0.86, 16, 20
    place = np.array([left, top])
    edge = {"edgecolor": LINE, "linewidth": 5, "joinstyle": "round"}
    ax.add_patch(
        Polygon(place + scale * np.array(SHEET), facecolor=PAPER, **edge)
    )
    for x, y, width, colour in matrix_cells():
        corner = place + scale * np.array([x, y])
        ax.add_patch(
            Rectangle(corner, scale * width, scale * width, facecolor=colour)
        )
    ax.add_patch(
        Polygon(place + scale * np.array(FLAP), facecolor="#cfe0ee", **edge)
    )
    bold = font_manager.FontProperties(family="DejaVu Sans", weight="bold")
    ax.text(116, 46, "From Files\nto Findings", fontproperties=bold)
    ax.texts[-1].set(fontsize=52, color=INK, va="center", linespacing=1.15)
    ax.text(
        116, 84, "Functional MRI analysis in Python:\na course that runs"
    )
    ax.texts[-1].set(fontsize=24, color=LINE, va="center", linespacing=1.4)
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    (STATIC / "logo.svg").write_text(logo_svg(), encoding="utf-8")
    draw_social(STATIC / "social.png")
