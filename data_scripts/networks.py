"""What is planted: the covariance of 300 nodes in one person, and the nodes' signals over time."""

from dataclasses import dataclass

import numpy as np

DEFAULT = "DefaultMode"
UNASSIGNED = "unassigned"
AGEING_PAIR = (DEFAULT, "DorsalAttention")
MIN_PRIVATE = 0.02  # share of variance that every node keeps for itself


@dataclass(frozen=True, eq=False)
class Connectome:
    """The planted connectivity of one person.

    Attributes
    ----------
    covariance : ndarray, shape (n_nodes, n_nodes)
        Of the nodes' signals as they arrive, lags included; variances are 1.
    unlagged : ndarray, shape (n_nodes, n_nodes)
        The same without lags.
    lags : ndarray, shape (n_nodes,)
        Haemodynamic lag of each node in seconds.
    default_loading : float
        Square root of the variance that default-mode nodes share within their network: the group effect.
    """

    covariance: np.ndarray
    unlagged: np.ndarray
    lags: np.ndarray
    default_loading: float


def network_matrix(names, between):
    """Build the correlations between network signals: the planned ones, made positive definite.

    Parameters
    ----------
    names : list of str
        Networks, in order.
    between : iterable of (str, str, float)
        Planned correlations; pairs that are not named are 0.

    Returns
    -------
    ndarray, shape (n_networks, n_networks)
        Ones on the diagonal.
    """
    matrix = np.eye(len(names))
    for first, second, r in between:
        i, j = names.index(first), names.index(second)
        matrix[i, j] = matrix[j, i] = r
    return nearest_correlation(matrix)


def nearest_correlation(matrix, floor=0.05):
    """Turn a symmetric matrix into a correlation matrix near it.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
    floor : float
        Eigenvalues below it are lifted to it.

    Returns
    -------
    ndarray, shape (n, n)
        Positive definite, ones on the diagonal.
    """
    values, vectors = np.linalg.eigh(matrix)
    lifted = (vectors * np.maximum(values, floor)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return lifted / np.outer(scale, scale)


def personal_network_matrix(planned, degrees_of_freedom, *, rng):
    """Vary a network matrix between people: the correlation of a finite sample drawn from it (Wishart).

    Parameters
    ----------
    planned : ndarray, shape (n, n)
        Positive definite.
    degrees_of_freedom : int
        Size of the sample: the larger, the less people differ.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, n)
    """
    sample = rng.standard_normal((degrees_of_freedom, len(planned))) @ np.linalg.cholesky(planned).T
    return np.corrcoef(sample.T)


def draw_default_loading(params, diagnosis, *, rng):
    """Draw the default-mode loading of one person from their group's distribution.

    Parameters
    ----------
    params : parameters.Networks
    diagnosis : {"CONTROL", "SCHZ"}
    rng : numpy.random.Generator

    Returns
    -------
    float
    """
    mean = {"CONTROL": params.default_controls, "SCHZ": params.default_patients}[diagnosis]
    return float(
        np.clip(mean + params.default_sd * rng.standard_normal(), params.default_shared, params.default_highest)
    )


def node_covariance(params, centres, networks, matrix, loadings, default_loading):
    """Put together the covariance of the nodes, all variances 1, no lags yet.

    A node is a sum of independent parts: its network's signal (networks correlate by `matrix`); in the default mode,
    a signal that only this network has, which carries the group effect and neither reaches other networks nor
    depends on distance; a local part shared with near neighbours; arousal, shared by all; its own.

    Parameters
    ----------
    params : parameters.Networks
    centres : ndarray, shape (n_nodes, 3)
        In mm.
    networks : ndarray of str, shape (n_nodes,)
    matrix : dict of {(str, str): float}
        Correlation between network signals.
    loadings : ndarray, shape (n_nodes,)
        On the network's signal.
    default_loading : float

    Returns
    -------
    ndarray, shape (n_nodes, n_nodes)
    """
    names = sorted(set(networks))
    where = np.array([names.index(n) for n in networks])
    between = np.array([[matrix[a, b] for b in names] for a in names])
    extra = (networks == DEFAULT) * np.sqrt(max(default_loading**2 - params.default_shared**2, 0))
    squared = ((centres[:, None] - centres[None]) ** 2).sum(-1)
    shared = np.outer(loadings, loadings) * between[np.ix_(where, where)] + np.outer(extra, extra)
    shared += params.local * np.exp(-squared / (2 * params.local_scale**2))
    private = 1 - np.diag(shared)
    if private.min() < 0:
        raise ValueError(
            f"Shared variance of a node is {1 - private.min():.2f}; expected at most 1. Lower the loadings or `local`."
        )
    covariance = shared + np.diag(private)
    aroused = np.sqrt(params.arousal * np.where(np.isin(networks, params.sensory), params.arousal_sensory, 1.0))
    rest = np.sqrt(1 - aroused**2)
    return covariance * np.outer(rest, rest) + np.outer(aroused, aroused)


def simulate_connectome(params, neural, centres, networks, person, spectrum, *, rng):
    """Draw the planted connectivity of one person.

    Parameters
    ----------
    params : parameters.Networks
    neural : parameters.Neural
        For the lags.
    centres, networks : ndarray
        Nodes, as in `Ingredients`.
    person : Person
        Diagnosis and age have an effect.
    spectrum : tuple of ndarray
        Frequencies in Hz and power, from `neural_spectrum`.
    rng : numpy.random.Generator

    Returns
    -------
    Connectome
    """
    names = sorted(set(networks) - {UNASSIGNED})
    planned = network_matrix(names, params.between)
    personal = personal_network_matrix(planned, params.wobble, rng=rng)
    i, j = (names.index(name) for name in AGEING_PAIR)
    personal[i, j] = personal[j, i] = np.clip(
        personal[i, j] + params.age_effect * (person.age - params.age_mean), -0.95, 0.95
    )
    personal = nearest_correlation(personal, floor=0.01)
    matrix = {(a, b): personal[k, m] for k, a in enumerate(names) for m, b in enumerate(names)}
    matrix |= {pair: 0.0 for name in names for pair in ((name, UNASSIGNED), (UNASSIGNED, name))}
    matrix[UNASSIGNED, UNASSIGNED] = 1.0

    default_loading = draw_default_loading(params, person.diagnosis, rng=rng)
    base = dict.fromkeys(names, params.loading)
    base |= {DEFAULT: params.default_shared, UNASSIGNED: params.loading_unassigned}
    personal_shift = {name: params.loading_network_sd * rng.standard_normal() for name in sorted(base)}
    personal_shift[DEFAULT] = 0.0  # the default mode varies between people through `default_loading` alone
    extra = np.where(networks == DEFAULT, default_loading**2 - params.default_shared**2, 0)
    loadings = np.array([base[n] + personal_shift[n] for n in networks])
    loadings = loadings + params.loading_node_sd * rng.standard_normal(len(networks))
    loadings = np.clip(loadings, 0.1, np.sqrt(1 - params.local - extra - MIN_PRIVATE))

    unlagged = node_covariance(params, centres, networks, matrix, loadings, default_loading)
    lags = neural.lag_sd * rng.standard_normal(len(networks))
    covariance = unlagged * autocorrelation(spectrum, lags[:, None] - lags[None])
    return Connectome(covariance, unlagged, lags, default_loading)


def neural_spectrum(neural, n_volumes, t_r):
    """Give the power spectrum of a node's signal.

    Parameters
    ----------
    neural : parameters.Neural
    n_volumes : int
    t_r : float
        In seconds.

    Returns
    -------
    frequencies : ndarray
        In Hz, from 0 to Nyquist, for series of twice `n_volumes`.
    power : ndarray
        Sums to 1; none at 0 Hz.
    """
    frequencies = np.fft.rfftfreq(2 * n_volumes, t_r)
    power = (frequencies**2 + neural.knee**2) ** -neural.exponent
    power = power / (1 + (frequencies / neural.corner) ** (2 * neural.order))
    power[0] = 0
    return frequencies, power / power.sum()


def autocorrelation(spectrum, lags):
    """Correlate a signal of some spectrum with itself at a lag.

    Parameters
    ----------
    spectrum : tuple of ndarray
        From `neural_spectrum`.
    lags : ndarray
        In seconds.

    Returns
    -------
    ndarray
        As `lags`; 1 at no lag.
    """
    frequencies, power = spectrum
    table = np.linspace(0, np.abs(lags).max() + 1e-9, 200)
    values = np.cos(2 * np.pi * np.outer(table, frequencies)) @ power
    return np.interp(np.abs(lags), table, values)


def simulate_nodes(connectome, spectrum, n_volumes, *, rng):
    """Draw the signals of the nodes.

    Parameters
    ----------
    connectome : Connectome
    spectrum : tuple of ndarray
        From `neural_spectrum` for the same number of volumes.
    n_volumes : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape (n_volumes, n_nodes)
        Expected variance 1, expected covariance `connectome.covariance`.
    """
    frequencies, power = spectrum
    n = 2 * n_volumes  # the second half is thrown away: a filtered series joins its ends
    values, vectors = np.linalg.eigh(connectome.unlagged)
    root = vectors * np.sqrt(np.maximum(values, 0))
    white = rng.standard_normal((n, len(root))) @ root.T
    gain = np.sqrt(power * n / np.where((frequencies == 0) | (frequencies == frequencies[-1]), 1, 2))
    shift = np.exp(-2j * np.pi * np.outer(frequencies, connectome.lags))
    series = np.fft.irfft(np.fft.rfft(white, axis=0) * gain[:, None] * shift, n, axis=0)
    return series[:n_volumes].astype(np.float32)
