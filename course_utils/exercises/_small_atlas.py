"""A small atlas, and images to go with it, on which the exercises of episode 07 are run by the tests."""

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.image import resample_to_img


def small_image(values, *, zooms=(2.0, 2.0, 2.0), origin=(-8.0, -6.0, 2.0)):
    """Make an image from a few values.

    Parameters
    ----------
    values : array-like, 3-D or 4-D
        Its voxels.
    zooms, origin : tuple of float
        Sides of a voxel, and place of the first one, in mm.

    Returns
    -------
    Nifti1Image
    """
    return nib.Nifti1Image(np.asarray(values), nib.affines.from_matvec(np.diag(zooms), origin))


def row(values, **place):
    """Make an image of one row of voxels along x.

    Parameters
    ----------
    values : list of int, or array
        Whole numbers are stored as int16.
    **place : tuple of float
        `zooms` and `origin`, as for `small_image`.

    Returns
    -------
    Nifti1Image
    """
    values = np.asarray(values)
    values = values.astype(np.int16) if values.dtype.kind == "i" else values
    return small_image(values.reshape(-1, 1, 1), **place)


def table(names, labels):
    """Make the table of an atlas: background first; every second region belongs to the same network.

    Parameters
    ----------
    names : list of str
        Of the regions.
    labels : list of int
        Their values in the image.

    Returns
    -------
    DataFrame
        With the columns index, name and network.
    """
    networks = [None, *(f"network {i % 2}" for i in range(len(names)))]
    return pd.DataFrame({"index": [0, *labels], "name": ["Background", *names], "network": networks})


def small_atlas(**place):
    """Make two regions on either side of a gap at x = 0; those of one side touch.

    Parameters
    ----------
    **place : tuple of float
        `zooms` and `origin`, as for `small_image`.

    Returns
    -------
    dict
        `labels_img` and `lut`.
    """
    labels = np.zeros((8, 8, 8), np.int16)
    labels[1:4, 1:4, 1:7], labels[5:7, 1:4, 1:7] = 1, 2
    labels[1:4, 4:7, 1:5], labels[5:7, 4:7, 1:7] = 3, 8
    names = ["alpha", "beta", "gamma", "delta"]
    return {"labels_img": small_image(labels, **place), "lut": table(names, [1, 2, 3, 8])}


def small_run():
    """Make twelve volumes on the grid of the small atlas, and a mask that cuts two of its regions.

    Returns
    -------
    dict
        `bold_img`, `mask_img`, `labels_img` and `lut`. Voxels differ in brightness and in how much they change.
    """
    atlas = small_atlas()
    labels, rng = np.asarray(atlas["labels_img"].dataobj), np.random.default_rng(7)
    signals = rng.normal(size=(9, 12))[labels] + rng.normal(size=(*labels.shape, 12))
    data = 500 + 60 * rng.random((*labels.shape, 1)) + (5 + 30 * rng.random((*labels.shape, 1))) * signals
    mask = np.ones(labels.shape, np.uint8)
    mask[:, :2] = 0
    return {**atlas, "bold_img": small_image(data.astype(np.float32)), "mask_img": small_image(mask)}


def small_losses():
    """Put the small atlas, with a rod and a speck that the coarse grid does not meet, on that grid, under a mask.

    Returns
    -------
    dict
        `labels_img`, `on_grid_img`, `mask_img` and `lut`. The mask hides one region and cuts another; one name of the
        table has no voxel.
    """
    labels = np.asarray(small_atlas()["labels_img"].dataobj).copy()
    labels[4, 0, 1:7], labels[7, 7, 7] = 5, 6
    coarse = small_image(np.zeros((5, 5, 4), np.int16), zooms=(3, 3, 4))
    on_grid = np.asarray(resample_to_img(small_image(labels), coarse, interpolation="nearest").dataobj).copy()
    on_grid[np.isin(on_grid, [5, 6])] = 0
    mask = np.where(on_grid == 3, 0, 1).astype(np.uint8)
    mask[1] = 0
    names = ["alpha", "beta", "gamma", "delta", "rod", "speck", "on paper only"]
    return {
        "labels_img": small_image(labels),
        "on_grid_img": nib.Nifti1Image(on_grid, coarse.affine),
        "mask_img": nib.Nifti1Image(mask, coarse.affine),
        "lut": table(names, [1, 2, 3, 8, 5, 6, 7]),
    }
