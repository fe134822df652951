"""The offline atlas, and looking up coordinates: hand-made atlases first, then the one that the simulator writes."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import fetch_coords_seitzman_2018
from nilearn.maskers import NiftiLabelsMasker
from scipy import ndimage
from sklearn.utils import Bunch

from course_utils.atlases import (
    fetch_course_networks,
    find_region,
    merge_networks,
    require_same_grid,
    resample_atlas,
)
from course_utils.dataset import Study, StudyNotFoundError
from course_utils.layout import find_run, open_layout
from data_scripts.atlas import MAX_DISTANCE, MIN_VOLUME, grow_regions, tidy_name


@pytest.fixture
def tiny():
    """Voxels of 2 mm, the first one centred on (-10, -10, -10): label 3 is one voxel, label 7 a block."""
    values = np.zeros((10, 10, 10), np.int16)
    values[2, 3, 4] = 3
    values[6:9, 6:9, 6:9] = 7
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -10
    lut = pd.DataFrame({"index": [0, 3, 7], "name": ["Background", "speck", "block"]})
    return Bunch(maps=nib.Nifti1Image(values, affine), labels=lut["name"].tolist(), lut=lut)


# --- looking up a coordinate


def test_coordinate_in_a_region(tiny):
    assert find_region(tiny, (-6, -4, -2)) == ("speck", 3, 0.0)
    assert find_region(tiny, (-5.1, -4.9, -1.1)).name == "speck"  # within the voxel, which reaches 1 mm each way
    assert find_region(tiny, [4, 4, 4]).distance == 0


def test_coordinate_beside_a_region(tiny):
    place = find_region(tiny, (-6, -4, 2))  # two voxels above the speck
    assert place.name == "speck"
    assert place.distance == pytest.approx(4)
    assert find_region(tiny, (8, 4, 4)) == ("block", 7, pytest.approx(2))


@pytest.mark.parametrize("flip", [0, 1, 2])
def test_coordinate_does_not_care_how_the_voxels_are_stored(tiny, flip):
    values, affine = np.flip(tiny.maps.get_fdata(), flip).astype(np.int16), tiny.maps.affine.copy()
    affine[flip, flip], affine[flip, 3] = -2, 8
    flipped = Bunch(**{**tiny, "maps": nib.Nifti1Image(values, affine)})
    assert find_region(flipped, (-6, -4, -2)) == find_region(tiny, (-6, -4, -2))


@pytest.mark.parametrize(
    ("xyz", "says"),
    [
        ((0, 0, 40), r"\(0, 0, 40\) mm is outside of the atlas, which reaches from x -11 to 9"),
        ((-11.5, 0, 0), "outside"),
        ((0, 0), "three numbers"),
        ((0, 0, np.nan), "three numbers"),
        ((0, 0, 0, 0), "three numbers"),
    ],
)
def test_coordinates_that_cannot_be_looked_up(tiny, xyz, says):
    with pytest.raises(ValueError, match=says):
        find_region(tiny, xyz)


def test_table_that_does_not_fit_the_image(tiny):
    tiny.lut = tiny.lut[tiny.lut["index"] != 3]
    with pytest.raises(ValueError, match="names label 3 0 times"):
        find_region(tiny, (-6, -4, -2))


def test_4d_image_is_no_label_image(tiny):
    tiny.maps = nib.Nifti1Image(np.zeros((3, 3, 3, 2), np.int16), np.eye(4))
    with pytest.raises(ValueError, match="3-D image"):
        find_region(tiny, (0, 0, 0))


# --- grids


def coarse(step):
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = -10
    size = int(20 / step)
    return nib.Nifti1Image(np.zeros((size, size, size, 3), np.float32), affine)


def test_resampling_names_the_regions_that_vanish(tiny):
    with pytest.warns(UserWarning, match="1 of 2 regions .* are gone: speck"):
        moved = resample_atlas(tiny, coarse(6.0))
    assert moved.lost == ["speck"]
    assert moved.labels == ["Background", "block"]
    assert moved.lut["index"].tolist() == [0, 7]
    assert set(np.unique(moved.maps.get_fdata())) == {0, 7}
    require_same_grid(moved.maps, coarse(6.0))


@pytest.mark.filterwarnings("error")
def test_resampling_to_finer_voxels_keeps_every_region_and_no_other_value(tiny):
    moved = resample_atlas(tiny, coarse(1.0))
    assert moved.lost == []
    assert moved.labels == tiny.labels
    values = moved.maps.get_fdata()
    assert set(np.unique(values)) == {0, 3, 7}
    assert (values == 3).sum() == 8
    assert np.issubdtype(moved.maps.get_data_dtype(), np.integer)


def test_same_grid_is_accepted(tiny):
    require_same_grid(tiny.maps, tiny.maps)
    series = nib.Nifti1Image(np.zeros((10, 10, 10, 5), np.float32), tiny.maps.affine)
    require_same_grid(tiny.maps, series)


def test_other_grids_are_one_clear_error(tiny):
    with pytest.raises(
        ValueError, match=r"labels have \(10, 10, 10\) voxels, the image has \(3, 3, 3\).*resample_atlas"
    ):
        require_same_grid(tiny.maps, coarse(6.0))
    moved = tiny.maps.affine.copy()
    moved[0, 3] += 1
    with pytest.raises(ValueError, match=r"origins \(-10, -10, -10\) and \(-9, -10, -10\) mm"):
        require_same_grid(tiny.maps, nib.Nifti1Image(np.zeros((10, 10, 10)), moved))


# --- making it


def test_regions_by_hand():
    """Two nodes of one network left and right of the midline, one node without a network."""
    grey = np.zeros((97, 115, 97))
    grey[38:59, 60:70, 40:50] = 1  # x from -20 to 20 mm: across the midline
    centres = np.array([[-8.0, -2, 12], [8, -2, 12], [0, -2, 60]])
    regions = grow_regions(grey, centres, np.array(["N", "N", "unassigned"]))
    assert [(network, side) for network, side, _ in regions] == [("N", "L"), ("N", "R")]
    left, right = (voxels * 2 - [96, 132, 78] for _, _, voxels in regions)
    assert left[:, 0].max() <= 0 <= right[:, 0].min()
    assert not set(map(tuple, left)) & set(map(tuple, right))
    for places, centre in ((left, centres[0]), (right, centres[1])):
        assert np.linalg.norm(places - centre, axis=1).max() <= MAX_DISTANCE


def test_names_of_places():
    assert tidy_name("Cerebel" + "um_Crus1_R") == "CerebellumCrus1"  # AAL spells it with one l
    assert tidy_name("Supp_Motor_Area_L") == "SuppMotorArea"
    assert tidy_name("Frontal_Inf_Orb_2_L") == "FrontalInfOrb"


# --- the one that simulate writes


@pytest.fixture(scope="module")
def networks(quick_study):
    return fetch_course_networks(quick_study)


@pytest.fixture(scope="module")
def values(networks):
    return np.asanyarray(nib.load(networks.maps).dataobj)


def test_form_is_that_of_nilearn(networks, values):
    assert {"maps", "labels", "lut", "template", "description", "atlas_type"} <= set(networks)
    assert networks.labels[0] == "Background"
    assert networks.lut["name"].tolist() == networks.labels
    assert networks.lut["index"].tolist() == list(range(len(networks.labels))) == np.unique(values).tolist()
    assert {"index", "name", "network", "x", "y", "z", "volume_mm3"} <= set(networks.lut)
    assert networks.template == "MNI152NLin2009cAsym"
    assert networks.atlas_type == "deterministic"
    assert "Seitzman" in networks.description
    img = nib.load(networks.maps)
    assert img.shape == (97, 115, 97)
    assert img.header.get_zooms() == (2, 2, 2)
    assert int(img.header["sform_code"]) == 4


def test_without_an_argument_it_is_that_of_the_simulated_study(quick_study, networks):
    assert fetch_course_networks().maps == networks.maps


def test_study_without_atlas_is_one_clear_error(tmp_path):
    with pytest.raises(StudyNotFoundError, match="Found 0 label images"):
        fetch_course_networks(Study("simulated", tmp_path))


def test_regions_have_names_of_their_own(networks):
    regions = networks.lut[networks.lut["index"] > 0]
    assert 50 <= len(regions) <= 100
    assert regions["name"].is_unique
    parts = regions["name"].str.split("_")
    assert (parts.str[0] == regions["hemisphere"] + "H").all()
    assert (parts.str[1] == regions["network"]).all()
    assert regions["network"].nunique() == 13
    assert "unassigned" not in set(regions["network"])


def test_each_region_is_one_connected_piece_on_one_side(networks, values):
    for row in networks.lut.iloc[1:].rename(columns={"index": "label"}).itertuples(index=False):
        mask = values == row.label
        assert ndimage.label(mask)[1] == 1, row.name
        assert mask.sum() * 8 == row.volume_mm3 >= MIN_VOLUME
        x = np.flatnonzero(mask.any(axis=(1, 2))) * 2 - 96
        assert (x <= 0).all() if row.hemisphere == "L" else (x >= 0).all(), row.name
        place = tuple(int((mm - low) / 2) for mm, low in zip((row.x, row.y, row.z), (-96, -132, -78), strict=True))
        assert mask[place], f"the place of {row.name} is not in it"


def test_voxels_belong_to_the_network_of_their_nearest_node(networks, values):
    """Against nilearn's own copy of the nodes, by brute force on a sample of voxels."""
    nodes = fetch_coords_seitzman_2018()
    centres = nodes.rois[["x", "y", "z"]].to_numpy(float)
    voxels = np.argwhere(values)
    voxels = voxels[np.random.default_rng(0).choice(len(voxels), 2000, replace=False)]
    away = np.linalg.norm((voxels * 2 - [96, 132, 78])[:, None] - centres[None], axis=2)
    assert away.min(axis=1).max() <= MAX_DISTANCE
    expected = nodes.networks[away.argmin(axis=1)]
    found = networks.lut["network"].to_numpy()[values[tuple(voxels.T)]]
    assert (found == expected).all()


@pytest.mark.parametrize("seed", [(0, -52, 26), (0, 52, 6), (0, 50, -5), (-45, -68, 30), (48, -66, 30)])
def test_default_mode_seeds_are_there(networks, seed):
    """Posterior cingulate and precuneus, medial prefrontal, angular: coordinates as the literature uses them."""
    place = find_region(networks, seed)
    assert "_DefaultMode_" in place.name
    assert place.distance <= 4


def test_anatomical_names_are_plausible(networks):
    assert "Precuneus" in find_region(networks, (-6, -54, 28)).name
    assert "FrontalSup" in find_region(networks, (8, 54, 10)).name
    assert "Auditory_TemporalSup" in find_region(networks, (-54, -24, 14)).name


@pytest.mark.filterwarnings("error::UserWarning")
def test_no_region_is_lost_on_the_coarsest_grid(networks, quick_study):
    run = find_run(open_layout(quick_study), "19002")
    assert resample_atlas(networks, run.bold).lost == []


def test_nilearn_takes_it_as_it_is(networks, quick_study):
    run = find_run(open_layout(quick_study), "59002")
    bold_img = nib.load(run.bold).slicer[..., 5:15]
    masker = NiftiLabelsMasker(networks.maps, lut=networks.lut, standardize=None).fit()
    with pytest.warns(UserWarning, match="Resampling labels"):
        series = masker.transform(bold_img)
    assert series.shape == (10, len(networks.labels) - 1)
    assert list(masker.region_names_.values()) == networks.labels[1:]


def test_networks_merged_by_hand(tiny):
    tiny.lut["network"] = [None, "B", "A"]
    merged = merge_networks(tiny)
    assert merged.labels == ["Background", "B", "A"]
    assert merged.lut["index"].tolist() == [0, 1, 2]
    values, before = (np.asanyarray(atlas.maps.dataobj) for atlas in (merged, tiny))
    assert np.array_equal(values == 1, before == 3)
    assert np.array_equal(values == 2, before == 7)
    assert np.array_equal(merged.maps.affine, tiny.maps.affine)


def test_merging_keeps_every_voxel_and_its_network(networks, values):
    merged = merge_networks(networks)
    found = np.asanyarray(merged.maps.dataobj)
    assert np.array_equal(found > 0, values > 0)
    assert len(merged.labels) == 1 + networks.lut["network"].nunique()
    there = np.argwhere(values)[::997]
    names = merged.lut["name"].to_numpy()[found[tuple(there.T)]]
    assert (names == networks.lut["network"].to_numpy()[values[tuple(there.T)]]).all()
