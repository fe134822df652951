"""Every constant of the simulation: value, unit, source."""

from dataclasses import dataclass, field, fields, is_dataclass

SEED = 2026


@dataclass(frozen=True)
class Profile:
    """How large a study is, and on which grids its images lie.

    Attributes
    ----------
    n_per_group : int
        People in each of the two groups.
    bold_shape, bold_zooms : tuple of int, tuple of float
        Grid of the BOLD images in MNI space: voxels along x, y, z and their size in mm.
    bold_origin : tuple of float
        Centre of the first voxel, in mm.
    anat_step : int
        Spacing of the anatomical grids in mm (1 is the grid of the template).
    n_volumes : int
        Volumes in a run, the dummy volumes included.
    t_r : float
        Repetition time in seconds.
    """

    n_per_group: int
    bold_shape: tuple
    bold_zooms: tuple
    bold_origin: tuple
    anat_step: int
    n_volumes: int = 152
    t_r: float = 2.0


PROFILES = {
    "course": Profile(10, (65, 77, 49), (3.0, 3.0, 4.0), (-96.5, -132.5, -78.5), 1),
    # coarse grids for unit tests: same extent, same number of volumes, about a tenth of the voxels
    "quick": Profile(2, (33, 39, 33), (6.0, 6.0, 6.0), (-96.5, -132.5, -78.5), 3),
}


@dataclass(frozen=True)
class Person:
    """One simulated participant.

    Attributes
    ----------
    subject : str
        Label without "sub-", such as "19001".
    diagnosis : {"CONTROL", "SCHZ"}
        Group, in the words of ds000030.
    age : int
        Years.
    gender : {"F", "M"}
        As in ds000030's participants.tsv.
    has_raw_run : bool
        Whether the raw, unprocessed run is written too (one person of each group).
    """

    subject: str
    diagnosis: str
    age: int
    gender: str
    has_raw_run: bool = False


CHOICE = "chosen so that the figures of the realism report come out"
TEACHING = "a teaching device: chosen, not measured"


def constant(value, unit, source):
    """Declare one constant of the simulation with its unit and where the value comes from.

    Parameters
    ----------
    value : float or tuple
    unit : str
    source : str
        Citation, or "choice" and the reason.

    Returns
    -------
    dataclasses.Field
    """
    return field(default=value, metadata={"unit": unit, "source": source})


@dataclass(frozen=True)
class Anatomy:
    """Size, shape and place of a head."""

    warp_sd: float = constant(1.3, "mm", "choice: what nonlinear normalisation leaves over, per axis")
    warp_scale: float = constant(22.0, "mm", "choice: distance over which the leftover varies")
    fine_warp_sd: float = constant(0.5, "mm", "choice: so that people do not share their gyri exactly")
    fine_warp_scale: float = constant(11.0, "mm", "choice, as above")
    native_warp_sd: float = constant(2.4, "mm", "choice: shape of a head against the template, beyond size")
    native_warp_scale: float = constant(38.0, "mm", "choice, as above")
    size_sd: float = constant(0.045, "fraction", "choice: SD of the length of a head along each axis")
    tilt_sd: tuple = constant((7.0, 3.0, 3.0), "degrees", "choice: pitch, roll, yaw of a head in the scanner")
    place_sd: tuple = constant((2.0, 4.0, 5.0), "mm", "choice: place of a head in the scanner, x, y, z")
    box_tilt_sd: tuple = constant((4.0, 1.5, 1.5), "degrees", "choice: how the operator tilts the T1w box")
    bias_sd: float = constant(0.03, "fraction", "choice: intensity bias left in a corrected T1w image")
    raw_bias: float = constant(
        0.25,
        "fraction",
        "choice: intensity bias of an uncorrected T1w image at 3 T, centre to rim",
    )
    t1w_scale: float = constant(8.5, "1", "choice: stored T1w intensity per unit of the template")
    t1w_noise: float = constant(5.5, "intensity", "choice: SD of the noise in a T1w image; white matter is about 740")
    t1w_slope: float = constant(18.0, "intensity", "choice: scl_slope of T1w images; saves disk")


@dataclass(frozen=True)
class Scanner:
    """The echo-planar sequence."""

    t_e: float = constant(0.030, "s", "ds000030: Poldrack et al. 2016, Sci Data 3:160110")
    flip_angle: float = constant(77.0, "degrees", "Ernst angle of grey matter at 3 T and a TR of 2 s")
    flip_sd: float = constant(0.06, "fraction", "choice: smooth variation of the transmit field over the head at 3 T")
    t1_grey: float = constant(1.331, "s", "Wansapura et al. 1999, J Magn Reson Imaging 9:531")
    t1_white: float = constant(0.832, "s", "Wansapura et al. 1999, J Magn Reson Imaging 9:531")
    t1_csf: float = constant(4.3, "s", "Rooney et al. 2007, Magn Reson Med 57:308")
    t1_other: float = constant(1.0, "s", "choice: muscle and scalp")
    grey: float = constant(1.0, "1", "EPI brightness in the steady state, relative to grey matter: by definition")
    white: float = constant(0.77, "1", "choice: EPI brightness relative to grey matter")
    csf: float = constant(1.35, "1", "choice: EPI brightness relative to grey matter")
    intensity: float = constant(
        740.0,
        "intensity",
        "choice: grey matter at the centre; 5/50/95 percentiles of a real run 184/703/995",
    )
    coil_gain: float = constant(0.16, "fraction", "choice: how much brighter the rim is, left over after correction")
    slope: float = constant(2.0, "intensity", "choice: scl_slope of BOLD images; costs 0.2 % of noise variance")
    thermal_tsnr: float = constant(
        100.0,
        "1",
        "choice within Triantafyllou et al. 2005, NeuroImage 26:243: thermal only, grey matter",
    )
    noise_kernel: float = constant(
        0.11,
        "1",
        "choice: neighbour's weight in the 3-voxel kernel that resampling leaves in noise",
    )
    phase_blur: float = constant(0.4, "voxels", "choice: SD of the blur along the phase-encoding axis")
    slab_tilt: tuple = constant((8.0, 4.0), "degrees", "choice: mean and SD of the tilt of the slices")
    slab_centre: tuple = constant((0.0, -17.0, 6.0), "mm", "choice: middle of the slices in MNI space")
    slab_place_sd: tuple = constant((1.0, 2.0, 2.0), "mm", "choice: how well the operator places it")
    slab_size: tuple = constant((192.0, 204.0, 148.0), "mm", "choice: readout, phase, slices; ds000030: 192, 192, 136")
    dropout: tuple = constant(
        (
            (0, 34, -26, 22, 27, 17, 3.0),
            (50, -22, -30, 18, 25, 15, 2.2),
            (-50, -22, -30, 18, 25, 15, 2.2),
            (0, 55, -12, 15, 16, 10, 1.0),
        ),
        "mm, mm, 1",
        "choice: centre, radii, strength of signal loss above the sinuses and the ear canals (Ojemann et al. 1997)",
    )
    distortion: float = constant(9.0, "mm", "choice: largest displacement along the phase axis in the raw run")


@dataclass(frozen=True)
class Networks:
    """Who correlates with whom: 300 nodes (Seitzman et al. 2020) in 13 networks."""

    between: tuple = constant(
        (
            ("DefaultMode", "SomatomotorDorsal", -0.30),
            ("DefaultMode", "Visual", -0.18),
            ("DefaultMode", "FrontoParietal", 0.18),
            ("DefaultMode", "CinguloOpercular", -0.48),
            ("DefaultMode", "DorsalAttention", -0.62),
            ("DefaultMode", "Auditory", -0.15),
            ("DefaultMode", "Salience", -0.15),
            ("DefaultMode", "VentralAttention", 0.18),
            ("DefaultMode", "Reward", 0.22),
            ("DefaultMode", "ParietoMedial", 0.27),
            ("DefaultMode", "SomatomotorLateral", -0.22),
            ("DefaultMode", "MedialTemporalLobe", 0.62),
            ("SomatomotorDorsal", "Visual", 0.28),
            ("SomatomotorDorsal", "FrontoParietal", -0.25),
            ("SomatomotorDorsal", "CinguloOpercular", 0.15),
            ("SomatomotorDorsal", "DorsalAttention", 0.20),
            ("SomatomotorDorsal", "Auditory", 0.42),
            ("SomatomotorDorsal", "SomatomotorLateral", 0.60),
            ("Visual", "DorsalAttention", 0.32),
            ("Visual", "Auditory", 0.18),
            ("Visual", "SomatomotorLateral", 0.20),
            ("Visual", "FrontoParietal", -0.15),
            ("FrontoParietal", "DorsalAttention", 0.22),
            ("FrontoParietal", "CinguloOpercular", 0.12),
            ("FrontoParietal", "Salience", 0.22),
            ("FrontoParietal", "VentralAttention", 0.20),
            ("FrontoParietal", "ParietoMedial", 0.22),
            ("FrontoParietal", "Auditory", -0.22),
            ("FrontoParietal", "SomatomotorLateral", -0.25),
            ("CinguloOpercular", "Salience", 0.42),
            ("CinguloOpercular", "DorsalAttention", 0.15),
            ("CinguloOpercular", "Auditory", 0.32),
            ("CinguloOpercular", "VentralAttention", 0.18),
            ("CinguloOpercular", "SomatomotorLateral", 0.25),
            ("Salience", "VentralAttention", 0.25),
            ("Salience", "Reward", 0.15),
            ("Auditory", "SomatomotorLateral", 0.42),
            ("Auditory", "VentralAttention", 0.15),
            ("Reward", "MedialTemporalLobe", 0.20),
            ("ParietoMedial", "MedialTemporalLobe", 0.10),
        ),
        "correlation",
        "choice: order and signs after Power et al. 2011, Neuron 72:665 and Fox et al. 2005, PNAS 102:9673; others 0",
    )
    sensory: tuple = constant(
        ("Visual", "Auditory", "SomatomotorDorsal", "SomatomotorLateral"), "names", "networks that follow arousal more"
    )
    loading: float = constant(0.68, "1", CHOICE)
    loading_node_sd: float = constant(0.05, "1", "choice: between nodes of a network")
    loading_network_sd: float = constant(0.04, "1", "choice: between people, per network")
    loading_unassigned: float = constant(0.25, "1", "choice: nodes without a network")
    default_controls: float = constant(0.75, "1", TEACHING + " (the direction in schizophrenia is contested)")
    default_patients: float = constant(0.55, "1", TEACHING)
    default_shared: float = constant(
        0.33,
        "1",
        "the default-mode loading that other networks see; the same in both groups",
    )
    default_sd: float = constant(
        0.15, "1", "choice: between people; makes the planted effect about d = 1.4 in the population"
    )
    default_highest: float = constant(0.90, "fraction", "choice: people's default-mode loadings end here")
    local: float = constant(0.17, "variance", "choice: share of a node's variance that near neighbours have in common")
    local_scale: float = constant(14.0, "mm", "choice: Gaussian fall-off of the local term")
    arousal: float = constant(
        0.06,
        "variance",
        "choice: neural share of the global signal; Wong et al. 2013, NeuroImage 83:983; "
        "Scholvinck et al. 2010, PNAS 107:10238",
    )
    arousal_sensory: float = constant(1.5, "1", "choice: sensory and motor networks follow arousal more")
    wobble: int = constant(50, "degrees of freedom", "choice: Wishart variation of the network matrix between people")
    age_effect: float = constant(
        0.006,
        "correlation / year",
        "size " + TEACHING + "; sign: Spreng et al. 2016, Neurobiol Aging 45:149",
    )
    age_mean: float = constant(35.0, "years", "middle of the ages in ds000030")


@dataclass(frozen=True)
class Neural:
    """From nodes to voxels."""

    amplitude: float = constant(1.0, "percent of the baseline, SD", "choice: resting fluctuations at 3 T are about 1 %")
    gain_sd: float = constant(0.12, "log units", "choice: amplitude between people")
    knee: float = constant(0.012, "Hz", "choice: below it the spectrum is flat")
    exponent: float = constant(0.5, "1", "choice: power falls as 1 / f ** (2 * exponent); He 2011, J Neurosci 31:13786")
    corner: float = constant(0.16, "Hz", "choice: real power above 0.1 Hz; Chen and Glover 2015, NeuroImage 107:207")
    order: float = constant(2.0, "1", "choice: steepness above the corner")
    lag_sd: float = constant(
        0.5,
        "s",
        "choice: haemodynamic lag between nodes; Handwerker et al. 2004, NeuroImage 21:1639",
    )
    spread: float = constant(7.0, "mm", "choice: Gaussian weight of a node over the voxels around it")
    neighbours: int = constant(6, "nodes", "choice: nodes that a voxel hears")
    jitter: float = constant(2.0, "mm", "choice: place of a node between people, per axis")
    reach: float = constant(14.0, "mm", "choice: distance to the nearest node beyond which the amplitude falls")
    fall_off: float = constant(12.0, "mm", "choice, as above")


@dataclass(frozen=True)
class Physiology:
    """Breathing, pulse, and the scanner's drift."""

    slow: float = constant(
        0.66,
        "percent, SD",
        "choice: grey matter, from breathing volume and heart rate; Birn et al. 2008, NeuroImage 40:644; "
        "Chang et al. 2009, NeuroImage 44:857",
    )
    slow_white: float = constant(0.33, "1", "choice: relative to grey matter")
    slow_csf: float = constant(0.90, "1", "choice: relative to grey matter")
    slow_with_motion: float = constant(
        0.7,
        "1",
        "choice: exponent of mean FD; people who move also breathe less evenly",
    )
    lag_sd: float = constant(
        1.0,
        "s",
        "choice: local lag of the breathing response; Tong and Frederick 2010, NeuroImage 53:553",
    )
    cardiac: float = constant(0.50, "percent, SD", "choice: unit of the pulse map, see physiology.cardiac_map")
    respiratory: float = constant(0.50, "percent, SD", "choice: breathing through the field, at edges")
    gain_sd: float = constant(0.12, "log units", "choice: between people")
    breathing_rate: tuple = constant((0.27, 0.03), "Hz", "16 a minute: mean and SD between people")
    heart_rate: tuple = constant((1.12, 0.10), "Hz", "67 a minute: mean and SD between people")
    drift: float = constant(0.72, "percent, SD", "choice: linear, quadratic and slow drift together")
    drift_common: float = constant(0.35, "1", "choice: part of the drift that the whole head shares")


@dataclass(frozen=True)
class Motion:
    """How a head moves, and what this does to the images after realignment."""

    fd_controls: float = constant(0.15, "mm", "choice: geometric mean of mean FD (Power et al. 2012)")
    fd_patients: float = constant(0.22, "mm", "choice: patients move more; one ds000030 patient: 0.26")
    fd_sd: float = constant(0.35, "log units", "choice: between people")
    fd_limits: tuple = constant((0.08, 0.60), "mm", "choice: people beyond would be excluded")
    estimate_error: tuple = constant(
        (0.006, 0.012, 0.015, 0.00024, 0.00012, 0.00012),
        "mm, rad, SD",
        "choice: noise of the realignment's estimate at an FD of 0.17 mm",
    )
    residual: float = constant(0.08, "1", "choice: share of the first-order intensity change that realignment leaves")
    realignment: float = constant(0.7, "1", "choice: share of the estimate's error that shows in the images")
    interpolation: float = constant(0.35, "1", "choice: blur left by interpolation, relative to trilinear")
    distortion: float = constant(
        0.6,
        "1 / degree ** 2",
        "choice: distortion that changes with pitch and roll, second order",
    )
    spin_history: float = constant(
        1.1,
        "percent / mm of FD",
        "choice: mean signal loss; Friston et al. 1996, Magn Reson Med 35:346",
    )
    spin_variability: float = constant(
        0.20,
        "percent / mm of FD",
        "choice: each of the smooth patterns that differ between movements; Satterthwaite et al. 2012, NeuroImage "
        "60:623, Power et al. 2012, NeuroImage 59:2142: motion raises short-distance correlation most",
    )
    spin_saturation: float = constant(0.6, "mm", "choice: loss levels off beyond this displacement")
    spin_threshold: float = constant(0.15, "mm", "choice: displacement below which no loss is seen")
    bands: float = constant(1.0, "1", "choice: slice banding relative to one smooth pattern")
    deep_breaths: float = constant(
        1.2,
        "1",
        "choice: breaths after a movement; Power et al. 2014, NeuroImage 84:320; "
        "Byrge and Kennedy 2018, NeuroImage 171:376",
    )


@dataclass(frozen=True)
class Physics:
    """All constants of the simulation. Make another with `dataclasses.replace`."""

    anatomy: Anatomy = field(default_factory=Anatomy)
    scanner: Scanner = field(default_factory=Scanner)
    networks: Networks = field(default_factory=Networks)
    neural: Neural = field(default_factory=Neural)
    physiology: Physiology = field(default_factory=Physiology)
    motion: Motion = field(default_factory=Motion)


PHYSICS = Physics()


def list_constants(physics=PHYSICS):
    """List every constant: rows with `group`, `name`, `value`, `unit`, `source`.

    Parameters
    ----------
    physics : Physics

    Returns
    -------
    list of dict
    """
    return [
        {"group": group.name, "name": item.name, "value": getattr(part, item.name), **item.metadata}
        for group in fields(physics)
        if is_dataclass(part := getattr(physics, group.name))
        for item in fields(part)
    ]
