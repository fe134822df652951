"""The anatomy of one person: shape and place of the head, T1w images, tissue maps."""

from dataclasses import dataclass

import numpy as np

from data_scripts.fields import Deformation, Grid, Sampler, bounding_box, smooth_slices
from data_scripts.motion import rotation_matrix
from data_scripts.packed import ONE

BRAIN_CENTRE = np.array([0.0, -18.0, 8.0])  # mm, MNI
BOX_CENTRE = np.array([0.0, -10.0, -12.0])  # mm, MNI: middle of a T1w box that holds head and upper neck
NATIVE_BOX = np.array([182.0, 240.0, 232.0])  # mm, size of that box along x, y, z


@dataclass(frozen=True, eq=False)
class Head:
    """Shape and place of one head.

    Attributes
    ----------
    residual : tuple of Deformation
        From MNI space, after normalisation, to the template: what normalisation has not removed.
    shape : Deformation
        From the scanner to MNI space, beyond the affine part.
    matrix : ndarray, shape (3, 4)
        From the scanner to MNI space, affine part: mm to mm.
    box : ndarray, shape (3, 3)
        Axes of the native T1w image in the scanner, a rotation.
    """

    residual: tuple
    shape: Deformation
    matrix: np.ndarray
    box: np.ndarray

    def mni_to_template(self, points):
        """Find where in the template the tissue of MNI space comes from.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            In mm.

        Returns
        -------
        ndarray, shape (n, 3)
            In mm.
        """
        return points + sum(field(points) for field in self.residual)

    def native_to_mni(self, points):
        """Convert places in the scanner to MNI space.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            In mm.

        Returns
        -------
        ndarray, shape (n, 3)
            In mm.
        """
        return points @ self.matrix[:, :3].T + self.matrix[:, 3] + self.shape(points)

    def native_to_template(self, points):
        """Find where in the template the tissue in the scanner comes from.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            In mm.

        Returns
        -------
        ndarray, shape (n, 3)
            In mm.
        """
        return self.mni_to_template(self.native_to_mni(points))

    def to_native(self, point):
        """Convert one MNI point to its place in the scanner, by the affine part alone.

        Parameters
        ----------
        point : ndarray, shape (3,)
            In mm.

        Returns
        -------
        ndarray, shape (3,)
            In mm.
        """
        return np.linalg.solve(self.matrix[:, :3], point - self.matrix[:, 3])


def simulate_head(params, *, rng):
    """Draw shape and place of a head.

    Parameters
    ----------
    params : parameters.Anatomy
    rng : numpy.random.Generator

    Returns
    -------
    Head
    """
    residual = (
        Deformation.random(params.warp_sd, params.warp_scale, rng=rng),
        Deformation.random(params.fine_warp_sd, params.fine_warp_scale, rng=rng),
    )
    shape = Deformation.random(params.native_warp_sd, params.native_warp_scale, rng=rng)
    turn = rotation_matrix(np.deg2rad(rng.standard_normal(3) * params.tilt_sd))
    size = np.diag(1 + params.size_sd * rng.standard_normal(3))
    linear = size @ turn
    place = rng.standard_normal(3) * params.place_sd
    matrix = np.column_stack([linear, BRAIN_CENTRE - linear @ (BRAIN_CENTRE + place)])
    box = rotation_matrix(np.deg2rad(rng.standard_normal(3) * params.box_tilt_sd))
    return Head(residual, shape, matrix, box)


def box_around(centre, axes, shape_xyz, zooms):
    """Make a tilted grid.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        Its middle, in mm.
    axes : ndarray, shape (3, 3)
        Rotation whose columns are the directions of its axes.
    shape_xyz : sequence of int
    zooms : float or sequence of float
        In mm.

    Returns
    -------
    Grid
    """
    affine = np.eye(4)
    affine[:3, :3] = axes * np.broadcast_to(zooms, 3)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape_xyz) - 1) / 2)
    return Grid(tuple(int(n) for n in shape_xyz[::-1]), affine)


def native_t1w_grid(head, step):
    """Make the grid of the T1w image as the scanner made it: a tilted box around the head.

    Parameters
    ----------
    head : Head
    step : float
        Voxel size in mm.

    Returns
    -------
    Grid
    """
    return box_around(head.to_native(BOX_CENTRE), head.box, np.ceil(NATIVE_BOX / step).astype(int), step)


def native_bold_grid(mask, grid, zooms, margin=4.0):
    """Make the grid of the T1w-space BOLD: along the T1w image's axes, around its brain mask.

    Parameters
    ----------
    mask : ndarray of bool
        Brain, on the native T1w grid.
    grid : Grid
        Of the mask.
    zooms : tuple of float
        Voxel size wanted, mm along x, y, z.
    margin : float
        In mm, on every side.

    Returns
    -------
    Grid
    """
    box = bounding_box(mask)[::-1]
    low, high = (np.array([getattr(side, end) for side in box], float) for end in ("start", "stop"))
    middle = grid.affine[:3, :3] @ ((low + high - 1) / 2) + grid.affine[:3, 3]
    shape = np.ceil(((high - low) * grid.zooms + 2 * margin) / zooms).astype(int)
    return box_around(middle, grid.affine[:3, :3] / grid.zooms, shape, zooms)


@dataclass(frozen=True, eq=False)
class Anatomicals:
    """T1w-derived images of one person on one grid; arrays (z, y, x).

    Attributes
    ----------
    grid : Grid
    t1w : ndarray of int16
        Corrected T1w, in units of `Anatomy.t1w_slope`.
    raw : ndarray of int16 or None
        The same before bias correction.
    mask : ndarray of bool
        Brain.
    shares : dict of ndarray of uint8
        "grey", "white", "csf": probability in percent.
    segmentation : ndarray of uint8
        0 outside, 1 grey matter, 2 white matter, 3 CSF.
    """

    grid: Grid
    t1w: np.ndarray
    raw: np.ndarray | None
    mask: np.ndarray
    shares: dict
    segmentation: np.ndarray


def _store(clean, bias, noise, slope):
    """Intensity with a smooth bias and Rician-like noise, in units of the slope."""
    values = clean * bias
    values += noise
    np.abs(values, out=values)
    values *= np.float32(1 / slope)
    return np.rint(values, out=values)


def segment(shares, mask):
    """Label each voxel of the brain with its largest share.

    Parameters
    ----------
    shares : dict of ndarray
        "grey", "white", "csf".
    mask : ndarray of bool

    Returns
    -------
    ndarray of uint8
        1 grey, 2 white, 3 CSF, as BIDS has it; 0 outside the mask.
    """
    grey, white, csf = (shares[name] for name in ("grey", "white", "csf"))
    labels = np.where(white > grey, np.uint8(2), np.uint8(1))
    labels[csf > np.maximum(grey, white)] = 3
    labels *= mask
    return labels


def simulate_anatomicals(params, ingredients, grid, transform, *, with_raw, rng):
    """Make the T1w image and what is derived from it, on one grid.

    Parameters
    ----------
    params : parameters.Anatomy
    ingredients : Ingredients
    grid : Grid
    transform : callable
        From points of this space to the template's.
    with_raw : bool
        Whether to make the uncorrected image too.
    rng : numpy.random.Generator

    Returns
    -------
    Anatomicals
    """
    t1w, mask, segmentation = (np.empty(grid.shape, dtype) for dtype in (np.int16, bool, np.uint8))
    raw = np.empty(grid.shape, np.int16) if with_raw else None
    shares = {name: np.empty(grid.shape, np.uint8) for name in ("grey", "white", "csf")}
    sampler, maps = Sampler(grid, transform), ingredients.anatomy
    biases = smooth_slices(grid.shape, np.array(grid.shape) / 4, rng=rng)
    gains = rim_gain(grid.shape, params.raw_bias)
    for row, (slices, bias, gain) in enumerate(zip(maps.pull_slices(sampler), biases, gains, strict=True)):
        pulled = dict(zip(maps.names, slices, strict=True))
        clean = pulled.pop("t1w") * np.float32(params.t1w_scale / ONE)
        noise = rng.standard_normal(clean.shape, dtype=np.float32)
        noise *= np.float32(params.t1w_noise)
        bias *= np.float32(params.bias_sd)
        bias += 1
        t1w[row] = _store(clean, bias, noise, params.t1w_slope)
        if with_raw:
            raw[row] = _store(clean, bias * gain, noise, params.t1w_slope)
        mask[row] = sum(pulled.values()) > 50 * ONE  # of 100 % in all, so they fit 16 bits
        for name, share in pulled.items():
            share += ONE // 2
            share >>= ONE.bit_length() - 1
            shares[name][row] = share
        segmentation[row] = segment({name: share[row] for name, share in shares.items()}, mask[row])
    return Anatomicals(grid, t1w, raw, mask, shares, segmentation)


def rim_gain(shape, strength):
    """Make the receive field of a head coil, slice by slice.

    Parameters
    ----------
    shape : tuple of int
        Three axes.
    strength : float
        Gain at the middle of each face, above the 1 of the box's middle.

    Yields
    ------
    ndarray of float32, shape shape[1:]
        Along the first axis.
    """
    first, second, third = (np.linspace(-1, 1, n, dtype=np.float32) ** 2 * np.float32(strength) for n in shape)
    within = 1 + second[:, None] + third
    for height in first:
        yield within + height
