"""The BOLD run: neural signal and artefacts on top of a baseline, and noise. One volume at a time."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from data_scripts.baseline import Baseline, approach_to_steady_state
from data_scripts.fields import bounding_box

LONGEST_APPROACH = 6  # volumes after which magnetisation is in its steady state


@dataclass(frozen=True, eq=False)
class VoxelWeights:
    """How the nodes reach the voxels.

    Attributes
    ----------
    voxels : ndarray of int32, shape (n_voxels,)
        Flat indices on the BOLD grid of the voxels with neural signal.
    nodes : ndarray of int16, shape (n_voxels, n_neighbours)
    weights : ndarray of float32, shape (n_voxels, n_neighbours)
        Signal, as a fraction of the voxel's baseline, per unit of a node.
    """

    voxels: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray

    def matrix(self, n_nodes):
        """Give the weights as a matrix.

        Parameters
        ----------
        n_nodes : int

        Returns
        -------
        scipy.sparse.csr_array, shape (n_voxels, n_nodes)
        """
        rows = np.arange(0, self.nodes.size + 1, self.nodes.shape[1])
        entries = (self.weights.ravel(), self.nodes.ravel().astype(np.int32), rows)
        return sparse.csr_array(entries, shape=(len(self.voxels), n_nodes))


def simulate_voxel_weights(params, baseline, centres, covariance, *, rng):
    """Let each grey-matter voxel hear its nearest nodes.

    Parameters
    ----------
    params : parameters.Neural
    baseline : Baseline
    centres : ndarray, shape (n_nodes, 3)
        In mm.
    covariance : ndarray, shape (n_nodes, n_nodes)
        Of the nodes: the weights are scaled so that every voxel has the amplitude that it should have.
    rng : numpy.random.Generator

    Returns
    -------
    VoxelWeights
    """
    share = baseline.shares["grey"].ravel()
    voxels = np.flatnonzero((share > 0.05) & (baseline.intensity.ravel() > 0))
    jittered = centres + params.jitter * rng.standard_normal(centres.shape)
    distance, nodes = cKDTree(jittered).query(baseline.grid.points(voxels), k=params.neighbours)
    weights = np.exp(-(distance**2 - distance[:, :1] ** 2) / (2 * params.spread**2))
    variance = np.einsum(
        "vk,vkl,vl->v", weights, covariance[nodes[:, :, None], nodes[:, None, :]], weights, optimize=True
    )
    far = np.maximum(distance[:, 0] - params.reach, 0)
    gain = np.exp(params.gain_sd * rng.standard_normal())
    amplitude = params.amplitude / 100 * gain * share[voxels] * np.exp(-far / params.fall_off)
    weights *= (amplitude / np.sqrt(variance))[:, None]
    return VoxelWeights(voxels.astype(np.int32), nodes.astype(np.int16), weights.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Run:
    """Everything that one BOLD run is made of.

    Attributes
    ----------
    baseline : Baseline
    weights : VoxelWeights
    nodes : ndarray of float32, shape (n_volumes, n_nodes)
    courses : ndarray of float32, shape (n_volumes, n_causes)
        Artefacts over time.
    maps : ndarray of float32, shape (n_causes, n_active)
        Artefacts over `baseline.active`, as fractions of the baseline.
    """

    baseline: Baseline
    weights: VoxelWeights
    nodes: np.ndarray
    courses: np.ndarray
    maps: np.ndarray


def generate_volumes(run, params, t_r, chunk=8):
    """Go through the volumes of a run, without noise.

    Parameters
    ----------
    run : Run
    params : parameters.Scanner
    t_r : float
        In seconds.
    chunk : int
        Volumes computed at once.

    Yields
    ------
    ndarray of float32, shape (n_active,)
        Intensity over `baseline.active`.
    """
    baseline = run.baseline
    active = baseline.active
    intensity = baseline.intensity.ravel()[active]
    place = np.searchsorted(active, run.weights.voxels)
    matrix = run.weights.matrix(run.nodes.shape[1])
    for first in range(0, len(run.nodes), chunk):
        rows = slice(first, first + chunk)
        change = run.courses[rows] @ run.maps
        neural = matrix @ np.ascontiguousarray(run.nodes[rows].T)
        for row, volume in enumerate(change):
            volume[place] += neural[:, row]
            if first + row < LONGEST_APPROACH:
                volume += approach_to_steady_state(params, baseline, first + row, t_r)
            volume += 1
            volume *= intensity
            yield volume


def compute_artefact_share(run, noise_level):
    """Compute how much of each voxel's variance, in the steady state, is not neural.

    Parameters
    ----------
    run : Run
    noise_level : ndarray, shape (n_active,)
        SD of the thermal noise, in units of intensity.

    Returns
    -------
    ndarray, shape (n_voxels,)
        0 to 1, for the voxels that have neural signal.
    """
    place = np.searchsorted(run.baseline.active, run.weights.voxels)
    maps = run.maps[:, place]
    centred = run.courses - run.courses.mean(0)
    covariance = centred.T @ centred / len(centred)
    spurious = np.einsum("cv,cv->v", maps, covariance @ maps)
    intensity = run.baseline.intensity.ravel()[run.weights.voxels]
    spurious += (noise_level[place] / intensity) ** 2
    neural = np.var(run.weights.matrix(run.nodes.shape[1]) @ np.ascontiguousarray(run.nodes.T), axis=1)
    return spurious / (spurious + neural)


def _smooth_neighbours(values, weight):
    """Smooth a volume with the kernel [weight, 1 - 2 weight, weight] along each axis; edges keep less."""
    for axis in range(values.ndim):
        smoothed = values * np.float32(1 - 2 * weight)
        ahead = tuple(slice(1, None) if a == axis else slice(None) for a in range(values.ndim))
        behind = tuple(slice(None, -1) if a == axis else slice(None) for a in range(values.ndim))
        smoothed[ahead] += np.float32(weight) * values[behind]
        smoothed[behind] += np.float32(weight) * values[ahead]
        values = smoothed
    return values


class Noise:
    """Thermal noise, as smooth as resampling leaves it, stronger in the middle of the head where coils are far.

    Parameters
    ----------
    params : parameters.Scanner
    baseline : Baseline
    rng : numpy.random.Generator

    Attributes
    ----------
    level : ndarray of float32, shape (n_active,)
        SD in units of intensity.
    """

    def __init__(self, params, baseline, *, rng):
        self._rng, self._weight = rng, params.noise_kernel
        seen = baseline.intensity > 0
        box = bounding_box(seen)
        self._shape = seen[box].shape
        self._active = np.flatnonzero(seen[box])
        x, y, z = baseline.grid.axes()
        far = np.exp(-0.5 * ((x / 45) ** 2 + ((y + 18) / 55) ** 2 + ((z - 5) / 45) ** 2))
        wanted = params.intensity / params.thermal_tsnr * (0.85 + 0.35 * far)
        self.level = np.broadcast_to(wanted, seen.shape)[box].ravel()[self._active].astype(np.float32)
        # white noise of SD 1 comes out of the kernel with this SD
        kernel_sd = (1 - 4 * self._weight + 6 * self._weight**2) ** 1.5
        self._factor = self.level / np.float32(kernel_sd)

    def draw(self):
        """Draw the noise of one volume.

        Returns
        -------
        ndarray of float32, shape (n_active,)
        """
        white = self._rng.standard_normal(self._shape, dtype=np.float32)
        smooth = _smooth_neighbours(white, self._weight).ravel()[self._active]
        smooth *= self._factor
        return smooth


def to_image(values, active, shape, slope):
    """Put values over the active voxels into a volume as it is stored.

    Parameters
    ----------
    values : ndarray, shape (n_active,)
        Intensity; magnitudes are taken.
    active : ndarray of int, shape (n_active,)
        Flat indices.
    shape : tuple of int
        Of the volume, (z, y, x).
    slope : float

    Returns
    -------
    ndarray of int16
        In units of `slope`; air is 0.
    """
    image = np.zeros(int(np.prod(shape)), np.int16)
    image[active] = np.rint(np.abs(values) * np.float32(1 / slope))
    return image.reshape(shape)
