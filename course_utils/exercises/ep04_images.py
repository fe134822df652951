"""Exercises of episode 04: image maths, masks and pictures."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nilearn import image

from course_utils.exercises._compare import Image, Mapping, Number
from course_utils.exercises._engine import Exercise, KnownCase, Wrong


def _small_image(values, *, zooms=(2.0, 2.0, 3.0), origin=(-5.0, -4.0, 2.0)):
    """Make an image from a few values; zooms and origin are in mm, a negative zoom turns its axis round."""
    return nib.Nifti1Image(np.asarray(values), nib.affines.from_matvec(np.diag(zooms), origin))


def _row(values, **place):
    """Make an image of one row of voxels along x."""
    return _small_image(np.reshape(np.asarray(values), (-1, 1, 1)), **place)


# ---- the head without its brain


def remove_brain(t1w_img, mask_img):
    """Turn the mask round, so that it is 1 outside the brain, and multiply."""
    return image.math_img("t1w * (1 - mask)", t1w=t1w_img, mask=mask_img)


def _formula(formula):
    """Make a wrong solution: one formula with the T1w image and the mask."""
    return lambda t1w_img, mask_img: image.math_img(formula, t1w=t1w_img, mask=mask_img)


def _head_as_array(t1w_img, mask_img):
    return t1w_img.get_fdata() * (1 - mask_img.get_fdata())


def _example_head():
    mask = np.zeros((6, 5, 4), np.uint8)
    mask[2:5, 1:4, 1:3] = 1
    values = np.random.default_rng(4).uniform(10, 900, mask.shape).astype(np.float32)
    return {"t1w_img": _small_image(values), "mask_img": _small_image(mask)}


head_without_brain = Exercise(
    title="The head without its brain",
    solve=remove_brain,
    compare=Image(rtol=1e-4, atol=1e-3),
    hints=[
        "Multiplying keeps what is 1 in the mask. You need a mask with 1 and 0 exchanged.",
        "Which sum turns 0 into 1 and 1 into 0? A comparison with 0 does it too.",
        "One call of `image.math_img` with both images is enough: the T1w image times the turned mask.",
    ],
    wrong={
        "mask_not_turned": Wrong(
            _formula("t1w * mask"), "The mask was not turned round: this keeps the brain and removes the head."
        ),
        "mask_minus_one": Wrong(
            _formula("t1w * (mask - 1)"),
            "The mask minus 1 is not the mask turned round. Outside the brain 0 - 1 gives -1; if the mask is stored as "
            "unsigned whole numbers, which know no -1, it wraps round to 255.",
        ),
        "negative_head": Wrong(
            _formula("t1w * (mask.astype(float) - 1)"),
            "The brain is gone, but the head has negative values: outside the brain the mask minus 1 is -1, not 1.",
        ),
        "minus_mask": Wrong(
            _formula("t1w * -mask"),
            "A minus sign changes the ones of the mask and leaves its zeros: the brain is still what is kept.",
        ),
        "tilde": Wrong(
            _formula("t1w * ~mask"),
            "`~` exchanges True and False. In whole numbers it flips every bit: 0 becomes 255 (or -1), 1 becomes "
            "254 (or -2). Subtract from 1, or compare with 0.",
        ),
        "mask_subtracted": Wrong(
            _formula("t1w - mask"), "Subtracting the mask makes the brain darker by 1, no more. Masking multiplies."
        ),
        "unchanged": Wrong(_formula("t1w + 0 * mask"), "This is the whole head, with the brain still in it."),
        "mask_alone": Wrong(
            lambda t1w_img, mask_img: image.math_img("1 - mask", mask=mask_img),
            "This is the turned mask itself. It is not yet applied to the T1w image.",
        ),
        "array": Wrong(
            _head_as_array,
            "The values are right, but an array does not know where its voxels lie. `image.math_img` gives an image, "
            "with the affine.",
        ),
        "new_affine": Wrong(
            lambda t1w_img, mask_img: nib.Nifti1Image(_head_as_array(t1w_img, mask_img), np.eye(4)),
            "The values are right, but `np.eye(4)` is not the affine of this image. Take the T1w image's own, or use "
            "`image.math_img`.",
        ),
    },
    known_case=KnownCase(
        {"t1w_img": _row([50.0, 80.0, 90.0, 40.0]), "mask_img": _row(np.array([0, 1, 1, 0], np.uint8))},
        _row([50.0, 0.0, 0.0, 40.0]),
    ),
    why="A mask is a decision on what to keep. Once you can turn it round, you can keep either side.",
    example_inputs=_example_head,
)


# ---- a mask by threshold


def mask_grey_matter(gm_img):
    """Compare the probability in each voxel with one half."""
    return image.math_img("gm > 0.5", gm=gm_img)


def _compared(formula):
    """Make a wrong solution: another comparison."""
    return lambda gm_img: image.math_img(formula, gm=gm_img)


def _example_probabilities():
    values = np.array([0, 0, 0, 0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1], np.float32)
    return {"gm_img": _small_image(np.random.default_rng(5).permutation(np.tile(values, 4)).reshape(4, 4, 4))}


grey_matter_mask = Exercise(
    title="A mask by threshold",
    solve=mask_grey_matter,
    compare=Image(),
    hints=[
        "A comparison in a formula of `image.math_img` gives 1 where it holds and 0 elsewhere.",
        "The values of the map are probabilities, from 0 to 1. More likely than not: above which value?",
    ],
    wrong={
        "values_kept": Wrong(
            lambda gm_img: image.threshold_img(gm_img, 0.5),
            "`image.threshold_img` sets what is small to 0 and keeps the other values. A mask holds only 0 and 1.",
        ),
        "percentile": Wrong(
            lambda gm_img: image.binarize_img(gm_img, threshold="50%"),
            'A threshold given as text, such as "50%", is a percentile: so many voxels fall below it, whatever their '
            "values. Asked for is a probability: a number.",
        ),
        "percentile_of_values": Wrong(
            lambda gm_img: image.threshold_img(gm_img, "50%"),
            'Two things: "50%" as text is a percentile, not a probability; and what lies above it keeps its value. '
            "In a mask it would be 1.",
        ),
        "percent": Wrong(_compared("gm > 50"), "This mask is empty: the map goes from 0 to 1, not from 0 to 100."),
        "half_included": Wrong(
            _compared("gm >= 0.5"),
            "Voxels of exactly one half are in it too, and they are not more likely than not. `>=` takes them along, "
            "and so does `image.binarize_img`: to it, a value equal to the threshold counts as above.",
        ),
        "other_side": Wrong(
            _compared("gm < 0.5"), "This is 1 where grey matter is unlikely. Which way round is the comparison?"
        ),
        "any_probability": Wrong(
            _compared("gm > 0"),
            "This takes every voxel in which grey matter is possible at all, even where something else is far more "
            "likely.",
        ),
        "array": Wrong(
            lambda gm_img: gm_img.get_fdata() > 0.5,
            "The comparison is right, but it gave an array, without an affine. Inside `image.math_img` it gives an "
            "image.",
        ),
    },
    known_case=KnownCase(
        {"gm_img": _row(np.array([0.0, 0.3, 0.5, 0.51, 1.0], np.float32))}, _row(np.array([0, 0, 0, 1, 1], np.uint8))
    ),
    why="Where the line is drawn decides how large the region is. A threshold belongs into the methods section.",
    example_inputs=_example_probabilities,
)


# ---- what smoothing does to a peak


def measure_peaks(blob_img):
    """Smooth the same image with each width; divide the peak by the one before."""
    before = blob_img.get_fdata().max()
    left = {}
    for fwhm in (4, 8):
        smooth_img = image.smooth_img(blob_img, fwhm)
        left[fwhm] = smooth_img.get_fdata().max() / before
    return left


def _widened(factor):
    """Make a wrong solution: kernels that are too wide by a factor, which may depend on the image."""

    def measure(blob_img):
        before = blob_img.get_fdata().max()
        smoothed = {fwhm: image.smooth_img(blob_img, fwhm * factor(blob_img)) for fwhm in (4, 8)}
        return {fwhm: img.get_fdata().max() / before for fwhm, img in smoothed.items()}

    return measure


def _from_peaks(change):
    """Make a wrong solution: the right shares, changed."""
    return lambda blob_img: {fwhm: change(left, blob_img) for fwhm, left in measure_peaks(blob_img).items()}


def _smoothed_again(blob_img):
    left = measure_peaks(blob_img)[4]
    return {4: left, 8: left * measure_peaks(image.smooth_img(blob_img, 4))[8]}


def _example_blob():
    data = np.zeros((21, 21, 21), np.float32)
    data[9:12, 9:12, 9:12] = 20
    return {"blob_img": _small_image(data, zooms=(3.0, 3.0, 3.0))}


def _one_voxel():
    data = np.zeros((33, 33, 33), np.float32)
    data[16, 16, 16] = 20
    return {"blob_img": _small_image(data, zooms=(1.0, 1.0, 1.0))}


@dataclass(frozen=True, kw_only=True)
class _Shares(Mapping):
    """Judge a dict; two that both hold a blank among their values are alike, whatever else is in them."""

    def _differs(self, answer, expected):
        """Compare with a dict that may hold a blank: such a one stands for every answer that is not filled in."""
        if any(value is ... for value in expected.values()):
            half_done = isinstance(answer, dict) and any(value is ... for value in answer.values())
            return None if half_done else "nothing in it is blank."
        return super()._differs(answer, expected)


peak_after_smoothing = Exercise(
    title="What smoothing does to a peak",
    solve=measure_peaks,
    compare=_Shares(values=Number(rtol=5e-3, unit="share of the peak", between=(0, 1))),
    hints=[
        "The peak is the highest value of an image. You need it once before smoothing, and once after each smoothing.",
        "`image.smooth_img(blob_img, 4).get_fdata().max()` is the peak after the first. Divide it by the peak before.",
    ],
    wrong={
        "fwhm_as_sigma": Wrong(
            _widened(lambda img: np.sqrt(8 * np.log(2))),
            "The kernels are 2.355 times too wide: the FWHM was taken for the standard deviation. `image.smooth_img` "
            "wants the FWHM itself.",
        ),
        "voxels_for_mm": Wrong(
            _widened(lambda img: np.array(img.header.get_zooms()[:3])),
            "The kernels are too wide: 4 and 8 were taken as voxels, and a voxel here is larger than 1 mm. "
            "`image.smooth_img` wants mm and knows the size of the voxels.",
        ),
        "half_blank": Wrong(
            lambda blob_img: {4: measure_peaks(blob_img)[4], 8: ...},
            "Three dots are still in the dict. It needs a number for each of the two widths.",
        ),
        "images": Wrong(
            lambda blob_img: {fwhm: image.smooth_img(blob_img, fwhm) for fwhm in (4, 8)},
            "These are the smoothed images. Take the highest value of each, and divide it by the peak before.",
        ),
        "smoothed_again": Wrong(
            _smoothed_again,
            "The second kernel was applied to what the first had smoothed already. Start from blob_img each time.",
        ),
        "lost": Wrong(_from_peaks(lambda left, img: 1 - left), "This is what is lost. Asked for is what is left."),
        "percent": Wrong(
            _from_peaks(lambda left, img: 100 * left), "These are percent. Asked for is a share between 0 and 1."
        ),
        "not_divided": Wrong(
            _from_peaks(lambda left, img: left * img.get_fdata().max()),
            "These are the peaks after smoothing. Divide them by the peak before.",
        ),
        "mean": Wrong(
            _from_peaks(lambda left, img: 1.0),
            "Nothing seems to be lost: is this the mean or the sum of the image? Smoothing keeps those; it spreads the "
            "peak, which is the highest value.",
        ),
    },
    # by hand: one voxel of 1 mm keeps 1 / (sigma * sqrt(2 pi)) = 0.9394 / FWHM along each of three axes
    known_case=KnownCase(_one_voxel, {4: (0.9394 / 4) ** 3, 8: (0.9394 / 8) ** 3}),
    why="A region that is small beside the kernel nearly vanishes, a large one keeps its peak. The width of the kernel "
    "is a guess at the size of what you look for.",
    example_inputs=_example_blob,
)


# ---- the left half


def keep_left_half(odd_img):
    """Find the x of every voxel in mm; what is not on the left becomes 0."""
    i, j, k = np.indices(odd_img.shape, sparse=True)
    to_x = odd_img.affine[0]
    x = to_x[0] * i + to_x[1] * j + to_x[2] * k + to_x[3]
    data = odd_img.get_fdata(dtype=np.float32)
    return image.new_img_like(odd_img, np.where(x < 0, data, 0))


def _kept(choose, values=lambda img: img.get_fdata(dtype=np.float32)):
    """Make a wrong solution: keep the voxels that `choose` names, from their indices and the affine."""

    def keep(odd_img):
        kept = choose(np.indices(odd_img.shape, sparse=True), odd_img.affine, odd_img.shape)
        return image.new_img_like(odd_img, np.where(kept, values(odd_img), np.float32(0)))

    return keep


def _mm(indices, affine, axis=0):
    """Turn indices into mm along one axis of the space."""
    return sum(step * index for step, index in zip(affine[axis], indices, strict=False)) + affine[axis, 3]


def _cropped(odd_img):
    left = np.flatnonzero(_mm((np.arange(odd_img.shape[0]), 0, 0), odd_img.affine) < 0)
    return odd_img.slicer[left[0] : left[-1] + 1]


def _example_stored_from_right_to_left():
    values = np.random.default_rng(6).uniform(1, 9, (8, 5, 3)).astype(np.float32)
    return {"odd_img": _small_image(values, zooms=(-2.0, 2.0, 2.0), origin=(10.0, -4.0, 0.0))}


left_half = Exercise(
    title="The left half",
    solve=keep_left_half,
    compare=Image(rtol=1e-4, atol=1e-3),
    hints=[
        "Left is where x is below 0 mm, in whatever order the voxels are stored. The affine gives the x of a voxel.",
        "The cell that kept the upper half used the third row of the affine, for z. Which row gives x?",
        "`np.where(x < 0, data, 0)` keeps the left; `image.new_img_like(odd_img, ...)` makes an image of it.",
    ],
    wrong={
        "right_half": Wrong(
            _kept(lambda ijk, affine, shape: _mm(ijk, affine) > 0),
            "This is the right half. Which sign has x on the left, in a space whose x grows to the right (RAS+)?",
        ),
        "left_removed": Wrong(
            _kept(lambda ijk, affine, shape: _mm(ijk, affine) >= 0),
            "The left half was set to 0. It is the one to keep.",
        ),
        "mask_alone": Wrong(
            _kept(lambda ijk, affine, shape: _mm(ijk, affine) < 0, values=lambda img: np.ones(img.shape, np.float32)),
            "This is a mask of the left half, and a good one. It is not yet applied to the image.",
        ),
        "first_half_of_the_voxels": Wrong(
            _kept(lambda ijk, affine, shape: ijk[0] < shape[0] / 2),
            "This is the first half of the voxels. Their order is a matter of storage, and here they are stored from "
            "right to left. Ask for mm.",
        ),
        "last_half_of_the_voxels": Wrong(
            _kept(lambda ijk, affine, shape: ijk[0] >= shape[0] / 2),
            "This is the last half of the voxels. The middle of the grid is not the middle of the brain. Ask for mm.",
        ),
        "index_below_zero": Wrong(
            _kept(lambda ijk, affine, shape: ijk[0] < 0),
            "Nothing is left: the indices of voxels begin with 0. Turn them into mm before you compare.",
        ),
        "midline_kept": Wrong(
            _kept(lambda ijk, affine, shape: _mm(ijk, affine) <= 0),
            "The slice at x = 0 is in it too. It belongs to neither half; asked for is x below 0.",
        ),
        "origin_forgotten": Wrong(
            _kept(lambda ijk, affine, shape: affine[0, 0] * ijk[0] < 0),
            "Only the size of the voxels was used. The last number of the affine's row, the place of the first voxel, "
            "is missing.",
        ),
        "back_half": Wrong(
            _kept(lambda ijk, affine, shape: _mm(ijk, affine, 1) < 0),
            "This is the back of the head, where y is below 0: it is the second row of the affine that gives y.",
        ),
        "cropped": Wrong(
            _cropped,
            "The right voxels, but the others are cut off. Asked for is the whole grid, with 0 where it is not left.",
        ),
        "array": Wrong(
            lambda odd_img: keep_left_half(odd_img).get_fdata(),
            "The values are right, but an array has no affine. Make an image with `image.new_img_like(odd_img, ...)`.",
        ),
    },
    known_case=KnownCase(
        {"odd_img": _row([7.0, 6.0, 5.0, 4.0, 3.0], zooms=(-3.0, 3.0, 3.0), origin=(6.0, 0.0, 0.0))},
        _row([0.0, 0.0, 0.0, 4.0, 3.0], zooms=(-3.0, 3.0, 3.0), origin=(6.0, 0.0, 0.0)),
    ),
    why="Left and right come from the affine, never from the order of the voxels. Exchanged sides are among the "
    "mistakes that nobody can see in a picture.",
    example_inputs=_example_stored_from_right_to_left,
)
