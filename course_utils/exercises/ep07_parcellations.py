"""Exercises of episode 07: parcellations."""

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nilearn import image, maskers

from course_utils.exercises._compare import Image, Mapping, Names, Table, Text
from course_utils.exercises._engine import Exercise, KnownCase, Wrong
from course_utils.exercises._small_atlas import row, small_atlas, small_image, small_losses, small_run, table

# ---- labels on the grid of the run


def resample_labels(labels_img, target_img):
    """Give each voxel of the run the label of the atlas's voxel that is nearest to it."""
    return image.resample_to_img(labels_img, target_img, interpolation="nearest")


def _resampled(interpolation):
    """Make a wrong solution: another interpolation."""
    return lambda labels_img, target_img: image.resample_to_img(labels_img, target_img, interpolation=interpolation)


labels_on_grid = Exercise(
    title="Labels on the grid of the run",
    solve=resample_labels,
    compare=Image(),
    hints=[
        "`image.resample_to_img` wants the image that is to change first, and the image whose grid is taken second.",
        "Leave `interpolation` out and you get a smooth curve through the labels. Which one makes no new values?",
    ],
    wrong={
        "linear": Wrong(
            _resampled("linear"),
            "These are means of neighbouring labels. The mean of labels 4 and 8 is 6, and that is another region.",
        ),
        "continuous": Wrong(
            _resampled("continuous"),
            'These are values of a smooth curve through the labels: "continuous", which is also what you get if you '
            "leave `interpolation` out. It makes fractions, and even numbers below 0.",
        ),
        "other_way_round": Wrong(
            lambda labels_img, target_img: resample_labels(target_img, labels_img),
            "This is the run on the grid of the atlas. The atlas should come to the run.",
        ),
        "affine_replaced": Wrong(
            lambda labels_img, target_img: nib.Nifti1Image(np.asarray(labels_img.dataobj), target_img.affine),
            "Only the affine was replaced: the same voxels now claim to lie elsewhere.",
        ),
    },
    # voxel centres: the atlas's at 0, 2, 4, 6 mm, the run's at 0.5, 2.9 and 5.3 mm
    known_case=KnownCase(
        {
            "labels_img": row([3, 3, 7, 7], origin=(0.0, 0.0, 0.0)),
            "target_img": row(np.zeros(3, np.float32), zooms=(2.4, 2.0, 2.0), origin=(0.5, 0.0, 0.0)),
        },
        row([3, 3, 7], zooms=(2.4, 2.0, 2.0), origin=(0.5, 0.0, 0.0)),
    ),
    why="Bring the atlas to the run, not the run to the atlas: the data stay as they are, and it costs much less.",
    example_inputs=lambda: {
        "labels_img": small_atlas()["labels_img"],
        "target_img": small_image(np.ones((4, 4, 4), np.float32), zooms=(3, 3, 4), origin=(-7.2, -5.2, 2.8)),
    },
)


# ---- which region holds a place?


def find_regions_near(labels_img, lut, xyz):
    """Measure how far the centre of each labelled voxel is; keep the labels within 3 mm, and look up their names."""
    labels = np.asarray(labels_img.dataobj)
    voxels = np.argwhere(labels)
    mm = np.linalg.norm(apply_affine(labels_img.affine, voxels) - np.array(xyz), axis=1)
    near = np.unique(labels[tuple(voxels[mm <= 3].T)])
    return lut.loc[lut["index"].isin(near), "name"].to_list()


def _voxel_itself(labels_img, lut, xyz):
    voxel = np.rint(apply_affine(np.linalg.inv(labels_img.affine), xyz)).astype(int)
    return lut.loc[lut["index"] == int(labels_img.dataobj[tuple(voxel)]), "name"].to_list()


def _nearest_alone(labels_img, lut, xyz):
    labels = np.asarray(labels_img.dataobj)
    voxels = np.argwhere(labels)
    mm = np.linalg.norm(apply_affine(labels_img.affine, voxels) - np.array(xyz), axis=1)
    return lut.loc[lut["index"] == labels[tuple(voxels[mm.argmin()])], "name"].to_list()


def _without_affine(labels_img):
    return nib.Nifti1Image(np.asarray(labels_img.dataobj), np.eye(4))


region_at = Exercise(
    title="Which region holds (0, -52, 26)?",
    solve=find_regions_near,
    compare=Names(what="names of regions"),
    hints=[
        "`np.argwhere(labels)` lists the indices of all voxels that have a label. `apply_affine` turns them into mm.",
        "The distance of each to the place: `np.linalg.norm(places - np.array(xyz), axis=1)`. Which are 3 or less?",
        "`labels[tuple(voxels[near].T)]` are the labels of the voxels that you keep. Their names stand in `lut`.",
    ],
    wrong={
        "voxel_itself": Wrong(
            _voxel_itself,
            "This is what the voxel at the place holds. Asked for is every region that comes within 3 mm of it.",
        ),
        "nearest_alone": Wrong(
            _nearest_alone,
            "This is one region, from the nearest voxel or the first of several that are equally near. It is not the "
            "only one within 3 mm.",
        ),
        "mm_for_indices": Wrong(
            lambda labels_img, lut, xyz: find_regions_near(_without_affine(labels_img), lut, xyz),
            "The coordinate was compared with indices of voxels. Turn the indices into mm first, with the affine.",
        ),
        "three_voxels": Wrong(
            lambda labels_img, lut, xyz: find_regions_near(
                _without_affine(labels_img), lut, apply_affine(np.linalg.inv(labels_img.affine), xyz)
            ),
            "This is a radius of 3 voxels. Measure in mm: a voxel of this atlas is not 1 mm wide.",
        ),
    },
    # centres at x = 1, 4, 7, 10 mm; from 5.5: 4.5, 1.5, 1.5 and 4.5 mm
    known_case=KnownCase(
        {
            "labels_img": row([5, 5, 8, 9], zooms=(3.0, 1.0, 1.0), origin=(1.0, 0.0, 0.0)),
            "lut": table(["left part", "right part", "far part"], [5, 8, 9]),
            "xyz": (5.5, 0, 0),
        },
        ["left part", "right part"],
    ),
    why="The place lies in the gap between the two hemispheres. A tool that gives one name there has chosen for you.",
    example_inputs=lambda: {**small_atlas(), "xyz": (0, -2, 8)},
)


# ---- one region as a mask


def mask_region(labels_img, lut, name):
    """Look up the label of the region, and ask each voxel whether it has it."""
    label = lut.set_index("name").loc[name, "index"]
    return image.math_img(f"labels == {label}", labels=labels_img)


def _masked(formula):
    """Make a wrong solution: another formula."""

    def mask(labels_img, lut, name):
        entry = lut.set_index("name").loc[name]
        network = lut.loc[lut["network"] == entry["network"], "index"].to_list()
        return image.math_img(formula.format(label=entry["index"], network=network), labels=labels_img)

    return mask


region_mask = Exercise(
    title="One region as a mask",
    solve=mask_region,
    compare=Image(),
    hints=[
        "First the label: in which row of `lut` does the name stand, and what does its column `index` say?",
        "`image.math_img` compares every voxel with a number. Put the label into the formula with an f-string.",
    ],
    wrong={
        "one_before": Wrong(
            _masked("labels == {label} - 1"), "This is the region before. Take the label from the table, do not count."
        ),
        "one_after": Wrong(
            _masked("labels == {label} + 1"), "This is the region after. Take the label from the table, do not count."
        ),
        "label_kept": Wrong(
            _masked("labels * (labels == {label})"),
            "The right voxels, but they hold the label. A mask holds 1 inside and 0 outside.",
        ),
        "from_there_on": Wrong(
            _masked("labels >= {label}"),
            "This takes every region whose label is as large or larger. Labels are names: larger has no meaning.",
        ),
        "whole_network": Wrong(
            _masked("np.isin(labels, {network})"),
            "This is the whole network that the region belongs to. Asked for is the region alone.",
        ),
    },
    known_case=KnownCase(
        {"labels_img": row([0, 12, 7, 12]), "lut": table(["a", "b"], [7, 12]), "name": "b"},
        row([0, 1, 0, 1]),
    ),
    why="With the mask you can do what you did with the brain mask: measure it, draw its outline, look inside.",
    example_inputs=lambda: {**small_atlas(), "name": "beta"},
)


# ---- how large is each region?


def measure_regions(labels_img, lut):
    """Count the voxels of each label; the volume of one voxel is the determinant of the affine's 3 x 3 part."""
    labels, counts = np.unique(labels_img.dataobj, return_counts=True)
    count_of = dict(zip(labels, counts, strict=True))
    regions = lut[lut["index"] != 0].set_index("name")["index"]
    voxels = regions.map(lambda label: count_of.get(label, 0))
    mm3 = voxels * abs(np.linalg.det(labels_img.affine[:3, :3]))
    return pd.DataFrame({"voxels": voxels, "mm3": mm3, "percent": 100 * voxels / voxels.sum()})


def _changed(column, change):
    """Make a wrong solution: one column of the right table, changed."""
    return lambda labels_img, lut: measure_regions(labels_img, lut).assign(
        **{column: lambda sizes: change(sizes, np.array(labels_img.header.get_zooms(), float), labels_img.shape)}
    )


def _with_background(labels_img, lut):
    moved = nib.Nifti1Image(np.asarray(labels_img.dataobj) + 1, labels_img.affine)
    return measure_regions(moved, lut.assign(index=lut["index"] + 1))


region_sizes = Exercise(
    title="How large is each region?",
    solve=measure_regions,
    compare=Table(rtol=1e-3, atol=6e-3),
    hints=[
        "`np.unique(labels_img.dataobj, return_counts=True)` gives every label, and how many voxels have it.",
        "The volume of one voxel is the product of its three sides. They are not equal here.",
        "Percent of what? Of all voxels that have a label: divide by the sum of your first column.",
    ],
    wrong={
        "with_background": Wrong(
            _with_background, "The background is counted as a region. Leave label 0 out before you compute percent."
        ),
        "percent_of_the_grid": Wrong(
            _changed("percent", lambda sizes, zooms, shape: 100 * sizes["voxels"] / np.prod(shape)),
            "The percent are those of the whole grid, air included. Asked for is percent of the labelled voxels.",
        ),
        "share": Wrong(
            _changed("percent", lambda sizes, zooms, shape: sizes["percent"] / 100),
            "The last column holds shares between 0 and 1. Asked for is percent.",
        ),
        "voxels_for_mm3": Wrong(
            _changed("mm3", lambda sizes, zooms, shape: sizes["voxels"]),
            "The volumes are numbers of voxels. Multiply by the volume of one voxel, in mm3.",
        ),
        "cube": Wrong(
            _changed("mm3", lambda sizes, zooms, shape: sizes["voxels"] * zooms[0] ** 3),
            "A voxel of this run is not a cube: its three sides are not equal. Multiply all three.",
        ),
    },
    # sides 3, 3, 4 mm: 36 mm3; 3 of 4 labelled voxels are 75 %
    known_case=KnownCase(
        {
            "labels_img": row([0, 2, 2, 5, 0, 2], zooms=(3.0, 3.0, 4.0)),
            "lut": table(["a", "b", "c"], [2, 5, 6]),
        },
        pd.DataFrame({"voxels": [3, 1, 0], "mm3": [108.0, 36, 0], "percent": [75.0, 25, 0]}, index=list("abc")),
    ),
    why="Regions differ in size by far. The mean of a large one stands on more voxels, and mixes more places.",
    example_inputs=lambda: small_atlas(zooms=(3.0, 3.0, 4.0)),
)


# ---- the signals of one person


def extract_signals(bold_img, labels_img, lut, mask_img):
    """Average each region inside the mask, standardise over time, and take the names from the masker."""
    masker = maskers.NiftiLabelsMasker(labels_img, lut=lut, mask_img=mask_img, standardize="zscore_sample")
    signals = masker.fit_transform(bold_img)
    return pd.DataFrame(signals, columns=list(masker.region_names_.values()))


def _change_signals(change, **options):
    """Make a wrong solution: the masker set in another way, or its table changed."""

    def extract(bold_img, labels_img, lut, mask_img):
        chosen = {"mask_img": mask_img, "standardize": "zscore_sample", **options}
        masker = maskers.NiftiLabelsMasker(labels_img, lut=lut, **chosen)
        signals = masker.fit_transform(bold_img)
        return change(pd.DataFrame(signals, columns=list(masker.region_names_.values())), lut["name"].to_list())

    return extract


def _voxels_first(bold_img, labels_img, lut, mask_img):
    data, inside = np.array(bold_img.dataobj, dtype=np.float32), np.asarray(labels_img.dataobj) > 0
    voxels = data[inside]
    voxels -= voxels.mean(axis=1, keepdims=True)
    data[inside] = voxels / voxels.std(axis=1, ddof=1, keepdims=True).clip(1e-9)
    scaled_img = nib.Nifti1Image(data, bold_img.affine)
    return _change_signals(lambda signals, names: signals, standardize=None)(scaled_img, labels_img, lut, mask_img)


region_signals = Exercise(
    title="The signals of one person",
    solve=extract_signals,
    compare=Table(rtol=1e-2, atol=1e-2, index=False),  # dividing by n where others divide by n - 1 is right too
    hints=[
        "`maskers.NiftiLabelsMasker` wants the labels, `lut`, `mask_img` and `standardize`. Then `fit_transform`.",
        "`masker.region_names_` is a dict from column to name, in the order of the columns.",
        'Or ask for a table: `masker.set_output(transform="pandas")` before `fit_transform`.',
    ],
    wrong={
        "not_standardised": Wrong(
            _change_signals(lambda signals, names: signals, standardize=None),
            "These are the means as they are, in the units of the image. Asked for is mean 0 and standard deviation 1.",
        ),
        "no_mask": Wrong(
            _change_signals(lambda signals, names: signals, mask_img=None),
            "Voxels outside of the brain mask are averaged too. Give the masker the mask of this run.",
        ),
        "names_shifted": Wrong(
            _change_signals(lambda signals, names: signals.set_axis(names[:-1], axis=1)),
            "The names are shifted by one: the list begins with the background, which has no column.",
        ),
        "transposed": Wrong(
            _change_signals(lambda signals, names: signals.T),
            "Rows and columns are exchanged. A row is a volume, a column is a region.",
        ),
        "over_regions": Wrong(
            _change_signals(
                lambda raw, names: raw.sub(raw.mean(axis=1), axis=0).div(raw.std(axis=1), axis=0), standardize=None
            ),
            "Each volume was standardised over the regions. Standardise each region over time.",
        ),
        "voxels_first": Wrong(
            _voxels_first,
            "Every voxel was standardised before the average, so one that hardly changes counts as much as one that "
            "changes a lot. Average first.",
        ),
    },
    # means of a: 2 2 5, so -1 -1 2 over a standard deviation of sqrt(3); of b: 9 7 5, so 2 0 -2 over 2
    known_case=KnownCase(
        lambda: {
            "bold_img": small_image(
                np.array([[1, 2, 3], [3, 2, 7], [9, 7, 5], [50, 0, 0]], np.float32).reshape(4, 1, 1, 3)
            ),
            "labels_img": row([4, 4, 6, 6]),
            "lut": table(["a", "b"], [4, 6]),
            "mask_img": row([1, 1, 1, 0]),
        },
        pd.DataFrame({"a": np.array([-1, -1, 2]) / np.sqrt(3), "b": np.array([1.0, 0.0, -1.0])}),
    ),
    why="From many megabytes to a small table that says what each of its columns is. A connectome begins with it.",
    example_inputs=small_run,
)


# ---- which labels were lost, and why?


def explain_losses(labels_img, on_grid_img, mask_img, lut):
    """Look for each label of the atlas on the grid, then inside of the mask."""
    on_grid = np.asarray(on_grid_img.dataobj)
    inside = on_grid[np.asarray(mask_img.dataobj) > 0]
    there = lut[lut["index"].isin(np.unique(labels_img.dataobj)) & (lut["index"] != 0)]
    reasons = {}
    for label, name in zip(there["index"], there["name"], strict=True):
        if label not in on_grid:
            reasons[name] = "grid"
        elif label not in inside:
            reasons[name] = "mask"
    return reasons


def _change_reasons(change):
    """Make a wrong solution: the right reasons, changed."""

    def explain(labels_img, on_grid_img, mask_img, lut):
        reasons = explain_losses(labels_img, on_grid_img, mask_img, lut)
        return change(reasons, labels_img, on_grid_img, mask_img, lut)

    return explain


def _by_size(reasons, labels_img, on_grid_img, mask_img, lut):
    labels, counts = np.unique(labels_img.dataobj, return_counts=True)
    own, theirs = (abs(np.linalg.det(img.affine[:3, :3])) for img in (labels_img, on_grid_img))
    small = lut.loc[lut["index"].isin(labels[counts * own < theirs]), "name"]
    return dict.fromkeys(small, "grid") | {name: why for name, why in reasons.items() if why == "mask"}


def _never_there(reasons, labels_img, on_grid_img, mask_img, lut):
    strangers = lut.loc[~lut["index"].isin(np.unique(labels_img.dataobj)), "name"]
    return reasons | dict.fromkeys(strangers, "grid")


def _cut(reasons, labels_img, on_grid_img, mask_img, lut):
    outside = np.asarray(on_grid_img.dataobj)[np.asarray(mask_img.dataobj) == 0]
    return dict.fromkeys(lut.loc[lut["index"].isin(outside) & (lut["index"] != 0), "name"], "mask") | reasons


lost_labels = Exercise(
    title="Which labels were lost, and why?",
    solve=explain_losses,
    compare=Mapping(values=Text(options=("grid", "mask")), show_keys=False),
    hints=[
        "Three lists of labels: in the atlas, on the grid of the run, and on that grid inside of the mask.",
        "`np.unique(on_grid[mask > 0])` lists the labels that have a voxel inside of the mask.",
        'In the atlas but not on the grid: "grid". On the grid but not inside of the mask: "mask".',
    ],
    wrong={
        "grid_alone": Wrong(
            _change_reasons(lambda reasons, *images: {n: why for n, why in reasons.items() if why == "grid"}),
            "These fell between the voxels, right. Others reached the grid and were lost to the mask after that.",
        ),
        "all_to_the_mask": Wrong(
            _change_reasons(lambda reasons, *images: dict.fromkeys(reasons, "mask")),
            "These are the right regions, but some were gone before any mask was applied.",
        ),
        "by_size": Wrong(
            _change_reasons(_by_size),
            "This takes the regions that are smaller than a voxel of the run. A larger one can be lost too, if no "
            "centre of a voxel lies in it: look which labels are there.",
        ),
        "never_there": Wrong(
            _change_reasons(_never_there),
            "Among these is a name that stands in the table only: no voxel of the atlas has its label, so it was not "
            "lost on the way.",
        ),
        "cut": Wrong(
            _change_reasons(_cut),
            "These include regions that the mask only cut. They still have voxels, so they still have a signal.",
        ),
    },
    # 7 is on the grid and inside; 8 is on the grid but outside of the mask; 9 never reaches the grid; 11 has no voxel
    known_case=KnownCase(
        {
            "labels_img": row([7, 7, 8, 8, 9, 0]),
            "on_grid_img": row([7, 8, 0], zooms=(4.0, 2.0, 2.0)),
            "mask_img": row([1, 0, 1], zooms=(4.0, 2.0, 2.0)),
            "lut": table(["kept", "cut off", "too thin", "no voxel"], [7, 8, 9, 11]),
        },
        {"cut off": "mask", "too thin": "grid"},
    ),
    why="A missing column moves all columns after it by one; names survive that. And readers may ask which "
    "regions you could not look at, and why.",
    example_inputs=small_losses,
)
