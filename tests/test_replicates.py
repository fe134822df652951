"""Many studies of one design: what the simulator's side writes, and how the course reads it."""

import numpy as np
import pandas as pd
import pytest

from course_utils.confounds import NINE_REGRESSORS
from course_utils.connectomes import correlate_regions, edges
from course_utils.replicates import PEOPLE, load_replicate_edges, load_replicates
from course_utils.strategies import STRATEGIES, clean_with
from data_scripts import replicates
from data_scripts.parameters import PROFILES
from data_scripts.roster import make_pairs

SIZE = PROFILES["quick"]
LOST = 3  # position of a region without data
N_DUMMY = 2


def make_person(rng, n_volumes, n_regions):
    """Signals of regions and a table of confounds, made up."""
    motion = [name for strategy in STRATEGIES.values() for name in strategy.signals]
    names = dict.fromkeys([*motion, *NINE_REGRESSORS, *(f"a_comp_cor_{i:02d}" for i in range(5))])
    base = pd.DataFrame(rng.normal(size=(n_volumes, len(names))), columns=list(names))
    steps, squares = base.diff().add_suffix("_derivative1"), (base**2).add_suffix("_power2")
    table = pd.concat([base, steps, squares, (base.diff() ** 2).add_suffix("_derivative1_power2")], axis=1)
    slow = np.cos(np.pi * (np.arange(n_volumes) + 0.5) / n_volumes)
    first = [np.eye(n_volumes)[i] for i in range(N_DUMMY)]
    extra = {f"non_steady_state_outlier{i:02d}": column for i, column in enumerate(first)}
    extra |= {"cosine00": slow, "framewise_displacement": rng.uniform(0, 0.4, n_volumes), "std_dvars": slow}
    averages = rng.normal(500, 5, (n_volumes, n_regions)) + rng.normal(size=(n_volumes, 1))
    averages[:, LOST] = np.nan
    return averages, table.assign(**extra)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Two studies of two people, as `simulate_replicates` leaves them, judged and written."""
    rng, folder = np.random.default_rng(1), tmp_path_factory.mktemp("made_up")
    n_regions = len(replicates.load_labels(SIZE)[1])
    signals = {}
    for effect in replicates.EFFECTS:
        arrays = {}
        for person in make_pairs(1, 0):
            averages, table = make_person(rng, 90, n_regions)
            signals[effect, person.subject] = averages, table
            truth = np.corrcoef(rng.normal(size=(n_regions, 200)))
            found = {"averages": averages, "planted": rng.normal(size=(90, n_regions)), "truth": truth}
            found |= {"table": table.to_numpy(), "names": np.array(table.columns, str)}
            arrays |= {f"{person.subject}-{name}": array for name, array in found.items()}
        np.savez(folder / f"{effect}-00000.npz", **arrays)
    table, kept = replicates.judge_replicates(folder, profile="quick", n_per_group=1, jobs=1)
    out = tmp_path_factory.mktemp("written")
    replicates.write_replicates(table, kept, out)
    return signals, table, out


def test_table_comes_back_as_it_was_judged(made_up):
    _, table, out = made_up
    pd.testing.assert_frame_equal(load_replicates(out / "replicates.csv"), table)
    assert sorted(path.name for path in out.iterdir()) == ["replicate_edges.npz", "replicates.csv"]


def test_edges_are_those_of_the_strategy_that_is_named(made_up):
    signals, _, out = made_up
    people, r = load_replicate_edges(out / "replicate_edges.npz")
    strategy = STRATEGIES[people.attrs["strategy"]]
    assert len(people) == len(r) == len(signals)
    for person, found in zip(people.itertuples(), r.to_numpy(), strict=True):
        averages, table = signals[person.effect, person.subject]
        alive = np.delete(averages, LOST, axis=1)[N_DUMMY:]
        cleaned = clean_with(strategy, alive, table, t_r=SIZE.t_r, n_dummy=N_DUMMY)
        names = np.delete(np.arange(averages.shape[1]), LOST)
        wanted = correlate_regions(pd.DataFrame(cleaned, columns=names)).reindex(
            index=range(averages.shape[1]), columns=range(averages.shape[1])
        )
        np.testing.assert_allclose(found, edges(wanted), atol=people.attrs["step"] / 2 + 1e-6)


def test_a_lost_region_is_missing_and_named(made_up):
    _, _, out = made_up
    _, r = load_replicate_edges(out / "replicate_edges.npz")
    regions = replicates.load_labels(SIZE)[1]["name"]
    with_lost = [regions[LOST] in pair for pair in r.columns]
    np.testing.assert_array_equal(r.isna(), np.broadcast_to(with_lost, r.shape))
    assert r.columns[0] == (regions[0], regions[1])
    assert r.columns.names == ["region_a", "region_b"]


def test_people_are_those_of_the_table_in_its_order(made_up):
    _, table, out = made_up
    people, _ = load_replicate_edges(out / "replicate_edges.npz")
    wanted = table[table["strategy"] == people.attrs["strategy"]][list(PEOPLE)].reset_index(drop=True)
    pd.testing.assert_frame_equal(people, wanted, check_dtype=False)


@pytest.mark.parametrize("load", [load_replicates, load_replicate_edges])
def test_a_missing_file_says_what_to_run(load, tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m data_scripts replicate FOLDER"):
        load(tmp_path / "absent")


def test_stored_edges_are_those_of_the_stored_table():
    """Both files come from one run: the mean z in the default mode follows from the edges."""
    people, r = load_replicate_edges()
    table = load_replicates()
    table = table[table["strategy"] == people.attrs["strategy"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(people, table[list(PEOPLE)], check_dtype=False)
    inside = [all("DefaultMode" in name for name in pair) for pair in r.columns]
    z = np.arctanh(r.loc[:, inside].clip(-0.999, 0.999)).mean(axis=1)
    np.testing.assert_allclose(z, table["default_mode"], atol=0.01)
    counts = people.groupby(["effect", "study", "diagnosis"]).size()
    assert len(counts) == 2 * 20 * 2
    assert (counts == 10).all()


def test_rounding_adds_little_to_the_scatter_of_an_edge():
    _, r = load_replicate_edges()
    step = load_replicate_edges()[0].attrs["step"]
    assert step**2 / 12 < 0.01 * r.var().median()


def test_stored_edges_are_small():
    from course_utils.replicates import EDGES

    assert EDGES.stat().st_size < 2.5e6
