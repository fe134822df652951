"""A small stand-in for the simulator's contents, so that faults can be tried in seconds.

Run as a program it is the command line with that stand-in: `python small_study.py PAUSE simulate --out ...`, where
PAUSE is how many seconds pass between two files of a person.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from data_scripts import __main__, study
from data_scripts.folder import LOCK
from data_scripts.images import Volume


class SmallGenerator(study.Generator):
    """Four files a person, some kilobytes each.

    Parameters
    ----------
    pause : float
        Seconds before each file.
    fails_for : str, optional
        Label of a person whose third file raises.
    killed_at : str, optional
        Label of a person at whose third file the process is killed, as by a system that has run out of memory.
    no_memory_for : str, optional
        Label of a person for whose third file there is no memory.
    """

    def __init__(self, pause=0.0, fails_for=None, killed_at=None, no_memory_for=None):
        self.pause, self.fails_for, self.killed_at, self.no_memory_for = pause, fails_for, killed_at, no_memory_for

    def code(self):
        return "small"  # not the digest of the simulator, which does not matter here

    def warm_up(self):
        """Nothing heavy is needed here."""

    def load_ingredients(self, profile):
        return np.arange(profile.n_volumes, dtype=np.int16)

    def simulate_person(self, person, profile, ingredients, seed, physics):
        rng = np.random.default_rng([seed, int(person.subject)])
        series = rng.integers(0, 900, (len(ingredients), 6, 5, 4)).astype(np.int16)
        label, stem = person.subject, f"sub-{person.subject}_task-rest"
        func = Path("derivatives", "fmriprep", f"sub-{label}", "func")
        truth = {"covariance": rng.standard_normal((40, 40)), "loading": np.array(physics.networks.default_patients)}
        yield Path("sourcedata/truth", f"sub-{label}_truth.npz"), truth
        time.sleep(self.pause)
        yield Path(f"sub-{label}", "anat", f"sub-{label}_T1w.json"), {"Simulated": True, "Age": np.int64(person.age)}
        time.sleep(self.pause)
        if label == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if label == self.fails_for:
            raise ZeroDivisionError(f"planted for {label}")
        if label == self.no_memory_for:
            raise MemoryError(f"planted for {label}")
        affine = np.diag([3.0, 3.0, 4.0, 1.0])
        yield func / f"{stem}_bold.nii.gz", Volume(series, affine, slope=2.0, t_r=profile.t_r)
        time.sleep(self.pause)
        yield func / f"{stem}_desc-confounds_timeseries.tsv", pd.DataFrame({"fd": [np.nan, *rng.random(3)]})

    def atlas_files(self):
        yield Path("derivatives/atlas/README"), "A stand-in.\n"


def make(out, **options):
    """Make a small study in this process, by the path that real ones take.

    Returns
    -------
    study.Report
    """
    return study.simulate_study(out, **{"profile": "quick", "jobs": 1, "generator": SmallGenerator(), **options})


def run_cli(*arguments, **options):
    """Run the command line as a user does.

    Returns
    -------
    subprocess.CompletedProcess
    """
    command = [sys.executable, "-m", "data_scripts", *map(str, arguments)]
    options = {"timeout": 60, **options}
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def digest_tree(root):
    """Hash every file of a folder.

    Returns
    -------
    dict of str to str
        Path to SHA-256; the lock is left out.
    """
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(root).rglob("*"))
        if path.is_file() and path.name != LOCK
    }


if __name__ == "__main__":
    # as in a terminal, also where the tests run in the background and Ctrl-C is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pause = float(sys.argv.pop(1))
    study.Generator = lambda: SmallGenerator(pause)
    __main__.main()
