"""One simulated person: every file, one after the other."""

from dataclasses import dataclass

import numpy as np

from course_utils.layout import MNI
from data_scripts import anatomy, artefacts, baseline, bold, confounds, contents, motion, networks, physiology, raw
from data_scripts.fields import Grid, Sampler
from data_scripts.packed import ONE
from data_scripts.parameters import PHYSICS

STREAMS = (
    "body",
    "head",
    "connectome",
    "nodes",
    "events",
    "physiology",
    "motion",
    "baseline",
    "weights",
    "artefacts",
    "noise",
    "mni_t1w",
    "native_t1w",
    "raw",
)
COARSE = 4.0  # mm, of the grid on which the native brain is measured


@dataclass(frozen=True, eq=False)
class Body:
    """All that is drawn for one person before any image is made.

    Attributes
    ----------
    head : Head
    connectome : Connectome
    nodes : ndarray of float32, shape (n_volumes, n_nodes)
    traces : Traces
    motion : Motion
    mean_fd : float
        In mm, wanted and (in the estimate) reached.
    """

    head: anatomy.Head
    connectome: networks.Connectome
    nodes: np.ndarray
    traces: physiology.Traces
    motion: motion.Motion
    mean_fd: float


def random_streams(seed, subject):
    """Make one random generator for each part of one person's simulation.

    They depend on the seed and the subject's label alone, so that neither the order of people nor the number of
    parallel jobs changes anything.

    Parameters
    ----------
    seed : int
    subject : str
        Label without "sub-".

    Returns
    -------
    dict of {str: numpy.random.Generator}
    """
    children = np.random.SeedSequence(seed, spawn_key=tuple(subject.encode())).spawn(len(STREAMS))
    return {name: np.random.default_rng(child) for name, child in zip(STREAMS, children, strict=True)}


def simulate_body(person, profile, ingredients, streams, physics=PHYSICS):
    """Draw head, connectome, breathing and motion of one person.

    Parameters
    ----------
    person : Person
    profile : Profile
    ingredients : Ingredients
    streams : dict of numpy.random.Generator
        From `random_streams`.
    physics : Physics

    Returns
    -------
    Body
    """
    n_volumes, t_r = profile.n_volumes, profile.t_r
    head = anatomy.simulate_head(physics.anatomy, rng=streams["head"])
    spectrum = networks.neural_spectrum(physics.neural, n_volumes, t_r)
    connectome = networks.simulate_connectome(
        physics.networks,
        physics.neural,
        ingredients.node_centres,
        ingredients.node_networks,
        person,
        spectrum,
        rng=streams["connectome"],
    )
    nodes = networks.simulate_nodes(connectome, spectrum, n_volumes, rng=streams["nodes"])
    mean_fd = motion.draw_mean_fd(physics.motion, person.diagnosis, rng=streams["body"])
    events = motion.simulate_events(mean_fd, n_volumes, rng=streams["events"])
    breaths = _breaths_after(events, physics.motion.deep_breaths, t_r)
    traces = physiology.simulate_physiology(physics.physiology, n_volumes, t_r, breaths, rng=streams["physiology"])
    moved = motion.simulate_motion(physics.motion, mean_fd, events, traces.breathing, rng=streams["motion"])
    return Body(head, connectome, nodes, traces, moved, mean_fd)


def _breaths_after(events, deepest, t_r):
    """Breaths that come with sudden movements: (time in s, how much deeper), deeper after a larger movement."""
    sudden = np.nan_to_num(motion.framewise_displacement(events))
    return [(t * t_r, deepest * min(1.0, sudden[t] / 0.5)) for t in np.flatnonzero(sudden > 0.15)]


def simulate_run(body, profile, ingredients, streams, physics=PHYSICS):
    """Put together the BOLD run of one person in MNI space, without noise.

    Parameters
    ----------
    body : Body
    profile : Profile
    ingredients : Ingredients
    streams : dict of numpy.random.Generator
    physics : Physics

    Returns
    -------
    bold.Run
    """
    grid = Grid.aligned(profile.bold_shape, profile.bold_zooms, profile.bold_origin)
    steady = baseline.simulate_baseline(physics.scanner, ingredients, grid, body.head, rng=streams["baseline"])
    weights = bold.simulate_voxel_weights(
        physics.neural, steady, ingredients.node_centres, body.connectome.covariance, rng=streams["weights"]
    )
    courses, maps = artefacts.simulate_artefacts(
        physics, steady, body.traces, body.motion, body.mean_fd, profile.t_r, rng=streams["artefacts"]
    )
    return bold.Run(steady, weights, body.nodes, courses, maps)


def acquire(run, params, t_r, noise, scanner_view=None):
    """Draw every volume of a run.

    Parameters
    ----------
    run : bold.Run
    params : parameters.Scanner
    t_r : float
        In seconds.
    noise : bold.Noise
    scanner_view : ScannerView, optional
        Is handed each volume too, before noise.

    Returns
    -------
    ndarray of int16, shape (n_volumes, z, y, x)
        In units of the scanner's slope.
    """
    active, shape = run.baseline.active, run.baseline.grid.shape
    series = np.zeros((len(run.nodes), *shape), np.int16)
    for index, clean in enumerate(bold.generate_volumes(run, params, t_r)):
        if scanner_view is not None:
            scanner_view.acquire(index, clean)
        series[index] = bold.to_image(clean + noise.draw(), active, shape, params.slope)
    return series


def simulate_person(person, profile, ingredients, seed, physics=PHYSICS):
    """Simulate every file of one person.

    Parameters
    ----------
    person : Person
    profile : Profile
    ingredients : Ingredients
        From `data_scripts.templates.load_ingredients(profile)`.
    seed : int
        Seed of the study. The person's own random numbers come from (seed, subject) alone.
    physics : Physics
        Constants.

    Yields
    ------
    path : Path
        Relative to the raw BIDS root.
    content : Volume, DataFrame or dict
        DataFrame for ".tsv", dict for ".json", dict of arrays for ".npz", Volume for ".nii.gz".
    """
    streams = random_streams(seed, person.subject)
    body = simulate_body(person, profile, ingredients, streams, physics)
    yield from _functional(person, profile, ingredients, streams, body, physics)
    yield from _anatomical(person, profile, ingredients, streams, body, physics)


def _functional(person, profile, ingredients, streams, body, physics):
    """All files made from the run, MNI space first."""
    subject, slope, t_r = person.subject, physics.scanner.slope, profile.t_r
    run = simulate_run(body, profile, ingredients, streams, physics)
    view = None
    if person.has_raw_run:
        view = raw.ScannerView(physics.scanner, run.baseline, body.head, body.motion, profile, rng=streams["raw"])
    noise = bold.Noise(physics.scanner, run.baseline, rng=streams["noise"])
    series = acquire(run, physics.scanner, t_r, noise, view)
    truth = contents.collect_truth(body, run, ingredients, person, bold.compute_artefact_share(run, noise.level))
    grid, mask, tissues = run.baseline.grid, run.baseline.mask, run.baseline.tissues
    del run, noise
    yield contents.TRUTH / f"sub-{subject}_truth.npz", truth
    del truth
    if view is not None:
        yield from view.files(subject)
        del view
    within = series.reshape(len(series), -1)[:, mask.ravel()].astype(np.float32) * np.float32(slope)
    whole = series.mean((1, 2, 3), dtype=np.float64)
    found = confounds.compute_confounds(within, mask, tissues, body.motion.estimate, whole, t_r)
    del within, tissues
    yield from contents.generate_confound_files(subject, *found)
    yield from contents.generate_functional_files(subject, MNI, series, mask.astype(np.uint8), grid.affine, slope, t_r)
    native = _native_bold_grid(ingredients, body.head, profile)
    series, mask = contents.resample_to_native(series, grid, mask, native, body.head)
    yield from contents.generate_functional_files(subject, "T1w", series, mask, native.affine, slope, t_r)


def _native_bold_grid(ingredients, head, profile):
    """Grid of the T1w-space BOLD: around the brain as it lies in the scanner."""
    grid = anatomy.native_t1w_grid(head, COARSE)
    pulled = ingredients.anatomy.pull(Sampler(grid, head.native_to_template, 16.0))
    brain = pulled["grey"] + pulled["white"] + pulled["csf"]
    return anatomy.native_bold_grid(brain > 50 * ONE, grid, profile.bold_zooms)


def _anatomical(person, profile, ingredients, streams, body, physics):
    """All files made from the T1w image, MNI space first."""
    params, subject, head = physics.anatomy, person.subject, body.head
    images = anatomy.simulate_anatomicals(
        params, ingredients, ingredients.template, head.mni_to_template, with_raw=False, rng=streams["mni_t1w"]
    )
    yield from contents.generate_anatomical_files(subject, images, params, MNI)
    del images
    grid = anatomy.native_t1w_grid(head, profile.anat_step)
    images = anatomy.simulate_anatomicals(
        params, ingredients, grid, head.native_to_template, with_raw=True, rng=streams["native_t1w"]
    )
    yield from contents.generate_anatomical_files(subject, images, params)
    yield from contents.generate_raw_anatomical_files(subject, images, params)
