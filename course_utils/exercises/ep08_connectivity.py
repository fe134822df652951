"""Exercises of episode 08: functional connectivity."""

import numpy as np
import pandas as pd

from course_utils.atlases import fetch_course_networks
from course_utils.exercises._compare import Array, Names, Number
from course_utils.exercises._engine import Exercise, KnownCase, Wrong


def _example_connectome():
    """Make a connectome of five regions that go together more or less."""
    names = ["cingulate", "frontal", "angular left", "angular right", "visual"]
    rng = np.random.default_rng(8)
    series = rng.normal(size=(60, 5)) + rng.normal(size=(60, 1))
    return pd.DataFrame(np.corrcoef(series, rowvar=False), names, names)


# ---- one edge by name


def find_one_edge(connectome, first, second):
    """Ask for row and column by name."""
    return connectome.loc[first, second]


def _edge_beside(connectome, first, second):
    row, column = (connectome.index.get_loc(name) - 1 for name in (first, second))
    return connectome.iloc[row, column]


def _edge_after(connectome, first, second):
    row, column = (connectome.index.get_loc(name) + 1 for name in (first, second))
    return connectome.iloc[row, column]


one_edge = Exercise(
    title="One edge by name",
    solve=find_one_edge,
    compare=Number(rtol=0, atol=5.1e-3, unit="Pearson r", between=(-1, 1)),
    hints=[
        "A DataFrame finds its rows and columns by name.",
        "`connectome.loc[row, column]`, with the two names that the cell above printed.",
    ],
    wrong={
        "fisher_z": Wrong(
            lambda connectome, first, second: np.arctanh(connectome.loc[first, second]),
            "This is Fisher's z of the edge. Here we ask for r itself.",
        ),
        "beside": Wrong(
            _edge_beside,
            "This is the edge one row up and one column to the left. Positions count from 0: ask by name and you need "
            "not count.",
        ),
        "after": Wrong(
            _edge_after,
            "This is the edge one row down and one column to the right. Was a label taken for a position? "
            "Labels count from 1, positions from 0, names not at all.",
        ),
        "squared": Wrong(
            lambda connectome, first, second: connectome.loc[first, second] ** 2,
            "This is r squared, the share of variance that the two have in common. Here we ask for r.",
        ),
        "row": Wrong(
            lambda connectome, first, second: connectome.loc[first],
            "This is a whole row: the first region with every other. Give `.loc` a second name, after a comma.",
        ),
        "column": Wrong(
            lambda connectome, first, second: connectome[second],
            "This is a whole column (or row): the second region with every other. An edge has two names.",
        ),
        "two_rows": Wrong(
            lambda connectome, first, second: connectome.loc[[first, second]],
            "Names in inner brackets are rows, so these are two whole rows. The second name belongs after a comma.",
        ),
        "table_of_one": Wrong(
            lambda connectome, first, second: connectome.loc[[first], [second]],
            "The right cell, but inner brackets make a table of it. Without them you get the number.",
        ),
        "diagonal": Wrong(
            lambda connectome, first, second: connectome.loc[first, first],
            "This is on the diagonal: a region with itself. You need two different names.",
        ),
    },
    known_case=KnownCase(
        {
            "connectome": pd.DataFrame([[1, 0.2, -0.3], [0.2, 1, 0.4], [-0.3, 0.4, 1]], list("abc"), list("abc")),
            "first": "a",
            "second": "c",
        },
        -0.3,
    ),
    why="A name keeps pointing at its region when the atlas, the order or the list of lost regions changes. "
    "A position does not.",
    example_inputs=lambda: {
        "connectome": _example_connectome(),
        "first": "frontal",
        "second": "angular right",
    },
)


# ---- count the edges


def count_pairs(n_regions):
    """Each region pairs with all others; that counts every pair twice."""
    return n_regions * (n_regions - 1) // 2


def _nothing_returned(n_regions):
    _ = count_pairs(n_regions)  # computed, perhaps printed, and lost


def _same_for_all(n_regions):
    return count_pairs(int((fetch_course_networks().lut["index"] != 0).sum()))


count_edges = Exercise(
    title="Count the edges",
    solve=count_pairs,
    compare=Number(unit="edges", whole=True),
    hints=[
        "Draw the matrix for 4 regions and count the cells above the diagonal.",
        "Each of n regions pairs with n - 1 others. How often does this count the pair (A, B)?",
    ],
    wrong={
        "all_cells": Wrong(
            lambda n_regions: n_regions**2,
            "This counts every cell of the matrix: each pair twice, and the diagonal too.",
        ),
        "ordered_pairs": Wrong(
            lambda n_regions: n_regions * (n_regions - 1),
            "The diagonal is left out, but each pair is still counted twice: (A, B) and (B, A) are one edge.",
        ),
        "with_diagonal": Wrong(
            lambda n_regions: n_regions * (n_regions + 1) // 2,
            "Each pair is counted once, but the diagonal is counted too. A region has no edge with itself.",
        ),
        "nothing_returned": Wrong(
            _nothing_returned,
            "Your function gives back None. What it computes or prints is lost at its end: `return` hands it over.",
        ),
        "same_for_all": Wrong(
            _same_for_all,
            "Your function gives the number of this atlas, whatever it is asked. Compute it from `n_regions`, not from "
            "`connectome`.",
        ),
        "not_whole": Wrong(
            lambda n_regions: n_regions**2 / 2,
            "This is half of all cells. Half of the diagonal is still in it: leave the diagonal out before you halve.",
        ),
        "neighbours": Wrong(
            lambda n_regions: n_regions - 1,
            "This is how many edges one region has. Count those of all regions.",
        ),
    },
    known_case=KnownCase({"n_regions": 4}, 6),
    why="The number grows with the square of the number of regions: 64 regions have 2,016 edges, and each is one more "
    "chance to find something that is not there.",
    example_inputs=lambda: {"n_regions": 64},
    answer_is_function=True,
)


# ---- average in z, not in r


def average_in_z(default_edges):
    """To z, average, and back to r."""
    return np.tanh(np.arctanh(default_edges).mean())


mean_edge = Exercise(
    title="Average in z, not in r",
    solve=average_in_z,
    compare=Number(rtol=0, atol=5.1e-3, unit="Pearson r", between=(-1, 1)),  # two decimals are enough
    hints=[
        "Three steps: r to z, the mean, z back to r.",
        "`np.arctanh` goes from r to z. Its inverse is `np.tanh`.",
    ],
    wrong={
        # to two decimals the median of r may equal the mean of r, so one message serves both
        "mean_of_r": Wrong(
            lambda default_edges: default_edges.mean(),
            "This is an average of the r values themselves. Here we ask for their mean in z, brought back to r.",
        ),
        "not_averaged": Wrong(
            lambda default_edges: np.arctanh(default_edges),
            "These are all edges in z, one by one. Their mean is still to be taken, and to be brought back to r.",
        ),
        "there_and_back": Wrong(
            lambda default_edges: np.tanh(np.arctanh(default_edges)),
            "From z you went back to r at once, so these are the edges themselves again. Take the mean in between.",
        ),
        "left_in_z": Wrong(
            lambda default_edges: np.arctanh(default_edges).mean(),
            "This is the mean z. Bring it back to r.",
        ),
        "other_way_round": Wrong(
            lambda default_edges: np.arctanh(np.tanh(default_edges).mean()),
            "tanh and arctanh have changed places: arctanh goes from r to z, tanh comes back.",
        ),
    },
    # arctanh(0.6) is half of ln 4, which is ln 2; half of ln 2 comes back as (2 - 1) / (2 + 1)
    known_case=KnownCase({"default_edges": pd.Series([0.6, 0.0])}, 1 / 3),
    why="Of several estimates of one correlation, the mean of r lies a little too near 0, the mean in z a little too "
    "far from it. Over edges that truly differ they are different summaries: choose z, say so, and use it everywhere.",
    example_inputs=lambda: {"default_edges": pd.Series([0.9, 0.4, 0.3, -0.2, 0.7])},
)


# ---- find the off-by-one


def find_regions_read(lut, wanted):
    """Column number is label number, so label - 1 reads the label before."""
    label_of = lut.set_index("name")["index"]
    name_of = lut.set_index("index")["name"]
    return [name_of[label_of[name] - 1] for name in wanted]


def _regions_after(lut, wanted):
    label_of, name_of = lut.set_index("name")["index"], lut.set_index("index")["name"]
    return [name_of[label_of[name] + 1] for name in wanted]


def _labels_read(lut, wanted):
    label_of = lut.set_index("name")["index"]
    return [int(label_of[name]) - 1 for name in wanted]


def _regions_two_before(lut, wanted):
    names = lut[lut["index"] != 0]["name"].to_list()
    return [names[names.index(name) - 2] for name in wanted]


def _names_as_table(lut, wanted):
    return lut.set_index("index").loc[_labels_read(lut, wanted), ["name"]]


def _rows_of_the_table(lut, wanted):
    return lut[lut["index"].isin(_labels_read(lut, wanted))]


def _one_region(lut, wanted):
    return find_regions_read(lut, wanted)[0]


off_by_one = Exercise(
    title="Find the off-by-one",
    solve=find_regions_read,
    compare=Names(what="regions"),
    hints=[
        "In `filled`, what is in column 0? And in column 1?",
        "Column 0 stays empty, so column 5 holds label 5. Which column does `label - 1` read?",
        "`atlas.lut` has a row for each label, with its number in `index` and its name in `name`.",
    ],
    wrong={
        "as_meant": Wrong(
            lambda lut, wanted: list(wanted),
            "These are the regions that the authors meant. Which ones did their code read?",
        ),
        "one_after": Wrong(
            _regions_after,
            "These lie on the other side: `label - 1` goes towards smaller numbers.",
        ),
        "two_before": Wrong(
            _regions_two_before,
            "One too far. Column 0 belongs to the background, so column number and label number agree.",
        ),
        "table": Wrong(
            _names_as_table,
            "The names are in this table, in a column. Take the column (without `to_frame()` or inner brackets).",
        ),
        "rows": Wrong(_rows_of_the_table, "These are the right rows of the atlas. Take their names."),
        "one_region": Wrong(_one_region, "This is one of the two: `matrix` was read at a row and at a column."),
        "numbers": Wrong(
            _labels_read,
            "These are numbers of labels, and they are the ones that were read. Which regions have them?",
        ),
    },
    known_case=KnownCase(
        {
            "lut": pd.DataFrame({"index": [0, 1, 2, 3, 4], "name": ["Background", "a", "b", "c", "d"]}),
            "wanted": ("d", "b"),
        },
        ["c", "a"],
    ),
    why="Nothing failed: the code ran, and the number looked like a correlation. With names there is nothing to count, "
    "so nothing to miscount.",
    example_inputs=lambda: {
        "lut": pd.DataFrame({"index": range(7), "name": ["Background", "a", "b", "c", "d", "e", "f"]}),
        "wanted": ["c", "e"],
    },
)


# ---- seed map


def correlate_with_seed(voxels, places, seed_place):
    """Average the voxels near the seed, then correlate that with every voxel."""
    near = np.linalg.norm(places - np.array(seed_place), axis=1) <= 8  # mm
    seed = voxels[:, near].mean(axis=1)
    covariance = (seed - seed.mean()) @ voxels / len(seed)
    return covariance / (seed.std() * voxels.std(axis=0))


def _correlate(seed, voxels):
    return (seed - seed.mean()) @ voxels / len(seed) / (seed.std() * voxels.std(axis=0))


def _mirrored_seed(voxels, places, seed_place):
    return correlate_with_seed(voxels, places, np.array(seed_place) * [-1, 1, 1])


def _single_voxel_seed(voxels, places, seed_place):
    nearest = np.linalg.norm(places - np.array(seed_place), axis=1).argmin()
    return _correlate(voxels[:, nearest], voxels)


def _covariance_with_seed(voxels, places, seed_place):
    near = np.linalg.norm(places - np.array(seed_place), axis=1) <= 8
    seed = voxels[:, near].mean(axis=1)
    return (seed - seed.mean()) @ voxels / len(seed)


def _wide_seed(voxels, places, seed_place):
    near = np.linalg.norm(places - np.array(seed_place), axis=1) <= 16
    return _correlate(voxels[:, near].mean(axis=1), voxels)


def _seed_of_the_text(voxels, places, seed_place):
    return correlate_with_seed(voxels, places, (8, -52, 26))


def _seed_signal(voxels, places, seed_place):
    near = np.linalg.norm(places - np.array(seed_place), axis=1) <= 8
    return voxels[:, near].mean(axis=1)


def _near_only(voxels, places, seed_place):
    near = np.linalg.norm(places - np.array(seed_place), axis=1) <= 8
    return correlate_with_seed(voxels, places, seed_place)[near]


def _volumes_correlated(voxels, places, seed_place):
    return np.corrcoef(voxels)


def _example_voxels():
    """Make 30 volumes of voxels 4 mm apart on both sides of the midline, some of them near the seed of the text."""
    rng = np.random.default_rng(5)
    grid = np.meshgrid(np.arange(-20, 21, 4.0), [-56.0, -52.0, -48.0], [22.0, 26.0], indexing="ij")
    places = np.stack(grid, axis=-1).reshape(-1, 3)
    voxels = rng.normal(size=(30, len(places))) * rng.uniform(1, 3, len(places)) + rng.normal(size=(30, 1))
    return {"voxels": voxels, "places": places, "seed_place": (-16, -52, 26)}


seed_map = Exercise(
    title="A seed map of your own",
    solve=correlate_with_seed,
    compare=Array(axes=("voxels",), rtol=1e-3, atol=2e-3, unit="Pearson r", between=(-1, 1)),
    hints=[
        "The cells above do all of it for another place. What has to change?",
        "Which voxels are near: `np.linalg.norm(places - seed_place, axis=1) <= 8`. "
        "The seed is the mean of these columns of `voxels`.",
        "The covariance of the seed with all voxels is one matrix product. Divide it by both standard deviations.",
    ],
    wrong={
        "mirrored": Wrong(_mirrored_seed, "This seed is on the other side of the brain. Left is where x is negative."),
        "single_voxel": Wrong(
            _single_voxel_seed,
            "This seed is one voxel. Average all voxels within 8 mm, so that the noise of each counts less.",
        ),
        "covariance": Wrong(
            _covariance_with_seed,
            "These are covariances: voxels that change much have large values. Divide by both standard deviations.",
        ),
        "wide": Wrong(_wide_seed, "This seed has a radius of 16 mm. Here 8 mm is the radius, not the half of it."),
        "seed_of_the_text": Wrong(
            _seed_of_the_text,
            "This is the map of the seed in the posterior cingulate cortex. Move the seed to the new place.",
        ),
        "seed_signal": Wrong(
            _seed_signal, "This is the signal of the seed, one value a volume. Correlate every voxel with it."
        ),
        "near_only": Wrong(
            _near_only, "This map has only the voxels of the seed itself. Correlate it with all columns of `voxels`."
        ),
        "volumes": Wrong(
            _volumes_correlated,
            "Volumes were correlated with volumes. In `voxels` a row is a volume and a column is a voxel.",
        ),
        "fisher_z": Wrong(
            lambda voxels, places, seed_place: np.arctanh(
                np.clip(correlate_with_seed(voxels, places, seed_place), -0.999999, 0.999999)
            ),
            "These are Fisher's z values. Here we ask for r.",
        ),
    },
    # the seed holds the voxels at 0 and 6 mm, both -1 0 1; at 30 mm it is 1 -2 1, so r = 0; at 40 mm it falls
    known_case=KnownCase(
        {
            "voxels": np.array([[-1.0, -1.0, 1.0, 5.0], [0.0, 0.0, -2.0, 3.0], [1.0, 1.0, 1.0, 1.0]]),
            "places": np.array([[0.0, 0, 0], [6, 0, 0], [30, 0, 0], [40, 0, 0]]),
            "seed_place": (2, 0, 0),
        },
        np.array([1.0, 1.0, 0.0, -1.0]),
    ),
    why="A seed in the hand area of one side finds the hand area of the other. With this observation, in 1995, the "
    "study of functional connectivity at rest began.",
    example_inputs=_example_voxels,
)
