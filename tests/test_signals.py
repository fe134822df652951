"""From image and atlas to named time series, on images small enough to work out by hand."""

import gzip
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn import signal
from sklearn.utils import Bunch

from course_utils.signals import LostRegionsWarning, average_regions, extract_time_series

T_R = 2.0
N_VOLUMES = 40
AFFINE = np.diag([3.0, 3.0, 4.0, 1.0])
LUT = pd.DataFrame({"index": [0, 3, 7, 12], "name": ["Background", "left", "right", "top"]})


@pytest.fixture
def labels():
    """Three regions whose labels are not column numbers: 3 has two voxels, 7 and 12 one each."""
    labels = np.zeros((3, 3, 2), np.int16)
    labels[0, 0] = 3
    labels[2, 0, 0] = 7
    labels[2, 2, 1] = 12
    return labels


@pytest.fixture
def data():
    """Noise around 100, float32."""
    return np.random.default_rng(1).normal(100, 5, (3, 3, 2, N_VOLUMES)).astype(np.float32)


def as_image(array, affine=AFFINE):
    """Wrap an array."""
    return nib.Nifti1Image(array, affine)


def as_atlas(labels, lut=LUT):
    """Wrap labels as an atlas is given."""
    return Bunch(maps=as_image(labels), lut=lut)


def standardised(values):
    """Detrend and scale as the function promises."""
    return signal.clean(values.astype(float), detrend=True, standardize="zscore_sample", t_r=T_R)


def test_averages_of_voxels_with_their_names(data, labels):
    found = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=4)
    by_hand = np.stack([data[0, 0].mean(axis=0), data[2, 0, 0], data[2, 2, 1]], axis=1)[4:]
    assert found.columns.tolist() == ["left", "right", "top"]
    assert found.index.tolist() == [8.0 + 2.0 * i for i in range(36)]
    np.testing.assert_allclose(found, standardised(by_hand), atol=1e-5)


def test_two_volumes_by_hand(labels):
    data = np.zeros((3, 3, 2, 6), np.float32)
    data[0, 0, 0] = [9, 9, 0, 4, 0, 4]
    data[0, 0, 1] = [9, 9, 0, 0, 4, 4]
    data[2, 0, 0] = [9, 9, 1, 5, 1, 5]
    data[2, 2, 1] = [9, 9, 5, 1, 5, 1]
    found = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=2)
    # right is 1 5 1 5: minus its line (slope 0.8) -0.8 2.4 -2.4 0.8, of sum of squares 12.8
    np.testing.assert_allclose(found["right"], np.array([-0.8, 2.4, -2.4, 0.8]) / np.sqrt(12.8 / 3), atol=1e-6)
    np.testing.assert_allclose(found["top"], -found["right"], atol=1e-6)
    # left is 0 2 2 4: minus its line (slope 1.2) -0.2 0.6 -0.6 0.2
    np.testing.assert_allclose(found["left"], np.array([-0.2, 0.6, -0.6, 0.2]) / np.sqrt(0.8 / 3), atol=1e-6)


def test_background_in_the_table_or_not(data, labels):
    with_background = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=0)
    without = extract_time_series(as_image(data), as_atlas(labels, LUT[1:]), t_r=T_R, n_dummy=0)
    pd.testing.assert_frame_equal(with_background, without)


def test_columns_follow_the_table_not_the_labels(data, labels):
    plain = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=0)
    turned = extract_time_series(as_image(data), as_atlas(labels, LUT[::-1]), t_r=T_R, n_dummy=0)
    assert turned.columns.tolist() == ["top", "right", "left"]
    pd.testing.assert_frame_equal(turned[plain.columns], plain)


def test_confounds_and_band_as_signal_clean_does_it(data, labels):
    confounds = pd.DataFrame(np.random.default_rng(2).normal(size=(36, 3)))
    found = extract_time_series(
        as_image(data), as_atlas(labels), t_r=T_R, n_dummy=4, confounds=confounds, low_pass=0.08, high_pass=0.009
    )
    by_hand = np.stack([data[0, 0].mean(axis=0), data[2, 0, 0], data[2, 2, 1]], axis=1)[4:].astype(float)
    expected = signal.clean(by_hand, confounds=confounds, low_pass=0.08, high_pass=0.009, t_r=T_R)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_confound_is_gone_after_cleaning(data, labels):
    confounds = pd.DataFrame({"wave": np.sin(np.arange(N_VOLUMES))})
    data += 50 * confounds["wave"].to_numpy(np.float32)
    before = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=0)
    after = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=0, confounds=confounds)
    wave = standardised(confounds.to_numpy())[:, 0]
    assert abs(np.corrcoef(before["left"], wave)[0, 1]) > 0.9
    assert abs(np.corrcoef(after["left"], wave)[0, 1]) < 1e-6


def test_the_same_as_nilearns_masker(data, labels):
    from nilearn.maskers import NiftiLabelsMasker

    found = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=4, low_pass=0.08, high_pass=0.009)
    masker = NiftiLabelsMasker(
        as_image(labels), t_r=T_R, low_pass=0.08, high_pass=0.009, detrend=True, standardize="zscore_sample"
    )
    expected = masker.fit_transform(as_image(data).slicer[..., 4:])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def lost_in(**call):
    """Extract, and return the series with the names of the regions that the warning lists."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = extract_time_series(**call, t_r=T_R, n_dummy=0)
    assert [type(w.message) for w in caught] == [LostRegionsWarning]
    return found, caught[0].message.regions


def test_a_region_without_voxels_stays_as_nan(data, labels):
    labels[labels == 7] = 0
    found, lost = lost_in(bold_img=as_image(data), atlas=as_atlas(labels))
    assert lost == ["right"]
    assert found.columns.tolist() == ["left", "right", "top"]
    assert found["right"].isna().all()
    np.testing.assert_allclose(found["top"], standardised(data[2, 2, 1][:, None])[:, 0], atol=1e-5)


def test_a_region_outside_of_the_mask_is_lost(data, labels):
    mask = np.ones(labels.shape, np.uint8)
    mask[2] = 0
    mask[0, 0, 1] = 0
    found, lost = lost_in(bold_img=as_image(data), atlas=as_atlas(labels), mask_img=as_image(mask))
    assert lost == ["right", "top"]
    np.testing.assert_allclose(found["left"], standardised(data[0, 0, 0][:, None])[:, 0], atol=1e-5)


def test_a_region_that_does_not_change_is_lost(data, labels):
    data[2, 0, 0] = 0  # outside of the field of view
    _, lost = lost_in(bold_img=as_image(data), atlas=as_atlas(labels))
    assert lost == ["right"]


def test_no_warning_when_nothing_is_lost(data, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=4, low_pass=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bold_img": as_image(np.ones((3, 3, 2), np.float32))}, "bold_img has 3 dimensions"),
        ({"atlas": as_atlas(np.ones((4, 3, 2), np.int16))}, r"The grids differ: .*\(4, 3, 2\)"),
        (
            {"atlas": Bunch(maps=as_image(np.full((3, 3, 2), 3, np.int16), np.eye(4)), lut=LUT)},
            "The grids differ.* affines",
        ),
        ({"atlas": as_atlas(np.full((3, 3, 2), 5, np.int16))}, r"has the values \[5\] that the atlas's table"),
        ({"atlas": as_atlas(np.full((3, 3, 2), 2.5, np.float32))}, "not whole numbers"),
        ({"bold_img": as_image(np.ones((3, 3, 2, N_VOLUMES), np.float32))}, "No region has a signal that changes"),
        ({"mask_img": as_image(np.zeros((3, 3, 2), np.uint8))}, "No voxel of any region is left"),
        ({"mask_img": as_image(np.ones((3, 2, 2), np.uint8))}, r"mask_img has the grid \(3, 2, 2\)"),
        ({"confounds": pd.DataFrame(np.ones((N_VOLUMES, 2)))}, "confounds has 40 rows, but 36 volumes are kept of 40"),
        ({"confounds": pd.DataFrame(np.full((36, 2), np.nan))}, "confounds has NaN"),
        ({"n_dummy": N_VOLUMES}, "Expected 0 to 39"),
    ],
)
def test_errors_say_what_to_do(data, labels, change, message):
    call = {"bold_img": as_image(data), "atlas": as_atlas(labels), "t_r": T_R, "n_dummy": 4}
    with pytest.raises(ValueError, match=message):
        extract_time_series(**(call | change))


def test_a_truncated_image_is_named(tmp_path, data, labels):
    path = tmp_path / "sub-19001_bold.nii.gz"
    as_image(data).to_filename(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"sub-19001_bold.nii.gz cannot be read to its end"):
        extract_time_series(path, as_atlas(labels), t_r=T_R, n_dummy=4)


def test_a_changed_byte_is_found_by_the_checksum_at_the_end(tmp_path, data, labels):
    path = tmp_path / "sub-19001_bold.nii.gz"
    as_image(data).to_filename(path)
    content = bytearray(path.read_bytes())
    content[-8] ^= 255  # of the checksum: the numbers before it are whole, and only reading on tells
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"sub-19001_bold.nii.gz cannot be read to its end .*CRC"):
        extract_time_series(path, as_atlas(labels), t_r=T_R, n_dummy=4)


def test_a_truncated_uncompressed_image_is_named(tmp_path, data, labels):
    path = tmp_path / "sub-19001_bold.nii"
    as_image(data).to_filename(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"sub-19001_bold.nii cannot be read to its end"):
        extract_time_series(path, as_atlas(labels), t_r=T_R, n_dummy=4)


def test_paths_and_stored_slopes_give_the_same(tmp_path, data, labels):
    path = tmp_path / "bold.nii.gz"
    nib.Nifti1Image(data, AFFINE, dtype=np.int16).to_filename(path)  # nibabel chooses a slope
    assert nib.load(path).dataobj.slope not in (1, None)
    (tmp_path / "copy.nii").write_bytes(gzip.decompress(path.read_bytes()))
    as_image(labels).to_filename(tmp_path / "labels.nii.gz")
    atlas = Bunch(maps=tmp_path / "labels.nii.gz", lut=LUT)
    from_path = extract_time_series(str(path), atlas, t_r=T_R, n_dummy=4)
    from_memory = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=4)
    pd.testing.assert_frame_equal(from_path, extract_time_series(tmp_path / "copy.nii", atlas, t_r=T_R, n_dummy=4))
    np.testing.assert_allclose(from_path, from_memory, atol=5e-3)


def test_averages_alone_are_not_cleaned_and_say_nothing(data, labels):
    labels[labels == 7] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = average_regions(as_image(data), as_atlas(labels), n_dummy=4)
    assert found.index.tolist() == list(range(4, N_VOLUMES))
    assert found.columns.tolist() == ["left", "right", "top"]
    assert found["right"].isna().all()
    np.testing.assert_allclose(found["left"], data[0, 0].mean(axis=0, dtype=float)[4:])


def test_cleaning_the_averages_is_what_extracting_does(data, labels):
    averages = average_regions(as_image(data), as_atlas(labels), n_dummy=4)
    whole = extract_time_series(as_image(data), as_atlas(labels), t_r=T_R, n_dummy=4)
    np.testing.assert_allclose(standardised(averages.to_numpy()), whole, atol=1e-12)
