"""What the scanner would measure if nothing fluctuated: brightness, slices, signal loss, the first volumes."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from data_scripts.fields import Grid, Sampler, smooth_noise
from data_scripts.motion import rotation_matrix

TISSUES = ("grey", "white", "csf", "outside")
MOST_LOST = 2.2  # exponent of the signal loss where it is worst: a tenth is left, above the noise
HEAD_THRESHOLD = 0.13  # smoothed EPI brightness relative to grey matter below which a voxel is air


@dataclass(frozen=True, eq=False)
class Slab:
    """The box that the slices fill, in MNI space.

    Attributes
    ----------
    centre : ndarray, shape (3,)
        In mm.
    axes : ndarray, shape (3, 3)
        Rotation; its columns are the directions of readout, phase encoding, and the stack of slices.
    """

    centre: np.ndarray
    axes: np.ndarray

    def locate(self, grid):
        """Find where voxels lie in the slab.

        Parameters
        ----------
        grid : Grid
            Aligned with the axes of space.

        Returns
        -------
        list of ndarray of float32, shape grid.shape
            Distance in mm from the centre along readout, phase encoding, stack.
        """
        away = [a - np.float32(c) for a, c in zip(grid.axes(), self.centre, strict=True)]
        return [sum(np.float32(part) * a for part, a in zip(axis, away, strict=True)) for axis in self.axes.T]


@dataclass(frozen=True, eq=False)
class Baseline:
    """The steady state of one person's run; arrays are (z, y, x) on `grid`.

    Attributes
    ----------
    grid : Grid
    intensity : ndarray of float32
        0 in air and beyond the slices.
    shares : dict of ndarray of float32
        "grey", "white", "csf", "outside": share of a tissue in the voxel's *signal*; they sum to 1 where there is any.
    tissues : dict of ndarray of float32
        The same as share of the voxel's volume, as the tissue maps say.
    flip : ndarray of float32
        Flip angle in radians.
    dropout : ndarray of float32
        Signal loss through the field, 0 (none) to 1.
    mask : ndarray of bool
        Brain that the slices cover.
    slice_position : ndarray of float32
        Distance in mm from the middle slice.
    slab : Slab
    """

    grid: Grid
    intensity: np.ndarray
    shares: dict
    tissues: dict
    flip: np.ndarray
    dropout: np.ndarray
    mask: np.ndarray
    slice_position: np.ndarray
    slab: Slab

    @property
    def active(self):
        """Find the voxels that are not air.

        Returns
        -------
        ndarray of int, shape (n_active,)
            Flat indices.
        """
        return np.flatnonzero((self.intensity > 0).ravel())


def excess_before_steady_state(pulse, t1, t_r, flip):
    """Compute by how much the n-th excitation outshines the steady state (spoiled Bloch equations).

    Longitudinal magnetisation starts at equilibrium; each pulse leaves cos(flip) of it, each interval brings it
    back with time constant T1. The distance to the steady state shrinks by exp(-t_r / T1) cos(flip) a pulse.

    Parameters
    ----------
    pulse : int
        0 for the first volume.
    t1, t_r : float
        In seconds.
    flip : float or ndarray
        In radians.

    Returns
    -------
    float or ndarray
        Signal over that of the steady state, minus 1.
    """
    recovery = np.exp(-t_r / t1)
    kept = recovery * np.cos(flip)
    steady = (1 - recovery) / (1 - kept)
    return (1 / steady - 1) * kept**pulse


def approach_to_steady_state(params, baseline, pulse, t_r):
    """Compute the extra signal of one of the first volumes, each tissue by its own T1.

    Parameters
    ----------
    params : parameters.Scanner
    baseline : Baseline
    pulse : int
        0 for the first volume.
    t_r : float
        In seconds.

    Returns
    -------
    ndarray, shape (n_active,)
        As a fraction of the baseline.
    """
    active = baseline.active
    flip = baseline.flip.ravel()[active]
    times = {"grey": params.t1_grey, "white": params.t1_white, "csf": params.t1_csf, "outside": params.t1_other}
    return sum(
        baseline.shares[name].ravel()[active] * excess_before_steady_state(pulse, t1, t_r, flip)
        for name, t1 in times.items()
    )


def simulate_slab(params, *, rng):
    """Draw where the operator put the slices: tilted forward, a little rolled and turned.

    Parameters
    ----------
    params : parameters.Scanner
    rng : numpy.random.Generator

    Returns
    -------
    Slab
    """
    mean, sd = params.slab_tilt
    angles = [mean + sd * rng.standard_normal(), 0.4 * sd * rng.standard_normal(), 0.4 * sd * rng.standard_normal()]
    centre = np.array(params.slab_centre) + rng.standard_normal(3) * params.slab_place_sd
    return Slab(centre, rotation_matrix(np.deg2rad(angles)))


def _receive_gain(grid, params, rng):
    """Brightness left over after correction for the coil: brighter rim, smooth personal part."""
    x, y, z = grid.axes()
    rim = (x / 90) ** 2 + ((y + 15) / 110) ** 2 + ((z - 10) / 90) ** 2
    gain = 1 + params.coil_gain * (rim - 0.6 * (y + 15) / 110 + 0.6 * (z - 10) / 90)
    return gain * (1 + 0.03 * smooth_noise(grid.shape, 30 / grid.zooms[::-1], rng=rng))


def _dropout(grid, params, rng):
    """Signal loss above the sinuses and ear canals, 0 to 1."""
    lost = np.zeros(grid.shape, np.float32)
    for *centre, rx, ry, rz, strength in params.dropout:
        moved = np.array(centre) + 2 * rng.standard_normal(3)
        squares = sum(((a - c) / r) ** 2 for a, c, r in zip(grid.axes(), moved, (rx, ry, rz), strict=True))
        lost += strength * np.exp(0.2 * rng.standard_normal()) * np.exp(-0.8 * squares)
    return (1 - np.exp(-MOST_LOST * np.tanh(lost / MOST_LOST))).astype(np.float32)


def _brightness(tissues, params, grid, rng):
    """EPI brightness that each tissue contributes to each voxel, relative to pure grey matter."""
    weights = {"grey": params.grey, "white": params.white, "csf": params.csf}
    parts = {}
    for name, weight in weights.items():
        texture = 1 + 0.05 * smooth_noise(grid.shape, 4.5 / grid.zooms[::-1], rng=rng)
        parts[name] = tissues[name] * texture * np.float32(weight)
    mottled = np.maximum(1 + 0.3 * smooth_noise(grid.shape, 8 / grid.zooms[::-1], rng=rng), 0.2)
    parts["outside"] = tissues["outside"] * mottled  # its map is a brightness already
    return parts


def simulate_baseline(params, ingredients, grid, head, *, rng):
    """Make the steady-state image of one person.

    Parameters
    ----------
    params : parameters.Scanner
    ingredients : Ingredients
    grid : Grid
        BOLD in MNI space.
    head : Head
    rng : numpy.random.Generator

    Returns
    -------
    Baseline
    """
    maps = Sampler(grid, head.mni_to_template).pull([ingredients.epi[n] for n in TISSUES], ingredients.epi_grid)
    tissues = dict(zip(TISSUES, maps, strict=True))
    slab = simulate_slab(params, rng=rng)
    located = slab.locate(grid)
    covered = np.all([np.abs(a) < size / 2 for a, size in zip(located, params.slab_size, strict=True)], axis=0)
    dropout = _dropout(grid, params, rng)
    parts = _brightness(tissues, params, grid, rng)
    total = sum(parts.values())
    mask = (tissues["grey"] + tissues["white"] + tissues["csf"] > 0.5) & covered
    seen = ((gaussian_filter(total, 0.7) > HEAD_THRESHOLD) | mask) & covered
    intensity = params.intensity * _receive_gain(grid, params, rng) * (1 - dropout) * total
    intensity = gaussian_filter1d(intensity, params.phase_blur, axis=1) * seen
    uneven = 1 + params.flip_sd * smooth_noise(grid.shape, 60 / grid.zooms[::-1], rng=rng)
    return Baseline(
        grid=grid,
        intensity=intensity.astype(np.float32),
        shares={n: part / np.maximum(total, 1e-6) for n, part in parts.items()},
        tissues=tissues,
        flip=(np.deg2rad(params.flip_angle) * uneven).astype(np.float32),
        dropout=dropout,
        mask=mask,
        slice_position=located[2],
        slab=slab,
    )
