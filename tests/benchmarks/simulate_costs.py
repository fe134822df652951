"""Measure what the simulated study costs: seconds, memory, disk, and the ratios that do not depend on the machine.

`python tests/benchmarks/simulate_costs.py` simulates the quick profile with one and with two processes in a temporary
folder; `--profile course --jobs 2` measures the course's study; `--subjects 200 --stand-in` shows how memory grows.
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
import zlib
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
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
REAL = (sys.executable, "-m", "data_scripts")
STAND_IN = (sys.executable, str(Path(__file__).parents[1] / "small_study.py"), "0")
LEVEL, CHUNK = 1, 1 << 22  # as the simulator compresses


@dataclass(frozen=True)
class Cost:
    """What one command took.

    Attributes
    ----------
    wall, cpu : float
        Seconds; seconds of all processes together.
    main_mb, worker_mb : float
        Largest memory that the main process, and any of its children, ever held.
    """

    wall: float
    cpu: float
    main_mb: float
    worker_mb: float

    @property
    def peak_mb(self):
        """Largest memory of any process.

        Returns
        -------
        float
        """
        return max(self.main_mb, self.worker_mb)


def measure_peak(process):
    """Find the largest memory that a process ever held.

    Parameters
    ----------
    process : psutil.Process

    Returns
    -------
    float
        MB. Where the system does not keep it, what is held now.
    """
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6
    except (OSError, TypeError):
        return process.memory_info().rss / 1e6


def run(*arguments, command=REAL):
    """Run a command and watch it.

    Parameters
    ----------
    *arguments : str
        Of the command line.
    command : tuple of str
        What they are given to.

    Returns
    -------
    Cost
    """
    before, start = os.times(), time.perf_counter()
    process = psutil.Popen([*command, *map(str, arguments)], stdout=subprocess.DEVNULL)
    peaks, done = {"main": 0.0, "worker": 0.0}, threading.Event()

    def watch():
        while not done.wait(0.25):  # the system keeps the peaks; looking costs processor time of what is measured
            try:
                peaks["main"] = max(peaks["main"], measure_peak(process))
                for child in process.children(recursive=True):
                    peaks["worker"] = max(peaks["worker"], measure_peak(child))
            except psutil.Error:
                continue  # one ended between two looks

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise RuntimeError(f"`{' '.join(map(str, arguments))}` ended with code {code}.")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - start, cpu, peaks["main"], peaks["worker"])


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


def time_writing(root, jobs, folder):
    """Measure how long it takes to compress and write what a study consists of, when nothing is computed.

    Parameters
    ----------
    root : Path
        The study.
    jobs : int
        Processes at once, each with its share of the files.
    folder : Path
        On the same disk; what is written there is deleted at once.

    Returns
    -------
    float
        Seconds until the last process is done. Reading and unpacking is not counted.
    """
    largest_first = sorted(read_manifest(root)["files"].items(), key=lambda item: -item[1]["bytes"])
    shares = [[root / name for name, _ in largest_first[first::jobs]] for first in range(jobs)]
    with ProcessPoolExecutor(jobs) as pool:
        return max(pool.map(_time_share, shares, [Path(folder, f"share{number}") for number in range(jobs)]))


def _time_share(paths, target):
    seconds = 0.0
    for path in paths:
        content = memoryview(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        start = time.perf_counter()
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS + 16) if path.suffix == ".gz" else None
        with open(target, "wb") as file:
            for first in range(0, len(content), CHUNK):
                part = content[first : first + CHUNK]
                file.write(compressor.compress(part) if compressor else part)
            if compressor:
                file.write(compressor.flush())
        seconds += time.perf_counter() - start
        target.unlink()
    return seconds


def report(folder, profile, subjects, all_jobs, command=REAL):
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
    command : tuple of str
        What simulates.

    Returns
    -------
    dict of int to (Cost, float)
        For each number of processes what it took, and the seconds of `time_writing`.
    """
    print(f"\n{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before we begin; profile {profile}")
    costs = {}
    for jobs in all_jobs:
        root = Path(folder, f"jobs{jobs}")
        arguments = ["simulate", "--profile", profile, "--out", str(root)]
        arguments += ["--subjects", subjects] if subjects else []
        cost = run(*arguments, "--jobs", jobs, command=command)
        writing = time_writing(root, jobs, folder)
        costs[jobs] = cost, writing
        n_people = len(read_manifest(root)["request"]["subjects"])
        print(
            f"{n_people} people, --jobs {jobs}: {cost.wall:.1f} s, {cost.cpu:.1f} s of processor time"
            f" ({cost.cpu / n_people:.1f} a person), at most {cost.main_mb:.0f} MB in the main process and"
            f" {cost.worker_mb:.0f} MB in a worker"
        )
        print(
            f"compressing and writing alone: {writing:.1f} s; simulating takes {cost.wall / writing:.2f} times as long"
        )
    first, last = all_jobs[0], all_jobs[-1]
    if first != last:
        print(f"--jobs {last} takes {costs[last][0].wall / costs[first][0].wall:.2f} of the time of --jobs {first}")
    print(f"found whole: {run(*arguments, command=command).wall:.2f} s")
    deep = run("verify", root, "--deep", command=command).wall
    print(f"verify: {run('verify', root, command=command).wall:.2f} s; with --deep {deep:.2f} s")
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
    parser.add_argument("--stand-in", action="store_true", help="files of some kilobytes in place of the simulator's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(folder, options.profile, options.subjects, options.jobs, STAND_IN if options.stand_in else REAL)


if __name__ == "__main__":
    main()
