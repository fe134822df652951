"""Measure what the simulated study costs: seconds, memory, disk, and the ratios that do not depend on the machine.

`python tests/benchmarks/simulate_costs.py` simulates the quick profile with one and with two processes in a temporary
folder; `--profile course --subjects 4` measures the real grids on fewer people.
"""

import argparse
import gzip
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import psutil

from course_utils.manifest import read_manifest

KINDS = {
    "preprocessed runs": r"desc-preproc_bold\.nii\.gz$",
    "raw runs": r"^sub-.*_bold\.nii\.gz$",
    "T1w images": r"_T1w\.nii\.gz$",
    "other images": r"\.nii\.gz$",
    "truth": r"\.npz$",
    "tables and text": r"",
}


def run(*arguments):
    """Run `python -m data_scripts` and watch it.

    Parameters
    ----------
    *arguments : str
        Of the command line.

    Returns
    -------
    wall, cpu, peak_mb : float
        Seconds; seconds of all processes together; largest resident memory that one of them had at a look.
    """
    before, start = os.times(), time.perf_counter()
    process = psutil.Popen([sys.executable, "-m", "data_scripts", *arguments], stdout=subprocess.DEVNULL)
    peak, done = [0.0], threading.Event()

    def watch():
        while not done.wait(0.05):
            try:
                memory = [each.memory_info().rss for each in (process, *process.children(recursive=True))]
            except psutil.NoSuchProcess:
                continue  # one ended between two looks
            peak[0] = max(peak[0], *memory)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise RuntimeError(f"`python -m data_scripts {' '.join(arguments)}` ended with code {code}.")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu, peak[0] / 1e6


def weigh(root):
    """Add up the files of a study by kind.

    Parameters
    ----------
    root : Path
        The study.

    Returns
    -------
    dict of str to [int, float, float]
        Files, MB on disk, MB when unpacked.
    """
    kinds = defaultdict(lambda: [0, 0.0, 0.0])
    for name, entry in read_manifest(root)["files"].items():
        kind = next(kind for kind, pattern in KINDS.items() if re.search(pattern, name))
        path, unpacked = root / name, entry["bytes"]
        if name.endswith(".gz"):
            with gzip.open(path) as file:
                unpacked = file.seek(0, os.SEEK_END)
        kinds[kind] = [a + b for a, b in zip(kinds[kind], (1, entry["bytes"] / 1e6, unpacked / 1e6), strict=True)]
    return kinds


def report(folder, profile, subjects, all_jobs):
    """Simulate once for each number of processes, and print what that took.

    Parameters
    ----------
    folder : Path
        Studies are made in it, as "jobs1", "jobs2".
    profile : str
        As for `simulate`.
    subjects : str or None
        As for `simulate`.
    all_jobs : list of int
        Numbers of processes.

    Returns
    -------
    dict of int to (float, float, float)
        For each number of processes what `run` returns.
    """
    print(f"\n{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before we begin; profile {profile}")
    costs = {}
    for jobs in all_jobs:
        root = Path(folder, f"jobs{jobs}")
        arguments = ["simulate", "--profile", profile, "--out", str(root)]
        arguments += ["--subjects", subjects] if subjects else []
        wall, cpu, peak = costs[jobs] = run(*arguments, "--jobs", str(jobs))
        n_people = len(read_manifest(root)["request"]["subjects"])
        print(
            f"{n_people} people, --jobs {jobs}: {wall:.1f} s, {cpu:.1f} s of processor time"
            f" ({cpu / n_people:.1f} a person), at most {peak:.0f} MB in one process"
        )
    first, last = all_jobs[0], all_jobs[-1]
    print(f"--jobs {last} takes {costs[last][0] / costs[first][0]:.2f} of the time of --jobs {first}")
    print(f"found whole: {run(*arguments)[0]:.2f} s")
    print(f"verify: {run('verify', str(root))[0]:.2f} s; with --deep {run('verify', str(root), '--deep')[0]:.2f} s")
    total = [0, 0.0, 0.0]
    for kind, sizes in sorted(weigh(root).items()):
        total = [a + b for a, b in zip(total, sizes, strict=True)]
        print(f"{kind:20s} {sizes[0]:5.0f} files {sizes[1]:8.1f} MB on disk, {sizes[1] / sizes[2]:.2f} of unpacked")
    print(f"{'all':20s} {total[0]:5.0f} files {total[1]:8.1f} MB on disk, {total[1] / total[2]:.2f} of unpacked")
    return costs


def main():
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--subjects", help="as for `simulate`")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(folder, options.profile, options.subjects, options.jobs)


if __name__ == "__main__":
    main()
