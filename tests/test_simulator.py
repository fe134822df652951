"""The simulator's physics: hand-worked values first, then properties, then whole people of the quick profile."""

from dataclasses import replace

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds_strategy
from scipy import ndimage

from course_utils.dataset import Study
from course_utils.truth import GridMismatchError, read_truth
from data_scripts import baseline, confounds, motion, networks, physiology
from data_scripts import person as persons
from data_scripts.fields import Deformation, Grid, Sampler, interpolation_matrix, smooth_noise, stretch_matrix
from data_scripts.images import Volume
from data_scripts.packed import ONE, PackedMaps
from data_scripts.parameters import PHYSICS, PROFILES, Person, list_constants
from data_scripts.templates import load_ingredients

QUICK = PROFILES["quick"]
CONTROL = Person("19001", "CONTROL", 31, "F", has_raw_run=True)
PATIENT = Person("59001", "SCHZ", 40, "M")


@pytest.fixture(scope="module")
def ingredients():
    return load_ingredients(QUICK)


@pytest.fixture(scope="module")
def files(ingredients):
    """Content of every file of two people, the control made first: {subject: {path: content}}."""
    return {p.subject: dict(persons.simulate_person(p, QUICK, ingredients, seed=7)) for p in (CONTROL, PATIENT)}


def named(contents, ending):
    """The only content whose path ends so."""
    found = [content for path, content in contents.items() if path.as_posix().endswith(ending)]
    assert len(found) == 1, (ending, len(found))
    return found[0]


# ---------------------------------------------------------------- hand-worked values


def test_framewise_displacement_by_hand():
    rows = np.array([[0, 0, 0, 0, 0, 0], [0.1, -0.2, 0.3, 0.01, 0, -0.002]])
    # 0.1 + 0.2 + 0.3 mm, and 50 mm * (0.01 + 0.002) = 0.6 mm
    assert motion.framewise_displacement(rows)[1] == pytest.approx(1.2)
    assert np.isnan(motion.framewise_displacement(rows)[0])


def test_dvars_by_hand():
    series = np.array([[90, 110], [100, 100], [110, 90]], np.float32)
    dvars, std_dvars = confounds.compute_dvars(series)
    # the median 100 becomes 1000, so each voxel changes by 100 each time
    assert dvars[1:] == pytest.approx([100, 100])
    # lower quartile 900, upper 1000 of (900, 1000, 1100); lag-1 autocorrelation of (-100, 0, 100) is 0
    assert std_dvars[1:] == pytest.approx(100 / (np.sqrt(2) * 100 / 1.349))
    assert np.isnan([dvars[0], std_dvars[0]]).all()


@pytest.mark.parametrize(("t1", "excess"), [(1.331, 0.286), (0.832, 0.099), (4.3, 1.689)])
def test_first_volume_at_90_degrees(t1, excess):
    # full magnetisation against 1 - exp(-2 / T1): grey, white, CSF
    assert baseline.excess_before_steady_state(0, t1, 2.0, np.pi / 2) == pytest.approx(excess, abs=0.001)
    assert baseline.excess_before_steady_state(1, t1, 2.0, np.pi / 2) == pytest.approx(0, abs=1e-12)


def test_approach_to_steady_state_follows_the_bloch_equations():
    t1, t_r, flip, magnetisation, signal = 4.3, 2.0, np.deg2rad(77), 1.0, []
    for _ in range(60):
        signal.append(magnetisation * np.sin(flip))
        magnetisation = 1 - (1 - magnetisation * np.cos(flip)) * np.exp(-t_r / t1)
    expected = np.array(signal[:5]) / signal[-1] - 1
    found = [baseline.excess_before_steady_state(n, t1, t_r, flip) for n in range(5)]
    assert found == pytest.approx(expected)
    assert found[1] == pytest.approx(0.18, abs=0.06)  # CSF in the second volume: science.md 13


def test_cosine_basis():
    basis = confounds.cosine_basis(150, 2.0)
    # 2 * 150 * 2 s / 128 s = 4.69: four regressors, of which the constant is one
    assert basis.shape == (150, 3)
    assert basis.T @ basis == pytest.approx(np.eye(3), abs=1e-12)
    assert basis.sum(0) == pytest.approx(0, abs=1e-9)
    assert basis[0, 0] == pytest.approx(np.sqrt(2 / 150) * np.cos(np.pi / 300))


def test_non_steady_state_by_hand():
    signal = np.array([140, 104, 100.2, 99.8, 100, 100.1, 99.9, 100.3, 130])
    # median 100.1, deviations 39.9 3.9 .1 .3 .1 0 .2 .2 29.9, their median .2: only the first run of outliers counts
    assert confounds.count_non_steady_state(signal) == 2
    assert confounds.count_non_steady_state(signal[2:]) == 0


def test_rmsd_of_a_shift_is_its_length():
    rows = np.zeros((2, 6))
    rows[1, :3] = 0.3, 0, 0.4
    assert confounds.compute_rmsd(rows)[1] == pytest.approx(0.5)
    rows[1] = 0, 0, 0, 0, 0, 0.01  # a turn by a small angle: sqrt(2 / 5) R sin(angle) to first order
    assert confounds.compute_rmsd(rows)[1] == pytest.approx(np.sqrt(2 / 5) * 80 * 0.01, rel=1e-4)


def test_rotation_about_z_turns_x_into_y():
    assert motion.rotation_matrix((0, 0, np.pi / 2)) @ [1, 0, 0] == pytest.approx([0, 1, 0])


def test_deeper_breathing_lowers_the_signal_after_a_quarter_of_a_minute():
    times = np.arange(0, 50, 0.1)
    assert times[np.argmin(physiology.respiration_response(times))] == pytest.approx(16, abs=2)  # Birn et al. 2008
    traces = {
        deeper: physiology.simulate_physiology(
            PHYSICS.physiology, 150, 2.0, [(100.0, deeper)], rng=np.random.default_rng(3)
        )
        for deeper in (0.0, 3.0)
    }
    change = traces[3.0].slow_at(np.arange(100, 140)) - traces[0.0].slow_at(np.arange(100, 140))
    assert 10 < np.argmin(change) < 24


def test_interpolation_keeps_straight_lines_straight():
    assert stretch_matrix(5, 2) @ [0, 8] == pytest.approx([0, 2, 4, 6, 8])
    grid = Grid.aligned((5, 6, 7), (2, 3, 4), (10, 20, 30))
    values = grid.points() @ [1.0, -2.0, 0.5] + 3
    places = np.array([[11.3, 22.2, 47.0], [17.9, 34.0, 31.0], [0, 0, 0]])
    found = interpolation_matrix(places, grid) @ values
    assert found[:2] == pytest.approx(places[:2] @ [1.0, -2.0, 0.5] + 3)
    assert found[2] == 0  # outside


def test_sampler_pulls_what_lies_there():
    source = Grid.aligned((8, 9, 10), 2, (-8, -8, -10))
    image = (source.points() @ [1.0, 2.0, -1.0] + 50).reshape(source.shape).astype(np.float32)
    target = Grid.aligned((5, 5, 5), 1, (-2, -2, -2))
    (pulled,) = Sampler(target, lambda points: points + np.array([1, 0, 2])).pull([image], source)
    assert pulled.ravel() == pytest.approx(target.points() @ [1.0, 2.0, -1.0] + 49, abs=1e-3)


# ---------------------------------------------------------------- properties of the parts


def test_smooth_noise_and_deformation_have_the_wanted_size():
    rng = np.random.default_rng(0)
    noise = smooth_noise((40, 50, 30), 4, rng=rng)
    assert abs(noise.mean()) < 1e-4
    assert noise.std() == pytest.approx(1, abs=1e-4)
    assert np.abs(np.diff(noise, axis=1)).mean() < 0.3
    field = Deformation.random(2.0, 20.0, rng=rng)
    points = rng.uniform(-80, 80, (4000, 3))
    assert field(points).std() == pytest.approx(2.0, rel=0.15)


def only_three(params):
    """Plan for three networks alone."""
    kept = [row for row in params.between if {row[0], row[1]} <= {"DefaultMode", "Visual", "DorsalAttention"}]
    return replace(params, between=tuple(kept), sensory=("Visual",))


def test_nodes_recover_the_planted_covariance():
    spectrum = networks.neural_spectrum(PHYSICS.neural, 40000, 2.0)
    names = np.array(["DefaultMode"] * 4 + ["Visual"] * 4 + ["DorsalAttention"] * 4)
    centres = np.random.default_rng(1).uniform(-60, 60, (12, 3))
    connectome = networks.simulate_connectome(
        only_three(PHYSICS.networks), PHYSICS.neural, centres, names, CONTROL, spectrum, rng=np.random.default_rng(1)
    )
    series = networks.simulate_nodes(connectome, spectrum, 40000, rng=np.random.default_rng(2))
    assert np.diag(connectome.covariance) == pytest.approx(np.ones(12))
    assert np.cov(series.T) == pytest.approx(connectome.covariance, abs=0.03)
    assert np.linalg.eigvalsh(connectome.covariance).min() > 0


def test_neural_power_reaches_above_the_usual_band():
    frequencies, power = networks.neural_spectrum(PHYSICS.neural, 152, 2.0)
    assert 0.1 < power[frequencies > 0.1].sum() < 0.35
    assert 0.4 < power[(frequencies > 0.009) & (frequencies < 0.08)].sum() < 0.65


def test_group_effect_stays_inside_the_default_mode_and_ignores_distance():
    params = only_three(PHYSICS.networks)
    centres = np.arange(36).reshape(12, 3) * 5
    names = np.array(["DefaultMode"] * 5 + ["Visual"] * 4 + ["DorsalAttention"] * 3)
    planned = networks.network_matrix(sorted(set(names)), params.between)
    matrix = {(a, b): planned[i, j] for i, a in enumerate(sorted(set(names))) for j, b in enumerate(sorted(set(names)))}
    loadings = np.where(names == "DefaultMode", params.default_shared, params.loading)
    covariances = [
        networks.node_covariance(params, centres, names, matrix, loadings, loading)
        for loading in (params.default_controls, params.default_patients)
    ]
    loss = covariances[0] - covariances[1]
    inside = np.outer(names == "DefaultMode", names == "DefaultMode") & ~np.eye(12, dtype=bool)
    assert loss[inside] == pytest.approx(np.full(20, loss[inside][0]))
    assert loss[inside][0] > 0.15
    assert loss[~inside] == pytest.approx(0, abs=1e-12)


def test_age_changes_one_pair_of_networks_only():
    params = replace(only_three(PHYSICS.networks), age_effect=0.01)
    spectrum = networks.neural_spectrum(PHYSICS.neural, 152, 2.0)
    names = np.array(["DefaultMode", "Visual", "DorsalAttention"])
    found = [
        networks.simulate_connectome(
            params,
            PHYSICS.neural,
            np.eye(3) * 200,
            names,
            replace(CONTROL, age=age),
            spectrum,
            rng=np.random.default_rng(1),
        ).unlagged
        for age in (22, 50)
    ]
    change = found[1] - found[0]
    assert change[0, 2] > 0.05
    assert change[0, 1] == pytest.approx(0, abs=1e-9)
    assert change[1, 2] == pytest.approx(0, abs=1e-9)


def test_motion_has_the_wanted_mean_displacement():
    events = motion.simulate_events(0.25, 152, rng=np.random.default_rng(1))
    breathing = np.sin(np.arange(152))
    moved = motion.simulate_motion(PHYSICS.motion, 0.25, events, breathing, rng=np.random.default_rng(2))
    assert np.nanmean(motion.framewise_displacement(moved.estimate)) == pytest.approx(0.25, rel=0.01)
    assert not moved.true[0].any()
    assert 0 < np.std(moved.true - moved.estimate, axis=0)[:3].max() < 0.05


def test_motion_artefact_is_not_in_the_span_of_the_parameters(ingredients):
    streams = persons.random_streams(7, PATIENT.subject)
    body = persons.simulate_body(PATIENT, QUICK, ingredients, streams)
    run = persons.simulate_run(body, QUICK, ingredients, streams)
    whole = run.courses[:, -22:] @ run.maps[-22:]  # displacement, blur, distortion, spin history
    whole = whole - whole.mean(0)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(len(whole)), body.motion.estimate]))
    left = whole - basis @ (basis.T @ whole)
    assert left.var() / whole.var() > 0.2


def test_streams_depend_on_seed_and_subject_alone():
    draws = {
        (seed, subject): persons.random_streams(seed, subject)["noise"].random()
        for seed, subject in [(1, "19001"), (1, "19002"), (2, "19001")]
    }
    assert len(set(draws.values())) == 3
    assert persons.random_streams(1, "19001")["noise"].random() == draws[1, "19001"]


def test_every_constant_has_unit_and_source():
    rows = list_constants()
    assert len(rows) > 60
    assert all(row["unit"] and row["source"] for row in rows)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3, 4)),
        np.zeros((2, 3, 4, 5), np.int16),
        np.zeros((4, 3), np.int16),
        np.zeros((4, 3, 2), np.int16).T,
    ],
)
def test_volume_refuses_what_cannot_be_stored(wrong):
    with pytest.raises((TypeError, ValueError)):
        Volume(wrong, np.eye(4))


# ---------------------------------------------------------------- whole people


def test_same_seed_same_person_whatever_the_order(files, ingredients):
    again = dict(persons.simulate_person(PATIENT, QUICK, ingredients, seed=7))  # alone, not second
    before = files[PATIENT.subject]
    assert list(again) == list(before)
    for path, content in again.items():
        if isinstance(content, Volume):
            np.testing.assert_array_equal(content.data, before[path].data)
            np.testing.assert_array_equal(content.affine, before[path].affine)
        elif isinstance(content, pd.DataFrame):
            pd.testing.assert_frame_equal(content, before[path])
        elif path.suffix == ".npz":
            for name, array in content.items():
                np.testing.assert_array_equal(array, before[path][name])
        else:
            assert content == before[path]


def test_files_are_those_of_fmriprep(files):
    for person in (CONTROL, PATIENT):
        contents = files[person.subject]
        stem = f"sub-{person.subject}"
        derived = [
            p.as_posix().removeprefix(f"derivatives/fmriprep/{stem}/") for p in contents if p.parts[0] == "derivatives"
        ]
        spaces = ("", "space-MNI152NLin2009cAsym_")
        anat = (
            "desc-preproc_T1w.nii.gz",
            "desc-preproc_T1w.json",
            "desc-brain_mask.nii.gz",
            "desc-brain_mask.json",
            "dseg.nii.gz",
            "label-GM_probseg.nii.gz",
            "label-WM_probseg.nii.gz",
            "label-CSF_probseg.nii.gz",
        )
        func = (
            "boldref.nii.gz",
            "desc-brain_mask.nii.gz",
            "desc-brain_mask.json",
            "desc-preproc_bold.nii.gz",
            "desc-preproc_bold.json",
        )
        expected = [f"anat/{stem}_{space}{name}" for space in spaces for name in anat]
        expected += [
            f"func/{stem}_task-rest_{space}{name}"
            for name in func
            for space in ("space-T1w_", "space-MNI152NLin2009cAsym_")
        ]
        expected += [f"func/{stem}_task-rest_desc-confounds_timeseries.{e}" for e in ("tsv", "json")]
        assert sorted(derived) == sorted(expected)
        raw = {p.as_posix() for p in contents if p.parts[0] == stem}
        assert f"{stem}/anat/{stem}_T1w.nii.gz" in raw
        assert (f"{stem}/func/{stem}_task-rest_bold.nii.gz" in raw) == person.has_raw_run


def test_bold_lies_on_its_grid_with_silent_air(files):
    image = named(files[CONTROL.subject], "space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz")
    assert image.data.shape == (152, *QUICK.bold_shape[::-1])
    assert image.data.dtype == np.int16
    assert np.diag(image.affine)[:3] == pytest.approx(QUICK.bold_zooms)
    assert image.affine[:3, 3] == pytest.approx(QUICK.bold_origin)
    assert (image.slope, image.t_r, image.xform_code) == (2.0, 2.0, 4)
    assert not image.data[:, 0, 0, 0].any()
    mask = named(files[CONTROL.subject], "task-rest_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz").data > 0
    assert (image.data[:, mask] > 0).all()


def test_first_volume_is_bright_and_grey_matter_is_stable(files):
    for person in (CONTROL, PATIENT):
        contents = files[person.subject]
        table = named(contents, "timeseries.tsv")
        signal = table["global_signal"].to_numpy()
        assert signal[0] > 1.03 * signal[1:].mean()
        assert table.filter(like="non_steady_state_outlier").shape[1] >= 1
        image = named(contents, "space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz")
        planted = named(contents, "truth.npz")
        amplitude = planted["voxel_weights"].sum(1) / planted["voxel_baseline"]
        grey = planted["voxels"][amplitude > np.quantile(amplitude, 0.6)]
        series = image.data.reshape(152, -1)[4:, grey].astype(float)
        assert 40 < np.median(series.mean(0) / series.std(0)) < 80


def test_confounds_are_computed_from_the_image(files):
    contents = files[PATIENT.subject]
    table, about = named(contents, "timeseries.tsv"), named(contents, "timeseries.json")
    image = named(contents, "space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz")
    mask = named(contents, "task-rest_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz").data > 0
    assert table["global_signal"].to_numpy() == pytest.approx(2 * image.data[:, mask].mean(1), rel=1e-5)
    first = table.iloc[0]
    empty = [c for c in table if "derivative1" in c] + ["framewise_displacement", "rmsd", "dvars", "std_dvars"]
    assert first[empty].isna().all()
    assert table.iloc[1:].notna().all().all()
    assert first.drop(empty).notna().all()
    assert table["trans_x_derivative1"].iloc[1] == pytest.approx(table["trans_x"].iloc[1] - table["trans_x"].iloc[0])
    for prefix, label in (("a", "combined"), ("c", "CSF"), ("w", "WM")):
        assert about[f"{prefix}_comp_cor_00"]["Mask"] == label
        kept = [v for k, v in about.items() if k.startswith(f"{prefix}_comp_cor")]
        assert kept[-1]["CumulativeVarianceExplained"] >= 0.5
        assert all(v["Retained"] for v in kept)
    truth = named(contents, "truth.npz")["motion"]
    columns = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    error = table[columns].to_numpy() - truth
    assert error.any()
    assert np.abs(error[:, :3]).max() < 0.1


@pytest.mark.parametrize("strategy", ["simple", "scrubbing", "compcor"])
def test_nilearn_accepts_the_confounds(files, tmp_path, strategy):
    for path, content in files[CONTROL.subject].items():
        name = path.name
        if "timeseries" in name and name.endswith(".tsv"):
            content.to_csv(tmp_path / name, sep="\t", index=False, na_rep="n/a")
        elif "timeseries" in name:
            (tmp_path / name).write_text(pd.Series(content).to_json())
    bold_path = tmp_path / "sub-19001_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 152), np.float32), np.eye(4)), bold_path)
    chosen, sample_mask = load_confounds_strategy(str(bold_path), denoise_strategy=strategy)
    assert len(chosen) == 152
    assert chosen.notna().all().all()
    assert len(sample_mask) < 152


def test_native_images_agree_with_each_other(files):
    contents = files[PATIENT.subject]
    brain = named(contents, "anat/sub-59001_desc-brain_mask.nii.gz")
    bold_mask = named(contents, "space-T1w_desc-brain_mask.nii.gz")
    from_anat = Grid(brain.data.shape, brain.affine)
    native = Grid(bold_mask.data.shape, bold_mask.affine)
    expected = interpolation_matrix(native.points(), from_anat) @ brain.data.ravel().astype(float) > 0.5
    found = bold_mask.data.ravel() > 0
    assert 2 * (expected & found).sum() / (expected.sum() + found.sum()) > 0.9
    assert not np.allclose(native.affine[:3, :3], np.diag(np.diag(native.affine[:3, :3])), atol=1e-3)  # oblique


def test_raw_run_is_not_aligned_with_anything(files):
    contents = files[CONTROL.subject]
    image = named(contents, "sub-19001/func/sub-19001_task-rest_bold.nii.gz")
    assert image.data.shape[0] == 152
    assert image.xform_code == 1
    anat = named(contents, "sub-19001/anat/sub-19001_T1w.nii.gz")
    turn = (image.affine[:3, :3] / QUICK.bold_zooms).T @ (anat.affine[:3, :3] / QUICK.anat_step)
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) > 2
    assert (image.data[:, 0, 0, 0] > 0).any()  # noise in the air


# ---------------------------------------------------------------- the truth


def save_truth(folder, subject, arrays):
    target = folder / "sourcedata" / "truth"
    target.mkdir(parents=True, exist_ok=True)
    np.savez(target / f"sub-{subject}_truth.npz", **arrays)
    return Study("simulated", folder)


def tiny_truth():
    """Two nodes that correlate by 0.5 and four voxels in a row along x."""
    return {
        "format": np.array(1),
        "shape": np.array([4, 2, 1]),
        "affine": np.diag([3.0, 3, 4, 1]),
        "node_centres": np.zeros((2, 3)),
        "node_networks": np.array(["DefaultMode", "Visual"]),
        "node_covariance": np.array([[1, 0.5], [0.5, 1]]),
        "node_lags": np.zeros(2),
        "node_series": np.eye(3, 2),
        "voxels": np.array([0, 1, 2]),
        "voxel_nodes": np.array([[0, 1], [0, 1], [1, 0]]),
        "voxel_weights": np.array([[2.0, 0], [4.0, 0], [1.0, 0]]),
        "voxel_baseline": np.array([100.0, 200, 50]),
        "artefact_share": np.array([0.5, 0.25, 0.1]),
        "motion": np.zeros((3, 6)),
        "default_loading": np.array(0.7),
        "age": np.array(30),
    }


def labels_image(values, affine=None):
    return nibabel.Nifti1Image(
        np.array(values, np.int16).reshape(4, 2, 1, order="F"), np.diag([3.0, 3, 4, 1]) if affine is None else affine
    )


def test_truth_by_hand(tmp_path):
    truth = read_truth(save_truth(tmp_path, "19001", tiny_truth()), "sub-19001")
    labels = labels_image([5, 5, 7, 9, 0, 0, 0, 0])
    assert truth.region_weights(labels).to_numpy().tolist() == [[3, 0], [0, 1], [0, 0]]
    connectome = truth.region_connectome(labels)
    assert list(connectome.index) == [5, 7, 9]
    assert connectome.loc[5, 7] == pytest.approx(0.5)
    assert connectome.loc[7, 7] == 1
    assert connectome[9].isna().all()
    # one region over voxels of both nodes: variance (2/3)^2 * 1 ... of mean weights (2, 1/3)
    both = truth.region_connectome(labels_image([5, 5, 5, 0, 0, 0, 0, 0]))
    assert both.loc[5, 5] == 1
    assert truth.region_series(labels)[5].tolist() == [3, 0, 0]
    assert truth.amplitude_img.get_fdata()[:3, 0, 0] == pytest.approx([2, 2, 2])
    assert truth.artefact_share_img.get_fdata()[1, 0, 0] == pytest.approx(0.25)


def test_truth_says_what_is_wrong(tmp_path):
    study = save_truth(tmp_path, "19001", tiny_truth())
    with pytest.raises(ValueError, match="Found: 19001"):
        read_truth(study, "10159")
    with pytest.raises(ValueError, match="real"):
        read_truth(Study("ds000030", tmp_path), "19001")
    with pytest.raises(GridMismatchError, match="grid of the BOLD"):
        read_truth(study, "19001").region_connectome(labels_image(np.ones(8), np.eye(4)))
    with pytest.raises(ValueError, match="format 99"):
        read_truth(save_truth(tmp_path, "19002", {**tiny_truth(), "format": np.array(99)}), "19002")


def test_truth_is_in_the_image(ingredients, tmp_path):
    """Without artefacts and noise, the run's regional signals are those that the truth predicts."""
    silent = replace(
        PHYSICS,
        scanner=replace(PHYSICS.scanner, thermal_tsnr=1e5, slope=0.1),
        physiology=replace(PHYSICS.physiology, slow=0.0, cardiac=0.0, respiratory=0.0, drift=0.0),
        motion=replace(
            PHYSICS.motion,
            residual=0.0,
            realignment=0.0,
            interpolation=0.0,
            distortion=0.0,
            spin_history=0.0,
            spin_variability=0.0,
        ),
    )
    contents = {}
    for path, content in persons.simulate_person(PATIENT, QUICK, ingredients, 7, silent):
        contents[path] = content
        if path.name.endswith("space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"):
            break
    truth = read_truth(save_truth(tmp_path, "59001", named(contents, "truth.npz")), "59001")
    blocks = np.add.outer(np.add.outer(np.arange(33) // 11 * 9, np.arange(39) // 13 * 3), np.arange(33) // 11) + 1
    labels = nibabel.Nifti1Image(blocks.astype(np.int16), truth.affine)
    series = content.data.astype(float).transpose(0, 3, 2, 1)  # t, x, y, z
    expected = truth.region_series(labels)
    strong = expected.columns[expected.std() > 0.3]
    assert len(strong) > 10
    for label in strong:
        found = content.slope * series[6:, blocks == label].mean(1)
        assert np.corrcoef(found, expected[label][6:])[0, 1] > 0.999
        assert found.std() == pytest.approx(expected[label][6:].std(), rel=0.02)
    assert np.median(named(contents, "truth.npz")["artefact_share"]) < 1e-4  # of the truth file of a silent run


def test_packed_maps_are_interpolated_like_single_ones():
    """Against SciPy at places that the steps hold exactly; full neighbours must not spill into each other's bits."""
    rng = np.random.default_rng(3)
    maps = {name: rng.integers(0, 256, (9, 8, 7)).astype(np.uint8) for name in ("a", "b", "c", "d")}
    maps["b"][:] = 255
    source = Grid.aligned((7, 8, 9), 2.0, (-3.0, 5.0, 1.0))
    places = source.affine[:3, 3] + 2 * np.array([[1.125, 2.5, 3.25], [5.875, 0.0, 7.75], [0.0, 6.625, 0.5]])
    target = Grid((3, 1, 1), np.eye(4))
    chosen = lambda points: places[np.rint(points[:, 2]).astype(int)]  # noqa: E731
    pulled = PackedMaps.pack(maps, source).pull(Sampler(target, chosen, knots_apart=1.0))
    where = ((places - source.affine[:3, 3]) / 2).T[::-1]
    for name, values in maps.items():
        expected = ndimage.map_coordinates(values.astype(float), where, order=1)
        assert pulled[name].ravel() / ONE == pytest.approx(expected, abs=1e-9), name


def test_packed_maps_end_at_their_grid_but_go_on_below():
    source = Grid.aligned((4, 5, 6), 1.0, (0, 0, 0))
    packed = PackedMaps.pack({"full": np.full((6, 5, 4), 200, np.uint8)}, source)
    away = {"left": (-5, 0, 0), "right": (9, 0, 0), "behind": (0, -7, 0), "before": (0, 9, 0), "above": (0, 0, 20)}
    target = Grid.aligned((2, 2, 2), 1.0, (1.0, 1.0, 1.0))
    for name, shift in away.items():
        shifted = Sampler(target, lambda points, shift=shift: points + np.array(shift))
        assert not packed.pull(shifted)["full"].any(), name
    below = packed.pull(Sampler(target, lambda points: points - np.array([0, 0, 50])))["full"]
    assert (below == 200 * ONE).all()


def test_packed_maps_refuse_what_has_no_room():
    source = Grid.aligned((4, 5, 6), 1.0, (0, 0, 0))
    one = np.zeros(source.shape, np.uint8)
    for maps in ({str(n): one for n in range(5)}, {"float": one.astype(float)}, {"small": one[1:]}):
        with pytest.raises(ValueError, match="at most four maps of uint8"):
            PackedMaps.pack(maps, source)
