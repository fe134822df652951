"""The realism report: its figures on made-up data whose answer is known, and the page as a whole."""

import re

import numpy as np
import pandas as pd
import pytest

from course_utils.replicates import load_replicates
from course_utils.truth import read_truth
from data_scripts import replicates
from data_scripts.realism import _slope, compare_groups, edges, measure_study, quality_control
from data_scripts.references import REFERENCES, measure_real_tables
from data_scripts.report import NOT_MODELLED, SEEDS, summarize_replicates, write_report

TITLES = ["Figures beside real data", "Other seeds", "How often is what was planted found?", "Pictures"]


def test_real_tables_are_those_of_a_still_and_a_restless_person():
    real = measure_real_tables()
    np.testing.assert_allclose(real["fd_controls"], [0.108, 1.906], atol=0.001)  # means of the files' FD columns
    assert set(real) <= set(REFERENCES)


def test_slope_of_a_power_law():
    """White noise through 1/f: power falls with slope -2, white noise itself with 0."""
    rng = np.random.default_rng(0)
    white = rng.standard_normal((512, 200))
    assert _slope(white, 2.0) == pytest.approx(0, abs=0.1)
    frequencies = np.fft.rfftfreq(512, 2.0)
    gain = np.concatenate([[0], 1 / frequencies[1:]])
    fallen = np.fft.irfft(np.fft.rfft(white, axis=0) * gain[:, None], axis=0)
    assert _slope(fallen, 2.0) == pytest.approx(-2, abs=0.1)


def test_compare_groups_by_hand():
    """Means 2 and 0, SD 2 in both, ten people each: d = 1, times Hedges' factor 1 - 3 / (4 * 18 - 1)."""
    spread = np.array([-1.0, 1.0] * 5)
    spread = 2 * spread / spread.std(ddof=1)
    d, low, high = compare_groups(2 + spread, spread)
    assert d == pytest.approx(1 - 3 / 71)
    assert low < d < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(20 / 100 + d**2 / 40), rel=0.05)


def test_quality_control_finds_the_edge_that_follows_motion_inside_groups():
    fd = np.array([0.1, 0.2, 0.3, 0.4, 1.1, 1.2, 1.3, 1.4])
    groups = ["a"] * 4 + ["b"] * 4
    follows = np.tanh(fd - np.repeat([0.25, 1.25], 4))
    by_group_only = np.repeat([0.1, 0.6], 4) + 0.01 * np.tile([1, -1, -1, 1], 2)
    matrices = []
    for first, second in zip(follows, by_group_only, strict=True):
        matrix = np.eye(3)
        matrix[0, 1] = matrix[1, 0] = first
        matrix[0, 2] = matrix[2, 0] = second
        matrix[1, 2] = matrix[2, 1] = -first
        matrices.append(matrix)
    np.testing.assert_allclose(quality_control(matrices, fd, groups), [1, 0, -1], atol=1e-6)


@pytest.fixture(scope="module")
def measured(quick_study):
    """The small study, measured."""
    return measure_study(quick_study, jobs=1)


def test_every_figure_has_a_value_a_range_and_a_source(measured):
    summary = measured.summarize()
    assert list(summary.index) == list(REFERENCES)
    assert np.isfinite(summary[["least", "value", "most", "low", "high"]].to_numpy(float)).all()
    assert (summary["low"] < summary["high"]).all()
    assert (summary["source"].str.len() > 10).all()
    assert (summary["seen"].str.len() > 0).all()
    inside = (summary["low"] <= summary["value"]) & (summary["value"] <= summary["high"])
    assert (inside == summary["in_range"]).drop("rise").all()
    assert summary.loc["rise", "in_range"] == (summary.loc["rise", "least"] >= 0.10)  # asked of everybody


def test_measured_truth_is_that_of_the_truth_files(quick_study, measured):
    from course_utils.atlases import fetch_course_networks, resample_atlas
    from course_utils.layout import find_run, open_layout

    subject = measured.people.index[0]
    run = find_run(open_layout(quick_study), subject)
    atlas = resample_atlas(fetch_course_networks(quick_study), run.bold)
    planted = read_truth(quick_study, subject).region_connectome(atlas.maps)
    np.testing.assert_allclose(edges(measured.connectomes["truth"][0]), edges(planted.to_numpy()))


def test_report_is_one_page_that_asks_nobody(quick_study, tmp_path):
    path = write_report(quick_study, tmp_path / "new" / "report.html", jobs=1)
    page = path.read_text(encoding="utf-8")
    sections = [*TITLES, "What is not modelled"]
    assert [page.index(f"<h2>{title}</h2>") for title in sections] == sorted(
        page.index(f"<h2>{title}</h2>") for title in sections
    )
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    alts = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,', page)
    assert len(alts) == len(set(alts)) == page.count("<img") == page.count("Still artificial:") >= 8
    assert min(map(len, alts)) > 40
    for reference in REFERENCES.values():
        assert reference.title in page
    assert all(text[:40] in page for text in NOT_MODELLED.values())
    found = re.search(r"<strong>(\d+) of (\d+) figures are in the range", page)
    judged = page[: page.index("<h2>Other seeds</h2>")]
    assert int(found[2]) == len(REFERENCES)
    assert int(found[1]) == len(REFERENCES) - judged.count("<td>NO</td>")
    assert list(tmp_path.rglob("*.part")) == []


@pytest.fixture(scope="module")
def small_replicates(tmp_path_factory):
    """One study of four people with the difference and one without."""
    folder = tmp_path_factory.mktemp("replicates")
    options = {"profile": "quick", "n_per_group": 2, "jobs": 1}
    found = replicates.simulate_replicates(folder, 1, **options)
    return folder, found, replicates.judge_replicates(found, **options)[0], options


def test_replicates_have_a_row_for_each_person_and_way_of_cleaning(small_replicates):
    _, _, table, _ = small_replicates
    ways = ["truth", "signals", *replicates.STRATEGIES]
    counts = table.groupby(["effect", "subject"])["strategy"].apply(list)
    assert len(counts) == 8
    assert all(found == ways for found in counts)
    truth = table[table["strategy"] == "truth"]
    assert (truth["r_truth"] == 1).all()
    assert (truth["rmse_truth"] == 0).all()


def test_without_an_effect_only_patients_differ(small_replicates):
    _, _, table, _ = small_replicates
    truth = table[table["strategy"] == "truth"].pivot_table(
        index=["subject", "diagnosis"], columns="effect", values="default_mode"
    )
    change = (truth["none"] - truth["planted"]).groupby("diagnosis")
    assert (change.max()["CONTROL"], change.min()["CONTROL"]) == (0, 0)
    assert change.min()["SCHZ"] > 0


def test_replicates_are_continued_not_made_again(small_replicates):
    folder, found, _, options = small_replicates
    before = {path: path.stat().st_mtime_ns for path in found.iterdir()}
    lost = next(iter(before))
    content = lost.read_bytes()
    lost.unlink()
    assert replicates.simulate_replicates(folder, 1, **options) == found
    after = {path: path.stat().st_mtime_ns for path in found.iterdir()}
    assert {path for path in before if before[path] != after[path]} == {lost}
    with np.load(lost) as again:
        assert again.files
    assert len(content) == lost.stat().st_size


def test_stored_replicates_keep_what_the_course_promises():
    """Twenty studies with the planted difference, twenty without: see the report."""
    summary = summarize_replicates(load_replicates()).set_index(["effect", "strategy"])
    assert (summary["n_studies"] == 20).all()
    planted, found = summary.loc[("planted", "truth"), "d"], summary.loc[("planted", "18P")]
    assert abs(found["d"] - planted) < 0.25
    assert found["covered"] * 20 >= 17
    assert summary.loc["none"].loc[list(replicates.STRATEGIES), "d"].abs().loc[["18P", "16P", "aCompCor"]].min() < 0.25


def test_stored_figures_of_four_seeds_are_in_range():
    seeds = pd.read_csv(SEEDS)
    assert seeds["seed"].nunique() == 4
    assert seeds.groupby("seed")["name"].apply(set).map(lambda names: names == set(REFERENCES)).all()
    assert seeds["in_range"].all(), seeds.loc[~seeds["in_range"], ["seed", "name", "value"]]
