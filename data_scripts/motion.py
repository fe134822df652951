"""How a head moves: events, a slow walk, breathing; and what realignment makes of it."""

from dataclasses import dataclass

import numpy as np

RADIUS = 50.0  # mm; turns rotations into arcs, Power et al. 2012
# a head pitches and slides up and down more than it turns or shifts sideways: mm, and radians on a sphere of 50 mm
AXES = np.array([0.35, 0.7, 0.9, 0.7 / RADIUS, 0.35 / RADIUS, 0.35 / RADIUS])
BREATH = np.array([0.003, 0.016, 0.019, 0.012 / RADIUS, 0.003 / RADIUS, 0.003 / RADIUS])


@dataclass(frozen=True, eq=False)
class Motion:
    """Motion of one head during one run.

    Attributes
    ----------
    true, estimate : ndarray, shape (n_volumes, 6)
        Translations along x, y, z in mm and rotations about them in radians; the first is 0 in `true`.
    displacement : ndarray, shape (n_volumes,)
        True framewise displacement in mm, 0 for the first volume.
    """

    true: np.ndarray
    estimate: np.ndarray
    displacement: np.ndarray


def framewise_displacement(parameters):
    """Compute the framewise displacement of Power et al. 2012: sum of the absolute differences of two volumes.

    Parameters
    ----------
    parameters : ndarray, shape (n_volumes, 6)
        In mm and radians; rotations count as arcs on a sphere of 50 mm.

    Returns
    -------
    ndarray, shape (n_volumes,)
        In mm; the first is NaN.
    """
    steps = np.abs(np.diff(parameters, axis=0)) * [1, 1, 1, RADIUS, RADIUS, RADIUS]
    return np.concatenate([[np.nan], steps.sum(1)])


def draw_mean_fd(params, diagnosis, *, rng):
    """Draw the mean framewise displacement of one person.

    Parameters
    ----------
    params : parameters.Motion
    diagnosis : {"CONTROL", "SCHZ"}
    rng : numpy.random.Generator

    Returns
    -------
    float
        In mm.
    """
    middle = {"CONTROL": params.fd_controls, "SCHZ": params.fd_patients}[diagnosis]
    return float(np.clip(middle * np.exp(params.fd_sd * rng.standard_normal()), *params.fd_limits))


def simulate_events(mean_fd, n_volumes, *, rng):
    """Draw sudden movements: jerks that go back and shifts that stay.

    Parameters
    ----------
    mean_fd : float
        In mm: people who move more have more of them.
    n_volumes : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_volumes, 6)
        Displacement that the events add, in mm and radians, before scaling to the person's mean FD.
    """
    path = np.zeros((n_volumes, 6))
    for start in rng.integers(5, n_volumes - 2, rng.poisson(6 + 90 * max(0.0, mean_fd - 0.06))):
        jump = rng.standard_normal(6) * AXES * rng.gamma(1.5, 0.33)
        if rng.random() < 0.35:
            path[start:] += 0.6 * jump
        else:
            path[start : start + rng.integers(1, 4)] += jump
    return path


def simulate_motion(params, mean_fd, events, breathing, *, rng):
    """Draw the motion of one run, so that its estimate has the wanted mean framewise displacement.

    Parameters
    ----------
    params : parameters.Motion
    mean_fd : float
        In mm.
    events : ndarray, shape (n_volumes, 6)
        From `simulate_events`.
    breathing : ndarray, shape (n_volumes,)
        Chest excursion, SD 1.
    rng : numpy.random.Generator

    Returns
    -------
    Motion
    """
    n_volumes = len(events)
    liveliness = (mean_fd / 0.17) ** 0.8  # still people also drift and nod less
    walk = np.cumsum(rng.standard_normal((n_volumes, 6)), axis=0) * 0.017 * AXES * liveliness
    sway = np.cumsum(rng.standard_normal((n_volumes, 6)), axis=0)
    ramp = np.linspace(0, 1, n_volumes)[:, None]
    sway = (sway - ramp * sway[-1]) / np.sqrt(n_volumes) * 0.12 * AXES
    base = walk + sway + np.outer(breathing, BREATH) * liveliness
    error = rng.standard_normal((n_volumes, 6)) * params.estimate_error * np.sqrt(liveliness)

    low, high = 0.0, 20.0
    for _ in range(30):
        middle = (low + high) / 2
        tried = np.nanmean(framewise_displacement(base * (1 + 0.15 * middle) + middle * events + error))
        low, high = (middle, high) if tried < mean_fd else (low, middle)
    true = base * (1 + 0.15 * middle) + middle * events
    true = true - true[0]
    return Motion(true, true + error, np.nan_to_num(framewise_displacement(true)))


def rotation_matrix(angles):
    """Make the matrix of a rotation about x, then y, then z.

    Parameters
    ----------
    angles : sequence of float
        Three, in radians.

    Returns
    -------
    ndarray, shape (3, 3)
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def rigid_matrices(parameters):
    """Turn motion parameters into matrices.

    Parameters
    ----------
    parameters : ndarray, shape (n_volumes, 6)
        In mm and radians.

    Returns
    -------
    ndarray, shape (n_volumes, 4, 4)
        Homogeneous.
    """
    matrices = np.tile(np.eye(4), (len(parameters), 1, 1))
    for matrix, row in zip(matrices, parameters, strict=True):
        matrix[:3, :3] = rotation_matrix(row[3:])
        matrix[:3, 3] = row[:3]
    return matrices
