"""Exercises of episode 03: what is in a NIfTI file."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.affines import from_matvec, voxel_sizes

from course_utils.exercises._compare import Array, Image, Number
from course_utils.exercises._engine import Exercise, KnownCase, Wrong

MIRROR = np.diag([-1.0, 1, 1, 1])
SIMPLE = from_matvec([[0.0, -3, 0], [2, 0, 0], [0, 0, 4]], [10, -20, 5])  # for known cases: easy to work out by hand
TURNED = from_matvec([[1.92, -0.56, 0], [0.56, 1.92, 0], [0, 0, 3]], [-60, -70, -40])  # voxels of 2 x 2 x 3 mm


# ---- size in memory


def count_megabytes(bold_img):
    """Multiply the lengths of all axes, and 8 bytes for each number."""
    return np.prod(bold_img.shape) * 8 / 1e6


def _megabytes(size):
    """Make a wrong solution: another size, from the number of voxels in all volumes and the image."""
    return lambda bold_img: size(int(np.prod(bold_img.shape)), bold_img)


size_in_memory = Exercise(
    title="Size in memory",
    solve=count_megabytes,
    compare=Number(rtol=5e-3, unit="MB", between=(0.01, 100_000)),
    hints=[
        "How many numbers are in the run? The shape has the length of each axis, time included.",
        "A number of 64 bits needs 8 bytes, since a byte has 8 bits.",
        "`np.prod(bold_img.shape)` multiplies the four lengths. Multiply by 8 bytes and divide by 1,000,000.",
    ],
    wrong={
        "as_stored": Wrong(
            _megabytes(lambda n, img: n * img.get_data_dtype().itemsize / 1e6),
            "This is the size with the numbers as they are stored on disk. In float64 each number has 64 bits.",
        ),
        "float32": Wrong(_megabytes(lambda n, img: n * 4 / 1e6), "This is the size in float32. float64 needs twice."),
        "numbers": Wrong(
            _megabytes(lambda n, img: n / 1e6), "This is how many numbers there are, in millions. Each needs 8 bytes."
        ),
        "one_volume": Wrong(
            _megabytes(lambda n, img: n / img.shape[3] * 8 / 1e6),
            "This is one volume. The fourth axis counts the volumes of the run.",
        ),
        "bits": Wrong(
            _megabytes(lambda n, img: n * 64 / 1e6),
            "This is 8 times too much: 64 is the number of bits, and a byte has 8 of them.",
        ),
        "mebibytes": Wrong(
            _megabytes(lambda n, img: n * 8 / 2**20),
            "This is in units of 1,048,576 bytes (MiB). Here 1 MB is 1,000,000 bytes.",
        ),
        "bytes": Wrong(_megabytes(lambda n, img: n * 8), "This is in bytes. Divide by 1,000,000."),
    },
    # by hand: 10 * 10 * 10 * 125 = 125,000 numbers of 8 bytes
    known_case=KnownCase(lambda: {"bold_img": nib.Nifti1Image(np.zeros((10, 10, 10, 125), np.int16), np.eye(4))}, 1.0),
    why="Before you load twenty runs at once, multiply: a notebook that runs out of memory dies without a message.",
    example_inputs=lambda: {"bold_img": nib.Nifti1Image(np.zeros((30, 20, 10, 40), np.int16), np.eye(4))},
)


# ---- from voxel to mm


def voxel_to_mm(affine, voxel):
    """Take the steps that the three columns of M say; add the place of the first voxel."""
    return affine[:3, :3] @ voxel + affine[:3, 3]


class AnyPlace(np.ndarray):
    """A place that is wrong, wherever it is: what comes out for one affine when another one is used."""


@dataclass(frozen=True, kw_only=True)
class Place(Array):
    """Judge a place. `AnyPlace` is met by any place, and is never the right one."""

    def _differs(self, answer, expected):
        if isinstance(answer, AnyPlace) and not isinstance(expected, AnyPlace):
            return "it is another place."
        return super()._differs(answer, answer if isinstance(expected, AnyPlace) else expected)


def _right_for_the_image(affine, voxel):
    """Be right for the image at hand and not for the affine of the known case, as if M and (a, b, c) were fixed."""
    place = voxel_to_mm(affine, voxel)
    return (place + 1).view(AnyPlace) if np.array_equal(affine, SIMPLE) else place


place_of_voxel = Exercise(
    title="From voxel to mm by hand",
    solve=voxel_to_mm,
    compare=Place(axes=("x, y, z",), atol=1e-2, unit="mm"),
    answer_is_function=True,
    hints=[
        "M is `affine[:3, :3]` and (a, b, c) is `affine[:3, 3]`. Which of them is multiplied, and which is added?",
        "`@` is the product of a matrix and a vector. The matrix stands on the left.",
    ],
    wrong={
        "origin_forgotten": Wrong(
            lambda affine, voxel: affine[:3, :3] @ voxel,
            "The steps are right, but they begin at 0. They should begin where the first voxel lies: add (a, b, c).",
        ),
        "added_first": Wrong(
            lambda affine, voxel: affine[:3, :3] @ (voxel + affine[:3, 3]),
            "(a, b, c) was added before multiplying. It is in mm already: multiply the voxel by M first, then add.",
        ),
        "transposed": Wrong(
            lambda affine, voxel: voxel @ affine[:3, :3] + affine[:3, 3],
            "The vector stands on the left of M, so rows and columns are exchanged. Write M @ voxel.",
        ),
        "diagonal_only": Wrong(
            lambda affine, voxel: np.diag(affine)[:3] * voxel + affine[:3, 3],
            "Only the diagonal of M was used. If the grid is turned, a step along i changes y and z too.",
        ),
        "four_numbers": Wrong(
            lambda affine, voxel: affine @ [*voxel, 1],
            "The first three numbers are right. The fourth is the 1 that was put below the voxel: leave it out.",
        ),
        "no_one_below": Wrong(
            lambda affine, voxel: affine @ voxel,
            "The affine has four columns and a voxel three numbers. Put a 1 below the voxel, or use M and (a, b, c).",
        ),
        "number_by_number": Wrong(
            lambda affine, voxel: affine[:3, :3] * voxel + affine[:3, 3],
            "`*` multiplies number by number. The product of a matrix and a vector is `@`.",
        ),
        "one_image_only": Wrong(
            _right_for_the_image,
            "Right for this image, but not for another affine. `M` and `abc` of the cells above belong to the T1w "
            "image: take both from the `affine` that the function is given.",
        ),
    },
    # by hand: x = -3 * 2 + 10, y = 2 * 1 - 20, z = 4 * 3 + 5
    known_case=KnownCase({"affine": SIMPLE, "voxel": np.array([1, 2, 3])}, np.array([4.0, -18.0, 17.0])),
    why="This is all that `apply_affine` does, and all that a viewer does when you click into an image.",
    example_inputs=lambda: {"affine": TURNED, "voxel": np.array([10, 20, 5])},
)


# ---- from mm to voxel


def find_voxel(affine, place):
    """Apply the inverse of the affine, then take the nearest voxel."""
    indices = nib.affines.apply_affine(np.linalg.inv(affine), place)
    return np.rint(indices).astype(int)


voxel_at_place = Exercise(
    title="From mm to voxel",
    solve=find_voxel,
    compare=Array(axes=("i, j, k",), values="whole numbers"),
    hints=[
        "The affine goes from voxel to mm. What goes the other way is its inverse.",
        "`np.linalg.inv(affine)` is the inverse. `apply_affine` takes it like any other affine.",
        "Indices are whole numbers. Rounding gives the nearest voxel: `np.rint(...).astype(int)`.",
    ],
    wrong={
        "wrong_way": Wrong(
            lambda affine, place: np.rint(nib.affines.apply_affine(affine, place)).astype(int),
            "The affine was applied as it is: it takes voxels and gives mm. Here you come from mm.",
        ),
        "cut_off": Wrong(
            lambda affine, place: nib.affines.apply_affine(np.linalg.inv(affine), place).astype(int),
            "The digits were cut off instead of rounded. A voxel reaches half a step to both sides of its index.",
        ),
        "counted_from_one": Wrong(
            lambda affine, place: find_voxel(affine, place) + 1,
            "Each index is too large by 1: the first voxel has the index 0.",
        ),
        "voxel_sizes_only": Wrong(
            lambda affine, place: np.rint((place - affine[:3, 3]) / voxel_sizes(affine)).astype(int),
            "Dividing by the size of the voxels forgets that this grid is turned. The inverse of the affine knows it.",
        ),
        "origin_forgotten": Wrong(
            lambda affine, place: np.rint(np.linalg.inv(affine[:3, :3]) @ place).astype(int),
            "Only M was inverted, and (a, b, c) left out. Subtract it before multiplying, or invert the whole affine.",
        ),
        "origin_last": Wrong(
            lambda affine, place: np.rint(np.linalg.inv(affine[:3, :3]) @ place - affine[:3, 3]).astype(int),
            "(a, b, c) was subtracted after multiplying. It was added last on the way to mm, so it comes off first.",
        ),
    },
    # by hand: (4 - 10) / -3 = 2 along j, (-18.6 + 20) / 2 = 0.7 along i, (18 - 5) / 4 = 3.25 along k
    known_case=KnownCase({"affine": SIMPLE, "place": np.array([4.0, -18.6, 18.0])}, np.array([1, 2, 3])),
    why="A place in mm from a paper means the same in every image of that space. A voxel index means nothing there.",
    example_inputs=lambda: {"affine": TURNED, "place": nib.affines.apply_affine(TURNED, [12.7, 30.3, 8.8])},
)


# ---- what went wrong? left and right reversed properly


@dataclass(frozen=True, kw_only=True)
class InSpace(Image):
    """Judge an image by which value lies where in mm; the order in which voxels are stored does not count."""

    def _differs(self, answer, expected):
        if self.handles(answer) and len(answer.shape) == 3:
            answer = nib.as_closest_canonical(answer)
        return super()._differs(answer, nib.as_closest_canonical(expected))


def mirror_head(tilted_img):
    """Reverse x after the affine has found the place; leave the array alone."""
    mirror = np.diag([-1, 1, 1, 1])
    return nib.Nifti1Image(tilted_img.dataobj, mirror @ tilted_img.affine, tilted_img.header)


def _with_affine(change):
    """Make a wrong solution: the same array with another affine."""
    return lambda tilted_img: nib.Nifti1Image(tilted_img.dataobj, change(tilted_img.affine), tilted_img.header)


def _example_tilted():
    values = np.random.default_rng(3).uniform(1, 900, (6, 5, 4)).astype(np.float32)
    return {"tilted_img": nib.Nifti1Image(values, TURNED)}


def _row(values, first):
    """Make an image of voxels along x, 3 mm apart, from the x of the first."""
    data = np.array(values, np.float32).reshape(-1, 1, 1)
    return nib.Nifti1Image(data, from_matvec(np.diag([3, 2, 2]), [first, 0, 0]))


mirrored_head = Exercise(
    title="What went wrong? Left and right reversed",
    solve=mirror_head,
    compare=InSpace(rtol=1e-4, atol=1e-3),
    hints=[
        "The array holds brightness. Which part of the image holds places, that a 4 x 4 matrix can change?",
        "The affine gives (x, y, z, 1). What must then be done to x? On which side of the affine does `mirror` do it?",
        "`nib.Nifti1Image(tilted_img.dataobj, ..., tilted_img.header)` makes the image: only the affine is new.",
    ],
    wrong={
        "array_flipped": Wrong(
            lambda tilted_img: nib.Nifti1Image(np.asarray(tilted_img.dataobj)[::-1], tilted_img.affine),
            "Reversing the array mirrors the head about the middle of its grid. That is not x = 0 mm here, and the "
            "grid is turned besides.",
        ),
        "from_the_right": Wrong(
            _with_affine(lambda affine: affine @ MIRROR),
            "`mirror` stands on the right: it reverses the index i before the affine is applied. To reverse x, which "
            "comes out of the affine, it must stand on the left.",
        ),
        "nothing_moved": Wrong(
            _with_affine(lambda affine: affine),
            "Every value is still at its old place in mm. If array and affine were both reversed, the one undid the "
            "other: that changes how the head is stored, not where it is.",
        ),
        "first_number_only": Wrong(
            _with_affine(lambda affine: np.where(np.diag([1, 0, 0, 0]), -affine, affine)),
            "Only the first number of the affine changed its sign. All that makes up x must: the whole first row.",
        ),
        "origin_kept": Wrong(
            _with_affine(lambda affine: np.hstack([(MIRROR @ affine)[:, :3], affine[:, 3:]])),
            "The directions are mirrored, but the first voxel stayed where it was. It has an x too.",
        ),
        "mirror_instead": Wrong(
            _with_affine(lambda affine: MIRROR),
            "`mirror` took the place of the affine, so size, turn and origin are lost. Multiply the two.",
        ),
    },
    # by hand: the values at x = 4, 7, 10 belong to x = -4, -7, -10
    known_case=KnownCase({"tilted_img": _row([5, 6, 7], 4)}, _row([7, 6, 5], -10)),
    why="An affine acts on places, never on brightness. That the file now claims the opposite side shows how easily a "
    "wrong sign in one row exchanges left and right.",
    example_inputs=_example_tilted,
)


# ---- a run with five axes


@dataclass(frozen=True, kw_only=True)
class RunWithHeader(Image):
    """Judge a run: as an image with its repetition time, and by the units in its header."""

    check_t_r: bool = True

    def _differs(self, answer, expected):
        if not self.handles(answer) or answer.shape != expected.shape:
            return super()._differs(answer, expected)
        problem = super()._differs(*(img.slicer[..., :1] for img in (answer, expected)))
        if problem is None and answer.header.get_xyzt_units() != expected.header.get_xyzt_units():
            problem = "its header no longer says that steps are in mm and seconds."
        for n in range(1, expected.shape[3]) if problem is None else ():  # one by one, which needs little memory
            if not np.allclose(answer.dataobj[..., n], expected.dataobj[..., n]):
                return f"its values are not those of the run, first in volume {n}."
        return problem


def squeeze_run(five_d_img):
    """Take the only entry of the fourth axis; write the repetition time where it belongs now."""
    four_d_img = five_d_img.slicer[..., 0, :]
    zooms = five_d_img.header.get_zooms()
    four_d_img.header.set_zooms((*zooms[:3], zooms[4]))
    return four_d_img


def _squeezed(header=True, t_r=True, affine=None):
    """Make a wrong solution: something of the image is not carried over."""

    def squeeze(five_d_img):
        right = squeeze_run(five_d_img)
        place = right.affine if affine is None else affine
        done = nib.Nifti1Image(right.dataobj, place, right.header if header else None)
        done.header.set_zooms((*done.header.get_zooms()[:3], right.header.get_zooms()[3] if t_r else 1))
        return done

    return squeeze


def _run(shape, *steps):
    """Make a run of small numbers; steps are those along the fourth axis and, if there is one, the fifth."""
    img = nib.Nifti1Image(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape), np.diag([3.0, 3, 4, 1]))
    img.header.set_zooms((3, 3, 4, *steps))
    img.header.set_xyzt_units("mm", "sec")
    return img


squeezed_run = Exercise(
    title="Squeeze the run",
    solve=squeeze_run,
    compare=RunWithHeader(),
    hints=[
        "`.slicer` takes a single index on any axis but the first three, and keeps affine and header.",
        "`five_d_img.slicer[..., 0, :]` has the right shape. Now look at its `header.get_zooms()`: what is its TR?",
        "`header.set_zooms((..., ..., ..., t_r))` writes four steps. The old header has the TR as the fifth.",
    ],
    wrong={
        "squeeze_image": Wrong(
            nib.squeeze_image,
            "`squeeze_image` took nothing away: it removes axes of length 1 at the end only. Here time is at the end.",
        ),
        "t_r_lost": Wrong(
            _squeezed(t_r=False),
            "Shape and values are right. But the step along the axis of length 1 became the TR, and the TR was lost: "
            "write it back with `header.set_zooms`.",
        ),
        "header_lost": Wrong(
            _squeezed(header=False, t_r=False),
            "The values are right, but the header is a new one: TR and units are gone. Hand the old header over, or "
            "use `.slicer`.",
        ),
        "units_lost": Wrong(
            _squeezed(header=False),
            "The TR is there, but the header is a new one, which no longer says in which units. Hand the old one over.",
        ),
        "affine_lost": Wrong(
            _squeezed(affine=np.eye(4)),
            "`np.eye(4)` is not the affine of this run. With it, every voxel is 1 mm wide and the brain is elsewhere.",
        ),
        "one_volume": Wrong(
            lambda five_d_img: five_d_img.slicer[..., 0],
            "The index 0 went to the last axis: this is the first volume alone. The axis of length 1 is the fourth.",
        ),
        "nothing_returned": Wrong(
            lambda five_d_img: squeeze_run(five_d_img).header.set_zooms((3, 3, 4, 2)),
            "This is None. `set_zooms` changes the header and returns nothing: write it on a line of its own, then "
            "give the image.",
        ),
    },
    known_case=KnownCase(lambda: {"five_d_img": _run((2, 1, 1, 1, 3), 1, 1.5)}, _run((2, 1, 1, 3), 1.5)),
    why="A wrong TR raises no error later. Filters would cut at the wrong frequencies, and nobody would notice.",
    example_inputs=lambda: {"five_d_img": _run((4, 3, 2, 1, 5), 1, 2.5)},
)


# ---- which slice shows a plane


def find_slice(affine, z):
    """Subtract the z of the first slice, then divide by the step from slice to slice."""
    return round((z - affine[2, 3]) / affine[2, 2])


def _slice(count):
    """Make a wrong solution: another count, from the step, the first z, and what is asked for; all in mm."""
    return lambda affine, z: count(float(affine[2, 2]), float(affine[2, 3]), z)


slice_at_height = Exercise(
    title="Which slice shows the plane?",
    solve=find_slice,
    compare=Number(whole=True, unit="number of a slice, from 0", between=(0, 1000)),
    hints=[
        "The third row of the affine gives z. Where is slice 0, and how far is it to the next?",
        "z = step * k + z of slice 0. Solve for k, and round to the nearest slice.",
    ],
    wrong={
        "mm_as_index": Wrong(_slice(lambda step, first, z: round(z)), "These are mm, not the number of a slice."),
        "cut_off": Wrong(
            _slice(lambda step, first, z: int((z - first) // step)),
            "The digits were cut off. The plane is nearer to the next slice.",
        ),
        "counted_from_one": Wrong(
            _slice(lambda step, first, z: round((z - first) / step) + 1), "One too many: the first slice is 0."
        ),
        "origin_forgotten": Wrong(
            _slice(lambda step, first, z: round(z / step)),
            "The mm were divided by the step, as if slice 0 were at z = 0. It lies far below.",
        ),
        "step_forgotten": Wrong(
            _slice(lambda step, first, z: round(z - first)), "This is the distance to slice 0 in mm. Count in slices."
        ),
        "along_x": Wrong(
            lambda affine, z: round((z - affine[0, 3]) / affine[0, 0]),
            "The first row of the affine was used. It gives x; the height z is in the third.",
        ),
    },
    # by hand: from -50 to -32 it is 18 mm, 3.6 steps of 5 mm
    known_case=KnownCase({"affine": from_matvec(np.diag([2, 2, 5]), [-90, -120, -50]), "z": -32}, 4),
    why="A figure labelled with z in mm can be compared with any other study. The number of a slice cannot.",
    example_inputs=lambda: {"affine": from_matvec(np.diag([3, 3, 4]), [-96.5, -132.5, -78.5]), "z": 41},
)
