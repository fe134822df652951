"""Exercises of episode 05: functional data, the fourth dimension."""

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from nilearn import image, masking
from scipy.signal import detrend

from course_utils.exercises._compare import Array, Image, Mapping
from course_utils.exercises._engine import Exercise, KnownCase, Wrong
from course_utils.exercises._small_images import head_and_run, row_img
from course_utils.exercises._steps import Steps, slip


def _example(*names, **more):
    """Make a function that gives some images of an invented head, and other inputs."""
    return lambda: {name: head_and_run()[name] for name in names} | more


# ---- the 5th volume


def select_fifth_volume(bold_img):
    """Count from 0: the 5th volume has the index 4."""
    return bold_img.slicer[..., 4]


fifth_volume = Exercise(
    title="The 5th volume",
    solve=select_fifth_volume,
    compare=Image(),
    hints=[
        "Time is the last axis of the image. Which index has the first volume?",
        "Indices count from 0, so the 5th volume has the index before 5. `.slicer[..., index]` takes one volume.",
    ],
    wrong={
        "counts_from_one": Wrong(
            lambda bold_img: bold_img.slicer[..., 5], "This is the 6th volume: the first one has the index 0."
        ),
        "from_the_end": Wrong(
            lambda bold_img: bold_img.slicer[..., -5], "This is the 5th volume from the end: a minus counts backwards."
        ),
        "at_five_seconds": Wrong(
            lambda bold_img: bold_img.slicer[..., 2],
            "This is the 3rd volume. At a TR of 2 s it is under way 5 seconds after the start. Asked for is the 5th.",
        ),
        "a_range": Wrong(
            lambda bold_img: bold_img.slicer[..., 4:5],
            "The right volume, as a run of one volume: a range such as 4:5 keeps the axis of time, an index drops it.",
        ),
        "a_slice": Wrong(
            lambda bold_img: bold_img.slicer[4:5],
            "This is the 5th slice along x, at all times: the first axis was cut. Time is the last axis; three dots "
            "stand for all axes before it.",
        ),
        "array": Wrong(
            lambda bold_img: np.asarray(bold_img.dataobj[..., 4]),
            "The right values, without an affine: an array does not know where its voxels lie. Use `.slicer`.",
        ),
    },
    known_case=KnownCase(lambda: {"bold_img": row_img([[0.0, 1, 2, 3, 4, 5, 6]])}, row_img([4.0])),
    why="Lists of bad volumes count from 0 as well. Who mixes the two ways of counting removes the wrong volume.",
    example_inputs=_example("bold_img"),
)


# ---- one voxel's series


def read_voxel(bold_img, place, t_r):
    """Turn the place into the indices of the nearest voxel; volume n begins n repetition times after the first."""
    indices = apply_affine(np.linalg.inv(bold_img.affine), place)
    i, j, k = np.rint(indices).astype(int)
    seconds = np.arange(bold_img.shape[3]) * t_r
    return {"seconds": seconds, "values": bold_img.dataobj[i, j, k]}


def _misread(seconds=lambda seconds, t_r: seconds, indices=None):
    """Make a wrong solution: other seconds, or another voxel, whose indices come from place and inverse affine."""

    def read(bold_img, place, t_r):
        wrong = read_voxel(bold_img, place, t_r)
        wrong["seconds"] = seconds(wrong["seconds"], t_r)
        if indices is not None:
            found = indices(np.asarray(place), np.linalg.inv(bold_img.affine))
            wrong["values"] = bold_img.dataobj[tuple(np.asarray(found).astype(int))]
        return wrong

    return read


voxel_series = Exercise(
    title="One voxel's series",
    solve=read_voxel,
    compare=Mapping(
        values={
            "seconds": Array(axes=("volumes",), unit="s"),
            "values": Array(axes=("volumes",), unit="arbitrary units", rtol=1e-5),
        }
    ),
    hints=[
        "The affine turns indices into mm. Which matrix turns mm into indices? And at what time does the first volume "
        "begin?",
        "`apply_affine(np.linalg.inv(bold_img.affine), place)`, then round each index to the nearest whole number.",
        "The seconds are `np.arange(n_volumes) * run.t_r`; the values are `bold_img.dataobj[i, j, k]`.",
    ],
    wrong={
        "volume_numbers": Wrong(
            _misread(seconds=lambda seconds, t_r: seconds / t_r),
            "Under seconds stand the numbers of the volumes. From one volume to the next it takes one TR.",
        ),
        "one_tr_late": Wrong(
            _misread(seconds=lambda seconds, t_r: seconds + t_r),
            "The seconds are one TR late: time begins with the first volume, so that one is at 0 s.",
        ),
        "stretched": Wrong(
            _misread(seconds=lambda seconds, t_r: np.linspace(0, len(seconds) * t_r, len(seconds))),
            "The steps are a little longer than one TR: the last volume does not begin at the end of the run, but one "
            "TR before it. Multiply the number of each volume by the TR.",
        ),
        "not_rounded": Wrong(
            _misread(indices=lambda place, to_voxel: apply_affine(to_voxel, place)),
            "This is a neighbour: `int` and `astype(int)` cut the decimals off, which is not rounding. Use `np.rint`.",
        ),
        "mm_as_indices": Wrong(
            _misread(indices=lambda place, to_voxel: place),
            "Millimetres were used as indices. Python did not complain, because a negative index counts from the end: "
            "this is another place, perhaps outside of the head.",
        ),
        "other_side": Wrong(
            _misread(indices=lambda place, to_voxel: np.rint(apply_affine(to_voxel, place * [-1, 1, 1]))),
            "This is the same place on the other side of the brain: x has lost, or won, a minus sign.",
        ),
    },
    known_case=KnownCase(
        # by hand: (2.6 + 4) / 3 = 2.2, the third voxel
        lambda: {
            "bold_img": row_img([[1.0, 2, 3], [11, 12, 13], [21, 22, 23]], 3, -4),
            "place": (2.6, 0, 0),
            "t_r": 1.5,
        },
        {"seconds": [0, 1.5, 3], "values": [21, 22, 23]},
    ),
    why="A place in mm and a time in seconds mean the same in every study. A voxel number and a volume number do not.",
    example_inputs=_example("bold_img", place=(-6.7, -5.2, 6.9), t_r=2.0),
)


# ---- a mask on another grid


def resample_mask(t1w_mask_img, bold_img):
    """Give each voxel of the run the value of one voxel of the mask: the nearest, or one of those equally near."""
    return image.resample_to_img(t1w_mask_img, bold_img, interpolation="nearest")


def _mixed(interpolation, change=lambda values: values):
    """Make a wrong solution: another interpolation, and what is done to its values afterwards."""

    def resample(t1w_mask_img, bold_img):
        mixed_img = image.resample_to_img(t1w_mask_img, bold_img, interpolation=interpolation)
        return nib.Nifti1Image(change(mixed_img.get_fdata(dtype=np.float32)).astype(np.float32), mixed_img.affine)

    return resample


mask_on_grid = Exercise(
    title="A mask on another grid",
    solve=resample_mask,
    compare=Image(),
    hints=[
        "One call of `image.resample_to_img` is enough, and nothing after it. Which of its arguments decides how "
        "values are mixed?",
        "A voxel that takes its value from one other voxel takes it from the one that is nearest.",
    ],
    wrong={
        "continuous": Wrong(
            _mixed("continuous"),
            "This is not a mask any more: a smooth curve was drawn through the voxels, and at the edge it overshoots, "
            "below 0 and above 1. `resample_to_img` does this if no interpolation is given.",
        ),
        "linear": Wrong(
            _mixed("linear"),
            "This is not a mask any more: at its surface there are values between 0 and 1, because linear "
            "interpolation averages the voxels around each centre.",
        ),
        "linear_above_half": Wrong(
            _mixed("linear", lambda values: values > 0.5),
            "This is a mask, and one that can be used: mixed linearly, then cut at one half. But voxels were mixed. "
            "Asked for is one whose voxels each take the value of one voxel.",
        ),
        "linear_rounded": Wrong(
            _mixed("linear", lambda values: values >= 0.5),
            "Mixed linearly, then rounded; if the image holds whole numbers, nilearn rounds without being asked. This "
            "can be used as a mask, but asked for is one whose voxels each take the value of one voxel.",
        ),
        "continuous_rounded": Wrong(
            _mixed("continuous", lambda values: values > 0.5),
            "A smooth curve, rounded to 0 and 1; if the image holds whole numbers, nilearn rounds without being asked. "
            "Asked for is a mask whose voxels each take the value of one voxel.",
        ),
    },
    known_case=KnownCase(
        # by hand: voxels of 1 mm at 0 to 8 mm, voxels of 3 mm centred on 1, 4 and 7 mm
        lambda: {
            "t1w_mask_img": row_img(np.array([1, 0, 1, 1, 1, 0, 0, 1, 0], np.float32)),
            "bold_img": row_img(np.zeros((3, 2)), 3, 1),
        },
        row_img([0.0, 1, 1], 3, 1),
    ),
    why="The same call brings an atlas to the grid of a run. There, a mixture of two labels would be the label of a "
    "third region, and nothing would look wrong.",
    example_inputs=_example("t1w_mask_img", "bold_img"),
)


# ---- tSNR


def map_tsnr(bold_img, mask_img, n_dummy):
    """Drop the dummy volumes, divide mean by standard deviation inside the mask, and make an image of it."""
    steady = masking.apply_mask(bold_img, mask_img)[n_dummy:]
    return masking.unmask(steady.mean(axis=0) / steady.std(axis=0), mask_img)


def _tsnr(values):
    return values.mean(axis=0) / values.std(axis=0)


def _inside(compute):
    """Make a wrong solution: another number for each voxel of the mask, from (volumes, voxels) and n_dummy."""

    def calculate(bold_img, mask_img, n_dummy):
        return masking.unmask(compute(masking.apply_mask(bold_img, mask_img), n_dummy), mask_img)

    return calculate


def _everywhere(use_mask):
    """Make a wrong solution: the ratio in all voxels of the image, also where it is 0 / 0."""

    def calculate(bold_img, mask_img, n_dummy):
        volumes = np.asarray(bold_img.dataobj)[..., n_dummy:]
        ratio = use_mask(volumes.mean(axis=-1) / volumes.std(axis=-1), np.asarray(mask_img.dataobj))
        return nib.Nifti1Image(ratio.astype(np.float32), mask_img.affine)

    return calculate


tsnr_map = Exercise(
    title="Temporal signal-to-noise ratio",
    solve=map_tsnr,
    compare=Image(rtol=4e-3, atol=1e-3),  # wide enough for both ways to count degrees of freedom
    hints=[
        "Three steps: leave out the first volumes, compute mean and standard deviation over time, divide.",
        "`masking.apply_mask(bold_img, mask_img)` gives the values inside the mask, (volumes, voxels). Which axis is "
        "time?",
        "`masking.unmask(ratio, mask_img)` makes an image of one number for each voxel of the mask.",
    ],
    wrong={
        "dummies_kept": Wrong(
            _inside(lambda values, n_dummy: _tsnr(values)),
            "The dummy volumes are still in it. They are far too bright, so the standard deviation is too large and "
            "the tSNR too small.",
        ),
        "dropped_at_the_end": Wrong(
            _inside(lambda values, n_dummy: _tsnr(values[:-n_dummy])),
            "Volumes were left out at the end of the run. The dummy volumes are the first ones.",
        ),
        "one_too_few": Wrong(
            _inside(lambda values, n_dummy: _tsnr(values[n_dummy - 1 :])),
            "One dummy volume is still in it. Volumes count from 0, so the first one to keep has the index n_dummy.",
        ),
        "dropped_twice": Wrong(
            _inside(lambda values, n_dummy: _tsnr(values[2 * n_dummy :])),
            "The first volumes were dropped twice: `steady` is without them already.",
        ),
        "variance": Wrong(
            _inside(lambda v, n: v[n:].mean(axis=0) / v[n:].var(axis=0)),
            "Divided by the variance. Take its square root, the standard deviation (`.std`).",
        ),
        "mean_alone": Wrong(
            _inside(lambda v, n: v[n:].mean(axis=0)), "This is the mean alone. Divide it by the standard deviation."
        ),
        "sd_alone": Wrong(
            _inside(lambda v, n: v[n:].std(axis=0)), "This is the standard deviation alone. Divide the mean by it."
        ),
        "no_image": Wrong(
            lambda bold_img, mask_img, n_dummy: _tsnr(masking.apply_mask(bold_img, mask_img)[n_dummy:]),
            "One number for each voxel of the mask: `masking.unmask(..., mask_img)` makes the image.",
        ),
        "upside_down": Wrong(
            _inside(lambda values, n_dummy: 1 / _tsnr(values[n_dummy:])),
            "This is the standard deviation divided by the mean. The tSNR is the other way round: large is good.",
        ),
        "detrended": Wrong(
            _inside(lambda v, n: v[n:].mean(axis=0) / detrend(v[n:].astype(float), axis=0).std(axis=0)),
            "The drift was removed first. Many do so, and then it has to be said. Here the run is taken as it is.",
        ),
        "over_the_voxels": Wrong(
            lambda bold_img, mask_img, n_dummy: _tsnr(masking.apply_mask(bold_img, mask_img)[n_dummy:].T),
            "This is one number for each volume: mean and standard deviation were taken over the voxels. Take them "
            "over time, axis 0 of (volumes, voxels).",
        ),
        "nothing_by_nothing": Wrong(
            _everywhere(lambda ratio, mask: ratio * mask),
            "In air, mean and standard deviation are 0, and 0 / 0 is not a number (NaN); times 0 it stays NaN. Divide "
            "inside the mask only.",
        ),
        "not_masked": Wrong(
            _everywhere(lambda ratio, mask: ratio),
            "The mask was not used: the scalp has values, and air has NaN, which is what 0 / 0 gives.",
        ),
    },
    known_case=KnownCase(
        # by hand: without the first volume, 9, 11, 9, 11 have mean 10 and SD 1; 40, 80, 40, 80 have 60 and 20
        lambda: {
            "bold_img": row_img([[50.0, 9, 11, 9, 11], [90, 40, 80, 40, 80], [7, 1, 2, 1, 2]]),
            "mask_img": row_img(np.array([1, 1, 0], np.uint8)),
            "n_dummy": 1,
        },
        row_img([10.0, 3.0, 0.0]),
    ),
    why="A few bright volumes can spoil the number. And what it calls noise still holds the signal of the brain, so "
    "compare tSNR only between runs of one kind.",
    example_inputs=_example("bold_img", "mask_img", n_dummy=4),
)


# ---- the first volume in the hollow head


def fill_head(t1w_img, t1w_mask_img, bold_img, mask_img):
    """Remove the brain from the head, bring the head to the grid of the run, add the brain of the first volume."""
    hollow = image.math_img("t1w * (1 - mask)", t1w=t1w_img, mask=t1w_mask_img)
    on_grid = image.resample_to_img(hollow, bold_img, interpolation="continuous")
    volume = bold_img.slicer[..., 0]
    brain = image.math_img("volume * mask", volume=volume, mask=mask_img)
    filled = image.math_img("head + brain", head=on_grid, brain=brain)
    return {"hollow": hollow, "on_grid": on_grid, "volume": volume, "brain": brain, "filled": filled}


STEPS = ("hollow", "on_grid", "volume", "brain", "filled")


def _head_on_grid(interpolation, *, t1w_img, t1w_mask_img, bold_img, **_):
    """Bring the hollow head to the grid of the run."""
    hollow = image.math_img("t1w * (1 - mask)", t1w=t1w_img, mask=t1w_mask_img)
    return image.resample_to_img(hollow, bold_img, interpolation=interpolation)


def _resample_then_remove(t1w_img, bold_img, mask_img, **_):
    """Remove the brain from the head on the grid of the run."""
    return image.math_img("head * (1 - mask)", head=image.resample_to_img(t1w_img, bold_img), mask=mask_img)


def _head_and_volume(bold_img, **others):
    """Add the whole volume to the head."""
    head = _head_on_grid("continuous", bold_img=bold_img, **others)
    return image.math_img("head + volume", head=head, volume=bold_img.slicer[..., 0])


# by hand: both images on one grid of three voxels, the brain in the middle
KNOWN_STEPS = ([70.0, 0, 60], [70.0, 0, 60], [5.0, 30, 4], [0.0, 30, 0], [70.0, 30, 60])

filled_head = Exercise(
    title="The first volume in the hollow head",
    solve=fill_head,
    compare=Steps(step=Image(rtol=1e-4, atol=0.05)),
    hints=[
        "One step after the other: fill in the first, run the cell, read the reply, go on. Everything needed is on "
        "this page or in episode 04.",
        "The head comes to the grid of the run, not the run to the head. In the last step both lie on one grid, and "
        "where one of them has something the other is 0, or nearly.",
        '`t1w * (1 - mask)`; `resample_to_img(hollow, bold_img, interpolation="continuous")`; '
        "`bold_img.slicer[..., 0]`; `volume * mask`; `on_grid + brain`. The formulas go into `image.math_img`.",
    ],
    wrong={
        "mask_not_inverted": Wrong(
            slip(
                STEPS, "hollow", lambda t1w_img, t1w_mask_img, **_: image.math_img("a * b", a=t1w_img, b=t1w_mask_img)
            ),
            "hollow: this is the brain without its head. Invert the mask first, so that it is 0 inside the brain.",
        ),
        "mask_alone": Wrong(
            slip(STEPS, "hollow", lambda t1w_mask_img, **_: image.math_img("1 - mask", mask=t1w_mask_img)),
            "hollow: this is the inverted mask. Multiply the T1w image by it.",
        ),
        "brain_removed_later": Wrong(
            slip(STEPS, "on_grid", _resample_then_remove),
            "on_grid: the brain was removed afterwards, with the mask of the run. Resample the hollow head.",
        ),
        "nearest": Wrong(
            slip(STEPS, "on_grid", lambda **inputs: _head_on_grid("nearest", **inputs)),
            "on_grid: interpolated with nearest, which is for masks and labels. Asked for is continuous.",
        ),
        "linear": Wrong(
            slip(STEPS, "on_grid", lambda **inputs: _head_on_grid("linear", **inputs)),
            "on_grid: interpolated with linear. Asked for is continuous.",
        ),
        "whole_head": Wrong(
            slip(STEPS, "on_grid", lambda t1w_img, bold_img, **_: image.resample_to_img(t1w_img, bold_img)),
            "on_grid: the head still has its brain. Resample the hollow one.",
        ),
        "second_volume": Wrong(
            slip(STEPS, "volume", lambda bold_img, **_: bold_img.slicer[..., 1]),
            "volume: this is the second one. The first has the index 0.",
        ),
        "not_masked": Wrong(
            slip(STEPS, "brain", lambda bold_img, **_: bold_img.slicer[..., 0]),
            "brain: this is the whole volume, with what is left of the scalp. Multiply it by the mask of the run.",
        ),
        "head_twice": Wrong(
            slip(STEPS, "filled", _head_and_volume),
            "filled: the whole volume was added, so the scalp is in it twice. Add its brain alone.",
        ),
    },
    known_case=KnownCase(
        lambda: {
            "t1w_img": row_img([70.0, 80, 60]),
            "t1w_mask_img": row_img(np.array([0, 1, 0], np.uint8)),
            "bold_img": row_img([[5.0, 1], [30, 20], [4, 1]]),
            "mask_img": row_img(np.array([0, 1, 0], np.uint8)),
        },
        dict(zip(STEPS, map(row_img, KNOWN_STEPS), strict=True)),
    ),
    why="Every step asked two things: which values, and on which grid? Whatever you combine later, from an atlas to a "
    "statistic, asks them again.",
    example_inputs=_example("t1w_img", "t1w_mask_img", "bold_img", "mask_img"),
)
