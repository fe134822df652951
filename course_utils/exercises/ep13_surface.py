"""Exercises of episode 13: on the cortical surface."""

import numpy as np
import pandas as pd
from nilearn.datasets import load_fsaverage
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage

from course_utils.exercises._compare import Mapping, Number, Text
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong

FACES = np.array([[0, 1, 2], [0, 2, 3]])
SMALL_LUT = pd.DataFrame(
    {
        "index": [0, 1, 2, 4, 5],
        "name": ["Background", "LH_Motor", "RH_Motor", "LH_Visual", "RH_Visual"],
        "network": [None, "Motor", "Motor", "Visual", "Visual"],
        "hemisphere": [None, "L", "R", "L", "R"],
    }
)


def _small_mesh():
    """Make two sheets of four vertices, 40 mm left and right of the midline."""
    square = np.array([[0.0, 0, 0], [0, 10, 0], [0, 10, 10], [0, 0, 10]])
    away = np.array([40.0, 0, 0])
    return PolyMesh(left=InMemoryMesh(square - away, FACES), right=InMemoryMesh(square + away, FACES))


def _small_map(left, right):
    """Put four values on each of the two sheets."""
    return SurfaceImage(_small_mesh(), {"left": np.array(left), "right": np.array(right)})


# ---- a value at a place


def read_at_place(stat_map, mesh, place):
    """Find the vertex nearest to the place, on its own side."""
    side = "left" if place[0] < 0 else "right"
    away = np.linalg.norm(mesh.parts[side].coordinates - np.array(place), axis=1)
    return stat_map.data.parts[side][away.argmin()]


def _vertex_number(stat_map, mesh, place):
    side = "left" if place[0] < 0 else "right"
    return int(np.linalg.norm(mesh.parts[side].coordinates - np.array(place), axis=1).argmin())


def _other_side(stat_map, mesh, place):
    side = "right" if place[0] < 0 else "left"
    away = np.linalg.norm(mesh.parts[side].coordinates - np.array(place), axis=1)
    return stat_map.data.parts[side][away.argmin()]


def _number_on_other_side(stat_map, mesh, place):
    other = "right" if place[0] < 0 else "left"
    return stat_map.data.parts[other][_vertex_number(stat_map, mesh, place)]


def _farthest(stat_map, mesh, place):
    side = "left" if place[0] < 0 else "right"
    away = np.linalg.norm(mesh.parts[side].coordinates - np.array(place), axis=1)
    return stat_map.data.parts[side][away.argmax()]


def _distance(stat_map, mesh, place):
    side = "left" if place[0] < 0 else "right"
    return np.linalg.norm(mesh.parts[side].coordinates - np.array(place), axis=1).min()


def _on_inflated(stat_map, mesh, place):
    return read_at_place(stat_map, load_fsaverage().inflated, place)


def _largest(stat_map, mesh, place):
    return max(np.nanmax(values) for values in stat_map.data.parts.values())


def _example_map():
    """Put noise on fsaverage5, the mesh of the episode."""
    fsaverage, rng = load_fsaverage(), np.random.default_rng(13)
    data = {side: rng.uniform(-0.5, 0.5, mesh.n_vertices) for side, mesh in fsaverage.pial.parts.items()}
    return {"stat_map": SurfaceImage(fsaverage.pial, data), "mesh": fsaverage.pial, "place": (-46, -66, 32)}


value_at_place = Exercise(
    title="The value at a place",
    solve=read_at_place,
    compare=Number(rtol=0, atol=5.1e-3, unit="Pearson r", between=(-1, 1)),
    hints=[
        "A vertex is a row of `coordinates`. Which row is nearest to the place?",
        "`np.linalg.norm(coordinates - place, axis=1)` gives the distance of each vertex in mm; `.argmin()` the row.",
        "`mesh.parts['left'].coordinates` are the places, `stat_map.data.parts['left']` the values, in the same order.",
    ],
    wrong={
        "vertex_number": Wrong(
            _vertex_number, "This is the number of the vertex. Take the value that the map has at this number."
        ),
        "other_side": Wrong(_other_side, "This vertex is in the other hemisphere. Left is where x is negative."),
        "number_on_other_side": Wrong(
            _number_on_other_side,
            "The right vertex, but its value was read from the other hemisphere. Both count their vertices from 0.",
        ),
        "farthest": Wrong(_farthest, "This vertex is the farthest from the place. `argmin` finds the nearest."),
        "distance": Wrong(_distance, "This is how far the nearest vertex is, in mm. Read the map at this vertex."),
        "inflated": Wrong(
            _on_inflated,
            "This vertex was looked for on the inflated mesh. There, coordinates are no places in the brain.",
        ),
        "largest": Wrong(_largest, "This is the largest value of the whole map. Here we ask for one place."),
    },
    # (-41, 1, 9) is nearest to the last vertex of the left sheet, (-40, 0, 10)
    known_case=KnownCase(
        lambda: {
            "stat_map": _small_map([0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]),
            "mesh": _small_mesh(),
            "place": (-41, 1, 9),
        },
        0.4,
    ),
    why="A map, a label and a signal on one mesh share the numbers of the vertices. So a place that was found once, on "
    "the mesh that has places, can be read from all of them.",
    example_inputs=_example_map,
)


# ---- which interpolation


def choose_interpolations():
    """Measured values may be averaged; names that are written as numbers may not."""
    return {
        "seed map": "linear",
        "run": "linear",
        "atlas": "nearest_most_frequent",
        "cluster numbers": "nearest_most_frequent",
    }


def _all_linear():
    return dict.fromkeys(choose_interpolations(), "linear")


def _all_frequent():
    return dict.fromkeys(choose_interpolations(), "nearest_most_frequent")


def _clusters_linear():
    return {**choose_interpolations(), "cluster numbers": "linear"}


def _run_frequent():
    return {**choose_interpolations(), "run": "nearest_most_frequent"}


def _atlas_linear():
    return {**choose_interpolations(), "atlas": "linear"}


def _map_frequent():
    return {**choose_interpolations(), "seed map": "nearest_most_frequent"}


def _all_swapped():
    other = {"linear": "nearest_most_frequent", "nearest_most_frequent": "linear"}
    return {image: other[kind] for image, kind in choose_interpolations().items()}


interpolations = Exercise(
    title="Which interpolation?",
    solve=choose_interpolations,
    compare=Mapping(values=Text(options=("linear", "nearest_most_frequent"))),
    hints=[
        "Take two neighbouring voxels, 3 and 7. Does 5 mean something between them?",
        "Where the numbers only name something, take one of them. Where they measure something, average them.",
    ],
    wrong={
        "all_linear": Wrong(
            _all_linear, "All linear: between region 3 and region 7 this finds region 5, which lies elsewhere."
        ),
        "all_frequent": Wrong(
            _all_frequent,
            "All by the most frequent value: for measured values, nearly every sample is a value of its own, so "
            "one is picked and the others are thrown away.",
        ),
        "clusters_linear": Wrong(
            _clusters_linear,
            "The number of a cluster is a name: between cluster 1 and cluster 3 there is no cluster 2.",
        ),
        "atlas_linear": Wrong(
            _atlas_linear, "The numbers of an atlas are names of regions: the mean of two names is a third name."
        ),
        "map_frequent": Wrong(
            _map_frequent,
            "A seed map is measured: its values may be averaged, and should be, since that lessens noise.",
        ),
        "run_frequent": Wrong(
            _run_frequent, "A run is measured, volume by volume. That it has a fourth axis changes nothing."
        ),
        "all_swapped": Wrong(_all_swapped, "These are the wrong way round. What do the numbers of an atlas measure?"),
    },
    known_case=KnownCase(
        {},
        {
            "seed map": "linear",
            "run": "linear",
            "atlas": "nearest_most_frequent",
            "cluster numbers": "nearest_most_frequent",
        },
    ),
    why="No call fails if you choose wrongly: the numbers come out, and so do the pictures.",
)


# ---- vertices of a region


def count_vertices(labels_surf, lut, name):
    """Look up the label by its name, then count it in both hemispheres."""
    label = lut.set_index("name").loc[name, "index"]
    return sum(int((values == label).sum()) for values in labels_surf.data.parts.values())


def _one_side(side):
    def count(labels_surf, lut, name):
        label = lut.set_index("name").loc[name, "index"]
        return int((labels_surf.data.parts[side] == label).sum())

    return count


def _counted_with(choose):
    """Count the vertices whose labels a function chooses."""

    def count(labels_surf, lut, name):
        labels = choose(lut, name)
        return sum(int(np.isin(values, labels).sum()) for values in labels_surf.data.parts.values())

    return count


def _row_of_region(lut, name):
    return [lut["name"].to_list().index(name) - 1]


def _labels_of_network(lut, name):
    network = lut.set_index("name").loc[name, "network"]
    return lut.loc[lut["network"] == network, "index"].to_list()


def _labels_of_all(lut, name):
    return lut.loc[lut["index"] != 0, "index"].to_list()


def _labels_added_up(labels_surf, lut, name):
    label = lut.set_index("name").loc[name, "index"]
    return int(label) * count_vertices(labels_surf, lut, name)


def _share(labels_surf, lut, name):
    return count_vertices(labels_surf, lut, name) / labels_surf.shape[0]


def _example_labels():
    """Label 40 vertices, some of the right regions just across the midline."""
    mesh = PolyMesh(**dict.fromkeys(("left", "right"), InMemoryMesh(np.eye(20, 3), FACES)))
    data = {"left": np.repeat([0, 1, 2, 4, 5], [4, 6, 1, 7, 2]), "right": np.repeat([0, 1, 2, 4, 5], [2, 3, 6, 1, 8])}
    return {"labels_surf": SurfaceImage(mesh, data), "lut": SMALL_LUT}


region_size = Exercise(
    title="Vertices of a region",
    solve=count_vertices,
    compare=Number(unit="vertices", whole=True, between=(0, 20484)),
    hints=[
        "First the label: which row of `lut` has this name?",
        "`labels_surf.data.parts` holds an array of labels for each hemisphere. Compare both with the label, add up.",
    ],
    wrong={
        "left_only": Wrong(_one_side("left"), "These are the vertices in the left hemisphere only. Count both."),
        "right_only": Wrong(
            _one_side("right"),
            "These are the vertices in the right hemisphere only. At the midline a region may reach the other mesh.",
        ),
        "label_before": Wrong(
            _counted_with(_row_of_region),
            "These vertices have another label. Ask the table for the number of the name.",
        ),
        "network": Wrong(
            _counted_with(_labels_of_network), "These are the vertices of all regions of its network. Here: one region."
        ),
        "all_labelled": Wrong(
            _counted_with(_labels_of_all), "These are the vertices of all regions together: is anything but 0 counted?"
        ),
        "added_up": Wrong(
            _labels_added_up, "Here the labels themselves were added up. Count them: compare first, then sum."
        ),
        "label": Wrong(
            lambda labels_surf, lut, name: int(lut.set_index("name").loc[name, "index"]),
            "This is the label of the region. Count the vertices that have it.",
        ),
        "share": Wrong(_share, "This is a share of all vertices. Here we ask for their number."),
    },
    # label 5: two on the left, one on the right
    known_case=KnownCase(
        lambda: {"labels_surf": _small_map([0, 1, 5, 5], [5, 2, 2, 0]), "lut": SMALL_LUT, "name": "RH_Visual"}, 3
    ),
    why="Vertices lie closer together in some places than in others. For a size in mm2, add up areas, not vertices.",
    example_inputs=lambda: {**_example_labels(), "name": "RH_Visual"},
)


# ---- left data on the right mesh


def share_on_wrong_side(labels_surf, lut):
    """Compare the side of each labelled vertex with the side of its region."""
    side_of = lut.set_index("index")["hemisphere"]  # L or R
    wrong = []
    for side, labels in labels_surf.data.parts.items():
        labelled = labels[labels != 0]
        wrong.append(side_of.loc[labelled].to_numpy() != side[0].upper())
    return np.concatenate(wrong).mean()


def _wrong_by_side(labels_surf, lut):
    side_of = lut.set_index("index")["hemisphere"]
    return {
        side: side_of.loc[labels[labels != 0]].to_numpy() != side[0].upper()
        for side, labels in labels_surf.data.parts.items()
    }


def _of_all_vertices(labels_surf, lut):
    return sum(wrong.sum() for wrong in _wrong_by_side(labels_surf, lut).values()) / labels_surf.shape[0]


def _background_is_wrong(labels_surf, lut):
    n_right = sum((~wrong).sum() for wrong in _wrong_by_side(labels_surf, lut).values())
    return 1 - n_right / labels_surf.shape[0]


def _left_share(labels_surf, lut):
    return _wrong_by_side(labels_surf, lut)["left"].mean()


def _mean_of_shares(labels_surf, lut):
    return np.mean([wrong.mean() for wrong in _wrong_by_side(labels_surf, lut).values()])


def _number_wrong(labels_surf, lut):
    return sum(int(wrong.sum()) for wrong in _wrong_by_side(labels_surf, lut).values())


def _share_on_right_side(labels_surf, lut):
    return 1 - share_on_wrong_side(labels_surf, lut)


wrong_side = Exercise(
    title="Left data on the right mesh",
    solve=share_on_wrong_side,
    compare=Number(rtol=1e-6, atol=1e-9, unit="share of the labelled vertices", between=(0, 1)),
    hints=[
        "For the left mesh: take the labels that are not 0. What does the column `hemisphere` say of each?",
        "`lut.set_index('index')['hemisphere'].loc[labels]` gives L or R for an array of labels.",
        "Put both hemispheres together before you take the mean, so that each vertex counts once.",
    ],
    wrong={
        "of_all_vertices": Wrong(
            _of_all_vertices,
            "You divide by all vertices. Background has no side: leave it out of the count below, too.",
        ),
        "background_is_wrong": Wrong(
            _background_is_wrong, "Background counts as wrong here. It belongs to no hemisphere: leave label 0 out."
        ),
        "left_share": Wrong(_left_share, "This is the share in the left hemisphere only. Put both together."),
        "mean_of_shares": Wrong(
            _mean_of_shares,
            "This is the mean of two shares. If one hemisphere has more labelled vertices, its vertices count less.",
        ),
        "number_wrong": Wrong(_number_wrong, "This is a number of vertices. Divide it by how many are labelled."),
        "percent": Wrong(
            lambda labels_surf, lut: 100 * share_on_wrong_side(labels_surf, lut),
            "These are percent. Asked for is a share, from 0 to 1.",
        ),
        "right_side": Wrong(_share_on_right_side, "This is the share on the right side, where all is well."),
    },
    # left: of three labelled vertices one is R; right: of two labelled one is L
    known_case=KnownCase(lambda: {"labels_surf": _small_map([0, 1, 4, 5], [0, 0, 1, 2]), "lut": SMALL_LUT}, 2 / 5),
    why="Both meshes have the same number of vertices, so nothing fails when they are mixed up. A check that knows "
    "which answer is impossible takes a line, and finds it.",
    example_inputs=_example_labels,
    answer_is_function=True,
)


# ---- what smoothing does


def judge_smoothing():
    """C: along the sheet no bank is mixed with the opposite one, but what a voxel has mixed stays mixed."""
    return "C"


smoothing = Choice(
    title="What smoothing on the surface does",
    solve=judge_smoothing,
    options={
        "A": "At the same FWHM, smoothing on the surface is weaker than smoothing in the volume, because it averages "
        "fewer values.",
        "B": "After smoothing on the surface, a vertex holds nothing of the opposite bank of a sulcus.",
        "C": "Smoothing on the surface mixes no more across a sulcus, but it cannot undo what voxels have mixed.",
        "D": "Smoothing in the volume first and projecting then gives the same, because both steps are linear.",
    },
    reasons={
        "A": "How many values are averaged is not how wide the kernel is. (That nilearn's kernel came out narrower has "
        "another reason: how often it repeats.) What differs is which neighbours count.",
        "B": "A voxel that spans a narrow sulcus holds both banks already. No step that comes later can part them.",
        "D": "Both are linear, but they do not commute: the volume weighs neighbours by the straight line, the surface "
        "by the way along it.",
    },
    hints=[
        "What was measured before anything was projected?",
        "How wide is a voxel of this run, and how far apart are the two banks in our example?",
    ],
    why="That is why people who work on surfaces also scan with small voxels, and do not smooth before they project.",
)
