"""Breathing and pulse as they are, and the slow blood-oxygen changes that follow them."""

from dataclasses import dataclass

import numpy as np

STEP = 0.1  # s between the samples of the continuous traces
LEAD = 50.0  # s simulated before the first volume, so that slow responses are under way


@dataclass(frozen=True, eq=False)
class Traces:
    """Physiology of one run.

    Attributes
    ----------
    breathing : ndarray, shape (n_volumes,)
        Chest excursion at the time of each volume, SD 1 (aliased only if faster than Nyquist).
    pulse : ndarray, shape (n_volumes, 2)
        Cosine and sine of the cardiac phase at the time of each volume: aliased.
    heart_rate : float
        Mean, in Hz.
    times, slow : ndarray, shape (n_samples,)
        Seconds from the first volume, and the slow change of the blood-oxygen signal, SD 1.
    """

    breathing: np.ndarray
    pulse: np.ndarray
    heart_rate: float
    times: np.ndarray
    slow: np.ndarray

    def slow_at(self, times, lag=0.0):
        """Give the slow change where it arrives late.

        Parameters
        ----------
        times : ndarray
            Seconds from the first volume.
        lag : float
            In seconds.

        Returns
        -------
        ndarray
            As `times`.
        """
        return np.interp(np.asarray(times) - lag, self.times, self.slow)


def _standardize(trace):
    """Shift and scale to mean 0 and SD 1."""
    return (trace - trace.mean()) / trace.std()


def respiration_response(times):
    """Give the response of the BOLD signal to deeper breathing: Birn et al. 2008, NeuroImage 40:644, eq. 3.

    Parameters
    ----------
    times : ndarray
        Seconds since the breath.

    Returns
    -------
    ndarray
        A brief rise, then a long fall; arbitrary units.
    """
    return 0.6 * times**2.1 * np.exp(-times / 1.6) - 0.0023 * times**3.54 * np.exp(-times / 4.25)


def cardiac_response(times):
    """Give the response of the BOLD signal to a faster pulse: Chang et al. 2009, NeuroImage 44:857, eq. 5.

    Parameters
    ----------
    times : ndarray
        Seconds since the change.

    Returns
    -------
    ndarray
        Arbitrary units.
    """
    early = 0.6 * times**2.7 * np.exp(-times / 1.6)
    return early - 16 / np.sqrt(2 * np.pi * 9) * np.exp(-0.5 * (times - 12) ** 2 / 9)


def _wander(times, period, sd, rng):
    """Slow random change: independent values every `period` seconds, joined by lines."""
    knots = np.arange(times[0], times[-1] + 2 * period, period)
    return np.interp(times, knots, rng.standard_normal(len(knots)) * sd)


def simulate_physiology(params, n_volumes, t_r, events, *, rng):
    """Draw breathing and pulse for one run.

    Parameters
    ----------
    params : parameters.Physiology
    n_volumes : int
    t_r : float
        In seconds.
    events : list of (float, float)
        Movements: time in seconds, and how much deeper the next breath is (1 doubles it).
    rng : numpy.random.Generator

    Returns
    -------
    Traces
    """
    times = np.arange(-LEAD, n_volumes * t_r + 10, STEP)
    rate = params.breathing_rate[0] + params.breathing_rate[1] * rng.standard_normal()
    rate = np.clip(rate + _wander(times, 15, 0.02, rng), 0.1, 0.6)
    mean_heart_rate = params.heart_rate[0] + params.heart_rate[1] * rng.standard_normal()
    heart_rate = mean_heart_rate + _wander(times, 10, 0.035, rng)
    depth = np.exp(_wander(times, 12, 0.35, rng))
    sighs = [(t, 0.9) for t in rng.uniform(times[0], times[-1], rng.poisson(4))]
    for start, deeper in [*sighs, *events]:
        depth[(times >= start) & (times < start + 5)] *= 1 + deeper

    breath = depth * np.sin(2 * np.pi * np.cumsum(rate) * STEP)
    phase = 2 * np.pi * np.cumsum(heart_rate) * STEP
    window = np.arange(0, 50, STEP)
    volume_part = np.convolve(_standardize(rate * depth), respiration_response(window))[: len(times)]
    rate_part = np.convolve(_standardize(heart_rate), cardiac_response(window))[: len(times)]
    # both responses are those to *more*: the signal falls some 15 s after a deep breath
    slow = _standardize(volume_part) + 0.5 * _standardize(rate_part)
    started = times >= -10
    slow = (slow - slow[started].mean()) / slow[started].std()
    shown = np.arange(n_volumes) * t_r
    return Traces(
        breathing=_standardize(np.interp(shown, times, breath)),
        pulse=np.stack([np.interp(shown, times, f(phase)) for f in (np.cos, np.sin)], 1),
        heart_rate=float(mean_heart_rate),
        times=times[started],
        slow=slow[started],
    )
