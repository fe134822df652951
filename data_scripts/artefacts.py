"""What else changes the signal: breathing, pulse, drift, motion. Each cause is time courses times maps."""

import numpy as np

from data_scripts.fields import smooth_noise

LAGS = np.arange(-4.0, 5.5, 1.0)  # s; local lags of the slow response are interpolated between these
SPIN_TAPS = (0.8, 1.0, 0.15)  # loss in the volume of a movement and in the next two: one or two TRs
SPIN_SCALES = (40.0, 34.0) * 12  # mm, of each smooth pattern of loss: near voxels lose alike, far ones do not


class Maps:
    """Maps over the active voxels of one baseline.

    Parameters
    ----------
    baseline : Baseline
    rng : numpy.random.Generator

    Attributes
    ----------
    grey, white, csf : ndarray of float32, shape (n_active,)
        Shares of the voxel's signal.
    x, y, z : ndarray of float32, shape (n_active,)
        In mm.
    """

    def __init__(self, baseline, *, rng):
        self.baseline, self.rng = baseline, rng
        self.active = baseline.active
        self.grey, self.white, self.csf = (self.pick(baseline.shares[n]) for n in ("grey", "white", "csf"))
        self.x, self.y, self.z = (self.pick(np.broadcast_to(a, baseline.grid.shape)) for a in baseline.grid.axes())

    def pick(self, volume):
        """Pick the active voxels out of a volume.

        Parameters
        ----------
        volume : ndarray, shape (z, y, x)

        Returns
        -------
        ndarray, shape (n_active,)
        """
        return volume.ravel()[self.active]

    def noise(self, scale):
        """Draw a smooth random map of SD 1.

        Parameters
        ----------
        scale : float
            Distance in mm over which it varies.

        Returns
        -------
        ndarray of float32, shape (n_active,)
        """
        grid = self.baseline.grid
        return self.pick(smooth_noise(grid.shape, scale / grid.zooms[::-1], rng=self.rng))

    def gradients(self, limit=0.5):
        """Compute the relative change of the baseline per mm.

        Parameters
        ----------
        limit : float
            Larger changes are cut to it.

        Returns
        -------
        ndarray of float32, shape (3, n_active)
            Along x, y, z.
        """
        image, grid = self.baseline.intensity, self.baseline.grid
        floor = 0.1 * np.median(image[self.baseline.mask])
        relative = 1 / np.maximum(self.pick(image), floor)
        slopes = [np.gradient(image, step, axis=axis) for axis, step in zip((2, 1, 0), grid.zooms, strict=True)]
        return np.clip(np.stack([self.pick(s) * relative for s in slopes]), -limit, limit).astype(np.float32)

    def curvatures(self, limit=0.6):
        """Compute the relative second difference of the baseline.

        Parameters
        ----------
        limit : float
            Larger ones are cut to it.

        Returns
        -------
        ndarray of float32, shape (3, n_active)
            Per voxel squared, along x, y, z.
        """
        image = self.baseline.intensity
        relative = 1 / np.maximum(self.pick(image), 0.1 * np.median(image[self.baseline.mask]))
        bends = []
        for axis in (2, 1, 0):
            padded = np.pad(image, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
            bends.append(self.pick(np.diff(padded, n=2, axis=axis)) * relative)
        return np.clip(np.stack(bends), -limit, limit).astype(np.float32)


def _demean(courses):
    return courses - courses.mean(0)


def _slow_physiology(params, maps, traces, mean_fd, n_volumes, t_r, *, rng):
    """Slow change with breathing and heart rate, arriving earlier here and later there.

    Returns
    -------
    courses : ndarray, shape (n_volumes, n_lags)
    maps : ndarray, shape (n_lags, n_active)
    """
    courses = np.stack([traces.slow_at(np.arange(n_volumes) * t_r, lag) for lag in LAGS], 1)
    gain = np.exp(params.gain_sd * rng.standard_normal()) * (mean_fd / 0.17) ** params.slow_with_motion
    amplitude = (
        params.slow
        / 100
        * gain
        * (maps.grey * (1 + 0.3 * maps.noise(14)) + params.slow_white * maps.white + params.slow_csf * maps.csf)
    )
    lag = np.clip(params.lag_sd * maps.noise(22) + 1.0 * maps.white, LAGS[0], LAGS[-1])
    shares = np.maximum(0, 1 - np.abs(lag[None] - LAGS[:, None]) / (LAGS[1] - LAGS[0]))
    return courses, shares * amplitude


def _cardiac(params, maps, traces, t_r, *, rng):
    """Pulse in ventricles, large vessels and, weakly, everywhere; its phase turns from slice to slice.

    Returns
    -------
    courses : ndarray, shape (n_volumes, 2)
    maps : ndarray, shape (2, n_active)
    """
    ventricles = maps.csf * np.exp(-((maps.x / 28) ** 2) - ((maps.y + 22) / 40) ** 2 - ((maps.z - 8) / 30) ** 2)
    willis = np.exp(-((maps.x / 22) ** 2) - ((maps.y + 12) / 30) ** 2 - ((maps.z + 28) / 18) ** 2)
    vessels = 2 * np.clip(maps.noise(5) - 1.2, 0, 3) * (maps.csf > 0.15)
    rim = ((maps.y + 18) / 90) ** 2 + ((maps.z - 5) / 68) ** 2  # the sagittal sinus runs in the midline, along the rim
    sinus = 1.2 * np.exp(-((maps.x / 5) ** 2)) * (maps.csf > 0.1) * np.clip((rim - 0.7) / 0.2, 0, 1) * (maps.z > -20)
    strength = 0.3 * maps.grey + 0.1 * maps.white + 0.5 * maps.csf
    strength += 0.8 * ventricles + 2.5 * willis + 2 * (vessels + sinus)
    strength *= params.cardiac / 100 * np.exp(params.gain_sd * rng.standard_normal())
    position = maps.pick(maps.baseline.slice_position)
    inside = position[maps.pick(maps.baseline.mask)]
    # slices are acquired one after the other, so the pulse moves on between them
    delay = (position - inside.min()) / np.ptp(inside) * t_r
    phase = 2 * np.pi * traces.heart_rate * delay
    return traces.pulse, np.stack([strength * np.cos(phase), -strength * np.sin(phase)])


def _respiratory(params, maps, traces, gradients, *, rng):
    """Breathing moves the field, and with it the image along the phase-encoding axis: seen at edges.

    Returns
    -------
    courses : ndarray, shape (n_volumes, 1)
    maps : ndarray, shape (1, n_active)
    """
    along = gradients[1]
    low = np.clip(1 - maps.z / 80, 0.3, 2)  # nearer to the chest
    gain = np.exp(params.gain_sd * rng.standard_normal())
    change = params.respiratory / 100 * gain * (0.8 * low * along / along.std() + 0.15 * maps.grey)
    return traces.breathing[:, None], change[None]


def _drift(params, maps, n_volumes, *, rng):
    """Scanner drift: linear, quadratic, and one slow wave; partly shared by the whole head.

    Returns
    -------
    courses : ndarray, shape (n_volumes, 3)
    maps : ndarray, shape (3, n_active)
    """
    ramp = np.linspace(-1, 1, n_volumes)
    courses = np.stack([ramp, ramp**2, np.cos(1.5 * np.pi * (ramp + rng.random()))], 1)
    courses = _demean(courses) / courses.std(0)
    common = params.drift_common * rng.standard_normal(3)
    change = params.drift / 100 * np.array([0.7, 0.6, 0.6])[:, None]
    return courses, np.stack([c * (shared + maps.noise(32)) for c, shared in zip(change, common, strict=True)])


def _displacement_left(params, maps, motion, gradients):
    """First-order change of intensity through the displacement that realignment leaves.

    Part of it goes with the true motion and lies in the span of the motion parameters; part is the estimate's error
    and does not.

    Returns
    -------
    courses : ndarray, shape (n_volumes, 6)
    maps : ndarray, shape (6, n_active)
    """
    gx, gy, gz = gradients
    rx, ry, rz = maps.x, maps.y + 20, maps.z - 10
    turns = np.stack([gz * ry - gy * rz, gx * rz - gz * rx, gy * rx - gx * ry])
    left = params.residual * _demean(motion.true) + params.realignment * _demean(motion.true - motion.estimate)
    return left, -np.concatenate([gradients, turns])


def _interpolation_blur(params, maps, motion):
    """Blur by interpolating a moved image: grows with the fraction of a voxel by which it has to be moved back.

    A trilinear shift by a fraction f of a voxel blurs with variance f (1 - f): not in the span of the parameters.

    Returns
    -------
    courses : ndarray, shape (n_volumes, 3)
    maps : ndarray, shape (3, n_active)
    """
    fraction = np.abs(motion.true[:, :3]) / maps.baseline.grid.zooms
    fraction = np.abs(fraction - np.rint(fraction))
    courses = _demean(fraction * (1 - fraction)) * params.interpolation / 2
    return courses, maps.curvatures()


def _moving_distortion(params, maps, motion, gradients):
    """Distortion that changes when the head turns in the field: second order in pitch and roll, near the sinuses.

    Returns
    -------
    courses : ndarray, shape (n_volumes, 3)
    maps : ndarray, shape (3, n_active)
    """
    pitch, roll = np.rad2deg(motion.true[:, 3]), np.rad2deg(motion.true[:, 4])
    courses = _demean(np.stack([pitch**2, roll**2, pitch * roll], 1)) * params.distortion
    near = maps.pick(maps.baseline.dropout) + 0.15
    return courses, np.stack([gradients[1] * near * (1 + 0.3 * maps.noise(20)) for _ in range(3)])


def _spin_history(params, maps, motion, *, rng):
    """Signal lost because tissue moves to where it has not been excited for long; gone after one or two volumes.

    The whole head loses some; smooth patterns and slices lose or gain, differently at each movement. It is these
    patterns that let motion raise the correlation of near regions more than that of far ones.

    Returns
    -------
    courses : ndarray, shape (n_volumes, n_patterns)
    maps : ndarray, shape (n_patterns, n_active)
    """
    n_volumes = len(motion.displacement)
    beyond = np.maximum(motion.displacement - params.spin_threshold, 0)
    beyond = params.spin_saturation * np.tanh(beyond / params.spin_saturation)
    size = beyond * np.exp(0.7 * rng.standard_normal(n_volumes))  # how much is lost varies

    def spread(values):
        """Let each loss last into the next volumes."""
        return np.convolve(values, SPIN_TAPS)[:n_volumes]

    courses = [spread(size)]
    change = [-params.spin_history / 100 * (maps.grey + 0.4 * maps.white + 1.1 * maps.csf) * (1 + 0.3 * maps.noise(12))]
    for scale in SPIN_SCALES:
        courses.append(spread(size * rng.standard_normal(n_volumes)))
        change.append(params.spin_variability / 100 * maps.noise(scale))
    thickness = maps.baseline.grid.zooms[2]
    bands = np.sin(np.pi * maps.pick(maps.baseline.slice_position) / thickness + 0.3)  # every other slice
    courses.append(spread(size * rng.standard_normal(n_volumes)))
    change.append(params.spin_variability * params.bands / 100 * bands)
    return np.stack(courses, 1), np.stack(change)


def simulate_artefacts(physics, baseline, traces, motion, mean_fd, t_r, *, rng):
    """Draw all artefacts of one run.

    Parameters
    ----------
    physics : parameters.Physics
    baseline : Baseline
    traces : Traces
    motion : Motion
    mean_fd : float
        In mm: people who move more also breathe less evenly.
    t_r : float
        In seconds.
    rng : numpy.random.Generator

    Returns
    -------
    courses : ndarray of float32, shape (n_volumes, n_causes)
    maps : ndarray of float32, shape (n_causes, n_active)
        Fractions of the baseline.
    """
    maps = Maps(baseline, rng=rng)
    gradients = maps.gradients()
    n_volumes = len(motion.true)
    causes = [
        _slow_physiology(physics.physiology, maps, traces, mean_fd, n_volumes, t_r, rng=rng),
        _cardiac(physics.physiology, maps, traces, t_r, rng=rng),
        _respiratory(physics.physiology, maps, traces, gradients, rng=rng),
        _drift(physics.physiology, maps, n_volumes, rng=rng),
        _displacement_left(physics.motion, maps, motion, gradients),
        _interpolation_blur(physics.motion, maps, motion),
        _moving_distortion(physics.motion, maps, motion, gradients),
        _spin_history(physics.motion, maps, motion, rng=rng),
    ]
    courses = np.concatenate([c for c, _ in causes], 1).astype(np.float32)
    return courses, np.concatenate([m for _, m in causes]).astype(np.float32)
