"""Draw many studies of one design, each with other people, to see how often what was planted is found.

One study of twenty people is one draw. Here whole studies are drawn again and again, with the planted difference
between the groups and without it. Nothing but each person's regional signals and confounds table is kept, so a study
takes half a minute and a few megabytes. What comes out is small enough to lie in the repository: one row for each
person and each way of cleaning. The power curve of the course and the recovery rows of the realism report are read from
there. For machine learning the edges of everybody are kept too, cleaned in one way and rounded.
"""

import os
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from course_utils.confounds import count_dummy_volumes
from course_utils.replicates import EDGES, LOST, PEOPLE, TABLE
from course_utils.strategies import STRATEGIES, clean_with
from course_utils.truth import unpack_truth
from data_scripts import bold, confounds, contents
from data_scripts.atlas import atlas_files
from data_scripts.fields import Grid
from data_scripts.parameters import PHYSICS, PROFILES
from data_scripts.person import acquire, random_streams, simulate_body, simulate_run
from data_scripts.records import code_digest
from data_scripts.roster import make_pairs
from data_scripts.templates import load_ingredients

PROFILE = "course"
EFFECTS = ("planted", "none")
DEFAULT = "DefaultMode"
CLIP = 0.999  # of r before Fisher's z: arctanh(1) is infinite
DECIMALS = 4
# The way of cleaning that episodes 06 and 08 build and 09 goes on with. What it leaves of motion belongs to the lesson.
KEPT_STRATEGY = "18P"
# The edges are rounded to this. An r of one run scatters by 0.2, so rounding adds less than half a percent of variance;
# half the step would make the file larger by a quarter.
STEP = 0.04


def choose_physics(effect):
    """Choose the constants of a study with or without a difference between the groups.

    Parameters
    ----------
    effect : {"planted", "none"}

    Returns
    -------
    Physics
        Without: patients have the default-mode coupling of controls, and still move more.
    """
    if effect == "planted":
        return PHYSICS
    coupled = replace(PHYSICS.networks, default_patients=PHYSICS.networks.default_controls)
    return replace(PHYSICS, networks=coupled)


def load_labels(profile):
    """Put the course's atlas on the grid of the BOLD images.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    labels : Nifti1Image
    regions : DataFrame, shape (n_regions, 2)
        `name` and `network` of each label, in ascending order.
    """
    from nilearn.image import resample_to_img

    files = {path.name: content for path, content in atlas_files()}
    volume = next(content for name, content in files.items() if name.endswith("dseg.nii.gz"))
    table = next(content for name, content in files.items() if name.endswith("dseg.tsv"))
    grid = Grid.aligned(profile.bold_shape, profile.bold_zooms, profile.bold_origin)
    target = nib.Nifti1Image(np.zeros(profile.bold_shape, np.int16), grid.affine)
    fine = nib.Nifti1Image(volume.data.T, volume.affine)
    labels = resample_to_img(fine, target, interpolation="nearest", copy_header=True, force_resample=True)
    return labels, table[["name", "network"]]


def simulate_signals(person, profile, ingredients, seed, effect, labels):
    """Simulate one person's run and keep the average of each region.

    Parameters
    ----------
    person : Person
    profile : Profile
    ingredients : Ingredients
    seed : int
        Of the study.
    effect : {"planted", "none"}
    labels : Nifti1Image
        On the grid of the run.

    Returns
    -------
    averages : ndarray of float32, shape (n_volumes, n_regions)
        NaN where a region has no voxel in the brain mask.
    table : DataFrame, shape (n_volumes, n_columns)
        Confounds.
    planted : ndarray of float32, shape (n_volumes, n_regions)
        Neural signal of each region in this run.
    connectome : ndarray of float32, shape (n_regions, n_regions)
        Planted correlation.
    """
    physics, streams = choose_physics(effect), random_streams(seed, person.subject)
    body = simulate_body(person, profile, ingredients, streams, physics)
    run = simulate_run(body, profile, ingredients, streams, physics)
    noise = bold.Noise(physics.scanner, run.baseline, rng=streams["noise"])
    series = acquire(run, physics.scanner, profile.t_r, noise)
    share = np.zeros(len(run.weights.voxels), np.float32)
    truth = unpack_truth(person.subject, contents.collect_truth(body, run, ingredients, person, share))
    mask, tissues = run.baseline.mask, run.baseline.tissues
    flat, slope = series.reshape(len(series), -1), np.float32(physics.scanner.slope)
    within = flat[:, mask.ravel()].astype(np.float32) * slope
    whole = series.mean((1, 2, 3), dtype=np.float64)
    table, _ = confounds.compute_confounds(within, mask, tissues, body.motion.estimate, whole, profile.t_r)
    values = np.asarray(labels.dataobj, int).T  # from (x, y, z) to the simulator's (z, y, x)
    n_labels = int(values.max())
    inside = (values * mask).ravel()[mask.ravel()]
    sums = np.stack([np.bincount(inside, volume, n_labels + 1)[1:] for volume in within])
    counts = np.bincount(inside, minlength=n_labels + 1)[1:]
    averages = (sums / np.where(counts, counts, np.nan)).astype(np.float32)
    planted = truth.region_series(labels).to_numpy(np.float32)
    return averages, table, planted, truth.region_connectome(labels).to_numpy(np.float32)


def _simulate_study(folder, seed, effect, profile, ingredients, labels, n_per_group):
    """Simulate everybody of one study into one file, whole or not at all."""
    path = folder / f"{effect}-{seed:05d}.npz"
    if path.is_file():
        return
    arrays, people = {}, make_pairs(n_per_group, seed)
    with threadpool_limits(1):
        for person in people:
            averages, table, planted, truth = simulate_signals(person, profile, ingredients, seed, effect, labels)
            wanted = sorted({name for each in STRATEGIES.values() for name in each.choose_columns(table)})
            kept = ["framewise_displacement", "std_dvars", *wanted]
            kept += [name for name in table if name.startswith("non_steady_state")]
            found = {"averages": averages, "planted": planted, "truth": truth, "names": np.array(kept)}
            found |= {"table": table[kept].to_numpy(np.float64)}
            arrays |= {f"{person.subject}-{name}": array for name, array in found.items()}
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(path)


def simulate_replicates(folder, n_studies, *, profile=PROFILE, n_per_group=10, jobs=2, progress=False):
    """Simulate the signals of many studies, or of those that are not there yet.

    Parameters
    ----------
    folder : Path
        Where to keep them. Studies of another version of the simulator lie in another folder inside.
    n_studies : int
        With the planted difference, and as many without; their seeds are 0, 1, ...
    profile : str
        Name in `parameters.PROFILES`.
    n_per_group : int
        People in each group of a study.
    jobs : int
        Processes at once.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The folder with the files.
    """
    folder = Path(folder, f"{profile}-{n_per_group}-{code_digest()[:16]}")
    folder.mkdir(parents=True, exist_ok=True)
    size = PROFILES[profile]
    wanted = [(seed, effect) for seed in range(n_studies) for effect in EFFECTS]
    missing = [(s, e) for s, e in wanted if not (folder / f"{e}-{s:05d}.npz").is_file()]
    if missing:
        ingredients, (labels, _) = load_ingredients(size), load_labels(size)
        tasks = (
            delayed(_simulate_study)(folder, seed, effect, size, ingredients, labels, n_per_group)
            for seed, effect in missing
        )
        done = Parallel(jobs, return_as="generator_unordered")(tasks)
        for _ in tqdm(done, total=len(missing), desc="Simulating", unit="study", disable=not progress):
            pass  # the files are the result
    return folder


def _edges(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def _correlate(series):
    """Pearson's r of the columns; NaN where a column is."""
    return np.corrcoef(np.asarray(series, float), rowvar=False)


def connect_person(averages, table, planted, truth, t_r):
    """Clean one person's signals in every way, and correlate what comes out.

    Parameters
    ----------
    averages : ndarray, shape (n_volumes, n_regions)
        Of the simulated run.
    table : DataFrame, shape (n_volumes, n_columns)
        Confounds.
    planted : ndarray, shape (n_volumes, n_regions)
        Neural signals of the run.
    truth : ndarray, shape (n_regions, n_regions)
        Planted r.
    t_r : float
        In seconds.

    Returns
    -------
    dict of str to ndarray, shape (n_regions, n_regions)
        Pearson r by strategy. First the planted connectome ("truth") and that of the planted signals of this very run,
        in the band ("signals"). NaN where a region was lost.
    """
    n_dummy = count_dummy_volumes(table)
    alive = ~np.isnan(averages).any(0)
    pure = clean_with(STRATEGIES["band"], planted[n_dummy:], table, t_r=t_r, n_dummy=n_dummy)
    found = {"truth": truth, "signals": _correlate(pure)}
    for name, strategy in STRATEGIES.items():
        series = np.full((len(averages) - n_dummy, averages.shape[1]), np.nan)
        series[:, alive] = clean_with(strategy, averages[n_dummy:, alive], table, t_r=t_r, n_dummy=n_dummy)
        found[name] = _correlate(series)
    return found


def judge_person(connectomes, networks):
    """Compare one person's connectomes with what was planted.

    Parameters
    ----------
    connectomes : dict of str to ndarray, shape (n_regions, n_regions)
        From `connect_person`.
    networks : ndarray of str, shape (n_regions,)

    Returns
    -------
    list of dict
        One a connectome: `strategy`, `default_mode` (mean Fisher z inside the default mode), `other` (between different
        networks), `r_truth` and `rmse_truth` (over edges).
    """
    default = networks == DEFAULT
    inside = _edges(np.outer(default, default))
    between = _edges(networks[:, None] != networks[None])
    wanted = _edges(connectomes["truth"])
    rows = []
    for name, matrix in connectomes.items():
        r = _edges(matrix)
        there = np.isfinite(r) & np.isfinite(wanted)
        z = np.arctanh(np.clip(r, -CLIP, CLIP))
        rows.append(
            {
                "strategy": name,
                "default_mode": np.nanmean(z[inside]),
                "other": np.nanmean(z[between]),
                "r_truth": np.corrcoef(r[there], wanted[there])[0, 1],
                "rmse_truth": np.sqrt(np.mean((r[there] - wanted[there]) ** 2)),
            }
        )
    return rows


def _round_edges(r):
    """Count r in steps, as int8."""
    return np.where(np.isnan(r), LOST, np.rint(np.nan_to_num(r) / STEP)).astype(np.int8)


def _judge_study(path, people, networks, t_r):
    """All rows of one study, and the edges of each person in the strategy that is kept."""
    effect, seed = path.stem.rsplit("-", 1)
    rows, codes = [], []
    with np.load(path) as saved, threadpool_limits(1):
        for person in people:
            get = {name: saved[f"{person.subject}-{name}"] for name in ("averages", "planted", "truth")}
            table = pd.DataFrame(saved[f"{person.subject}-table"], columns=saved[f"{person.subject}-names"])
            known = {"effect": effect, "study": int(seed), "subject": person.subject, "diagnosis": person.diagnosis}
            known |= {"age": person.age, "gender": person.gender, "mean_fd": table["framewise_displacement"].mean()}
            connectomes = connect_person(**get, table=table, t_r=t_r)
            rows += [known | row for row in judge_person(connectomes, networks)]
            codes.append(_round_edges(_edges(connectomes[KEPT_STRATEGY])))
    return rows, codes


def judge_replicates(folder, *, profile=PROFILE, n_per_group=10, jobs=2):
    """Make the table of all people of all studies, and collect their edges.

    Parameters
    ----------
    folder : Path
        From `simulate_replicates`.
    profile : str
    n_per_group : int
    jobs : int

    Returns
    -------
    table : DataFrame
        One row a person and strategy: `effect`, `study`, `subject`, `diagnosis`, `age`, `gender`, `mean_fd` (mm) and
        what `judge_person` gives.
    edges : dict of str to ndarray
        What `course_utils.replicates.load_replicate_edges` reads: the same people in the same order, the names of the
        regions, the strategy, and its edges in steps.
    """
    size = PROFILES[profile]
    _, regions = load_labels(size)
    networks = regions["network"].to_numpy(str)
    tasks = (
        delayed(_judge_study)(path, make_pairs(n_per_group, int(path.stem.rsplit("-", 1)[1])), networks, size.t_r)
        for path in sorted(folder.glob("*.npz"))
    )
    studies = Parallel(jobs)(tasks)
    table = pd.DataFrame([row for rows, _ in studies for row in rows]).round(DECIMALS)
    people = table[table["strategy"] == KEPT_STRATEGY]
    edges = {name: people[name].to_numpy(str if people[name].dtype.kind in "OU" else None) for name in PEOPLE}
    edges |= {"strategy": np.array(KEPT_STRATEGY), "regions": regions["name"].to_numpy(str), "step": np.array(STEP)}
    return table, edges | {"codes": np.stack([code for _, codes in studies for code in codes])}


def write_replicates(table, edges, folder=TABLE.parent):
    """Write table and edges where the course reads them.

    Parameters
    ----------
    table, edges : DataFrame, dict of str to ndarray
        From `judge_replicates`.
    folder : Path
        Each file is there whole or not at all.
    """
    parts = {name: Path(folder, f"{name}.part") for name in (TABLE.name, EDGES.name)}
    table.to_csv(parts[TABLE.name], index=False)
    with parts[EDGES.name].open("wb") as file:
        np.savez_compressed(file, **edges)
    for name, part in parts.items():
        part.replace(Path(folder, name))
