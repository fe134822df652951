"""The run as the scanner wrote it: own box, head moved and turned, image distorted, nothing corrected."""

from functools import partial

import numpy as np
from scipy import ndimage

from course_utils.layout import bids_path
from data_scripts.anatomy import box_around
from data_scripts.fields import Sampler
from data_scripts.images import SCANNER_CODE, Volume
from data_scripts.motion import rigid_matrices, rotation_matrix

SHIFT_SD = (1.5, 3.0, 3.0)  # mm: the head has moved between the T1w image and the run
TURN_SD = (2.5, 1.0, 1.5)  # degrees
UNSMOOTHED = 1.4  # noise before resampling, relative to what the realigned images have


class ScannerView:
    """Turns the volumes of a simulated run into what the scanner would have written.

    Parameters
    ----------
    params : parameters.Scanner
    baseline : Baseline
        Of the run in MNI space.
    head : Head
    motion : Motion
        The true one is applied.
    profile : Profile
    rng : numpy.random.Generator

    Attributes
    ----------
    grid : Grid
        Oblique, in scanner space: the slices.
    series : ndarray of int16, shape (n_volumes, z, y, x)
    """

    def __init__(self, params, baseline, head, motion, profile, *, rng):
        self.params, self.baseline, self.head, self.t_r, self.rng = params, baseline, head, profile.t_r, rng
        between = np.eye(4)
        between[:3, :3] = rotation_matrix(np.deg2rad(rng.standard_normal(3) * TURN_SD))
        between[:3, 3] = rng.standard_normal(3) * SHIFT_SD
        self.pivot = head.to_native(baseline.slab.centre)
        self.poses = np.linalg.inv(rigid_matrices(motion.true) @ between)
        # the slices lie on the head, wherever it was when the run began
        axes, _ = np.linalg.qr(np.linalg.solve(head.matrix[:, :3], baseline.slab.axes))
        axes *= np.sign(np.diag(axes))
        shape = np.round(np.array(params.slab_size) / profile.bold_zooms).astype(int)
        self.grid = box_around(self.pivot + between[:3, 3], between[:3, :3] @ axes, shape, profile.bold_zooms)
        self.series = np.zeros((profile.n_volumes, *self.grid.shape), np.int16)
        self._placed = None
        self.shift = np.zeros(self.grid.shape, np.float32)
        self.shift = self._displacement()
        self._placed = None  # placed without the shift so far
        self.squeeze = 1 + np.gradient(self.shift, self.grid.zooms[1], axis=1)

    def _sampler(self, index):
        """From the voxels of the scanner to MNI space, with the head as it is in volume `index`."""
        return Sampler(self.grid, partial(self._to_mni, self.poses[index]), 8.0)

    def _to_mni(self, pose, points):
        """MNI coordinates of points of the scanner, distortion included, with the head in one pose.

        The same points are asked for every volume. What bends space between head and MNI changes over centimetres,
        a head moves by millimetres: the bend is computed once, the pose changes the straight part alone.
        """
        if self._placed is None:
            where = self.grid.to_voxels(points).T[::-1]
            shift = ndimage.map_coordinates(self.shift, where, order=1, mode="nearest")
            seen = points + shift[:, None] * self.grid.affine[:3, 1] / self.grid.zooms[1]
            first = self._turn(self.poses[0], seen)
            self._placed = seen, first, self.head.native_to_mni(first)
        seen, first, bent = self._placed
        return bent + (self._turn(pose, seen) - first) @ self.head.matrix[:, :3].T

    def _turn(self, pose, points):
        return (points - self.pivot) @ pose[:3, :3].T + pose[:3, 3] + self.pivot

    def _displacement(self):
        """How far the bad field moves the signal along the phase axis, in mm, (z, y, x)."""
        (loss,) = self._sampler(0).pull([self.baseline.dropout], self.baseline.grid)
        field = ndimage.gaussian_filter(loss, 9 / self.grid.zooms[::-1])
        return self.params.distortion * field / max(field.max(), 1e-6)

    def acquire(self, index, clean):
        """Write one volume.

        Parameters
        ----------
        index : int
            Which one.
        clean : ndarray, shape (n_active,)
            Its noise-free intensity over the active voxels of the baseline.
        """
        volume = np.zeros(self.baseline.grid.shape, np.float32)
        volume.ravel()[self.baseline.active] = clean
        (pulled,) = self._sampler(index).pull([volume], self.baseline.grid)
        sd = np.float32(UNSMOOTHED * self.params.intensity / self.params.thermal_tsnr)
        real, imaginary = (sd * self.rng.standard_normal(self.grid.shape, dtype=np.float32) for _ in range(2))
        real += pulled * self.squeeze
        magnitude = np.sqrt(real**2 + imaginary**2)
        self.series[index] = np.rint(magnitude / self.params.slope)

    def files(self, subject):
        """Go through the files of the raw run.

        Parameters
        ----------
        subject : str
            Label without "sub-".

        Yields
        ------
        path : Path
        content : Volume or dict
        """
        image = bids_path(subject, "bold", ".nii.gz", datatype="func", task="rest")
        yield image, Volume(self.series, self.grid.affine, self.params.slope, self.t_r, SCANNER_CODE)
        yield (
            bids_path(subject, "bold", ".json", datatype="func", task="rest"),
            {
                "RepetitionTime": self.t_r,
                "TaskName": "rest",
                "EchoTime": self.params.t_e,
                "FlipAngle": self.params.flip_angle,
                "PhaseEncodingDirection": "j",  # no SliceTiming: the simulator takes all slices at once
            },
        )
