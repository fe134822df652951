"""Small invented images, on which exercises about images and runs are tried: no data needed."""

import nibabel as nib
import numpy as np


def row_img(values, zoom=1.0, origin=0.0):
    """Make an image of one row of voxels along x.

    Parameters
    ----------
    values : array-like, shape (n_voxels,) or (n_voxels, n_volumes)
        A value for each voxel, or a time series.
    zoom, origin : float
        Length of a voxel along x, and the place of the first one, in mm. Along y and z voxels have 1 mm.

    Returns
    -------
    Nifti1Image, shape (n_voxels, 1, 1) or (n_voxels, 1, 1, n_volumes)
        In the type of the values.
    """
    values = np.asarray(values)
    affine = nib.affines.from_matvec(np.diag([float(zoom), 1, 1]), [origin, 0, 0])
    return nib.Nifti1Image(values.reshape(len(values), 1, 1, *values.shape[1:]), affine)


def _radius(affine, shape):
    """Distance of each voxel from the middle of the head, in mm."""
    places = nib.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))
    return np.linalg.norm(places - [-1, 0, 1], axis=-1)


def head_and_run():
    """Make a head of 1 mm voxels and a run of it in voxels of 3 x 3 x 4 mm whose centres lie between the small ones.

    Returns
    -------
    dict of Nifti1Image
        `t1w_img` and `t1w_mask_img` (36, 33, 33); `bold_img` (12, 11, 8, 20), in which the first four volumes are too
        bright and air is 0; `mask_img` (12, 11, 8). All float32, the same at every call.
    """
    rng = np.random.default_rng(5)
    small = nib.affines.from_matvec(np.eye(3), [-18, -16, -14])
    large = nib.affines.from_matvec(np.diag([3.0, 3, 4]), [-18.5, -16.5, -14.5])
    fine, coarse = _radius(small, (36, 33, 33)), _radius(large, (12, 11, 8))
    series = 1 + rng.normal(0, 0.02, (*coarse.shape, 20)) + 0.002 * np.arange(20)
    series[..., :4] += 0.4 / 2 ** np.arange(4)
    images = {
        "t1w_img": (500 * rng.uniform(0.9, 1.1, fine.shape) * (fine < 14), small),
        "t1w_mask_img": (fine + rng.normal(0, 0.7, fine.shape) < 9, small),  # a ragged edge
        "bold_img": (600 * (coarse < 13)[..., np.newaxis] * series, large),
        "mask_img": (coarse < 8, large),
    }
    return {name: nib.Nifti1Image(values.astype(np.float32), affine) for name, (values, affine) in images.items()}
