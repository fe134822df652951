"""Break the making of a study in every way that happens on people's machines, and look at what is left.

`python tests/benchmarks/simulate_faults.py` works on the real quick study in a temporary folder and prints a table; it
ends with code 1 if anything was lost or wrong. It takes ten to thirty minutes. `--stand-in` takes files of some
kilobytes in place of the simulator's, `--kills 5` fewer kills. What needs root (a small disk, a read-only one) is left
out without it.
"""

import argparse
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from data_scripts.folder import LOCK
from data_scripts.partial import PARTIAL
from data_scripts.records import UNPACKING

TESTS = Path(__file__).resolve().parents[1]
REAL = [sys.executable, "-m", "data_scripts"]
STAND_IN = [sys.executable, str(TESTS / "small_study.py"), "0.05"]
HIDDEN_MOUNTS = "SIMULATE_FAULTS_HAS_ITS_OWN_MOUNTS"


class Bench:
    """Runs the command line, and keeps the table.

    Parameters
    ----------
    command : list of str
        What simulates.
    folder : Path
        Everything happens in it.
    """

    def __init__(self, command, folder):
        self.command, self.folder, self.rows, self.expected, self.seconds = command, folder, [], {}, 0.0

    def start(self, *arguments, **options):
        """Start a command in a group of its own.

        Returns
        -------
        subprocess.Popen
        """
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        return subprocess.Popen([*self.command, *map(str, arguments)], **pipes, **options)

    def run(self, *arguments, **options):
        """Run a command to its end.

        Returns
        -------
        code : int
        said : str
            On stdout and stderr.
        """
        process = self.start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=900)
        return process.returncode, stdout + stderr

    def simulate(self, out, *arguments, **options):
        """Make the quick study.

        Returns
        -------
        code : int
        said : str
        """
        return self.run("simulate", "--profile", "quick", "--out", out, *arguments, **options)

    def row(self, what, tried, problems, start):
        """Add a line to the table, and print it."""
        self.rows.append(problems)
        verdict = (
            "right"
            if not problems
            else f"WRONG: {problems[0]}" + f" and {len(problems) - 1} more" * (len(problems) > 1)
        )
        print(f"| {what:58s} | {tried:28s} | {time.monotonic() - start:5.0f} s | {verdict} |", flush=True)

    def make_reference(self):
        """Make the study that all others are compared with."""
        start = time.monotonic()
        code, said = self.simulate(self.folder / "reference", "--jobs", 2)
        self.seconds = time.monotonic() - start
        if code:
            raise RuntimeError(f"The study cannot even be made undisturbed: {said}")
        self.expected = digest(self.folder / "reference")
        self.row("made undisturbed by 2 processes", f"{len(self.expected)} files", [], start)

    def judge(self, out):
        """Compare what is in a folder with the reference; a study in the making may lack files but have no wrong one.

        Returns
        -------
        list of str
            Problems.
        """
        found = digest(out)
        wrong = [f"{name} is wrong" for name in found if found[name] != self.expected.get(name)]
        if "manifest.json" in found:
            wrong += [f"{name} is missing though the manifest is there" for name in self.expected if name not in found]
        return wrong

    def judge_whole(self, out):
        """Compare a finished study with the reference, and have `verify --deep` do the same.

        Returns
        -------
        list of str
            Problems.
        """
        problems = self.judge(out) + [f"{name} is missing" for name in self.expected if name not in digest(out)]
        code, said = self.run("verify", out, "--deep")
        problems += [f"left over: {path.name}" for path in Path(out).rglob("*.part")]
        return problems + ([f"verify --deep says: {said}"] if code else [])


def digest(root):
    """Hash every file that has its final name.

    Parameters
    ----------
    root : Path

    Returns
    -------
    dict of str to str
    """
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(root).rglob("*"))
        if path.is_file() and path.name not in (LOCK, UNPACKING) and not PARTIAL.fullmatch(path.name)
    }


def kill_at_random(bench, kills, rng, what, arguments, longest):
    """Kill a command and all its processes at random moments, continue it each time, and look at what is there."""
    start, problems, rounds, done = time.monotonic(), [], 0, 0
    while done < kills:
        out, whole, kept = bench.folder / f"{what.split()[0]}{rounds}", False, set()
        while not whole and done < kills:
            process = bench.start(*arguments, "--out", out)
            try:
                _stdout, stderr = process.communicate(timeout=rng.uniform(0.1, longest))
                whole = process.returncode == 0
                problems += [] if whole else [f"ended by itself: {stderr}"]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                done += 1
                leaked = list(Path("/dev/shm").glob(f"joblib_*_{process.pid}_*"))
                problems += [f"left in the machine's memory: {path.name}" for path in leaked]
            there = set(digest(out)) if out.is_dir() else set()
            problems += bench.judge(out) if out.is_dir() else []
            problems += [f"{name} was there and is lost" for name in kept - there - {"manifest.json"}]
            kept = there
        code, said = bench.run(*arguments, "--out", out)
        problems += bench.judge_whole(out) if code == 0 else [f"cannot be continued: {said}"]
        rounds += 1
    bench.row(what, f"{done} kills, {rounds} studies", problems, start)


def start_many(bench, n_starts):
    """Start many at once into one folder: one makes it, the others wait and find it."""
    start, out = time.monotonic(), bench.folder / "many"
    processes = [bench.start("simulate", "--profile", "quick", "--out", out, "--jobs", 1) for _ in range(n_starts)]
    said = [process.communicate(timeout=1800) for process in processes]
    problems = [stderr for process, (_, stderr) in zip(processes, said, strict=True) if process.returncode]
    makers = sum("nobody had to be simulated" not in stdout for stdout, _ in said)
    problems += [] if makers == 1 else [f"{makers} of them simulated"]
    problems += bench.judge_whole(out)
    bench.row(f"{n_starts} starts at once into one folder", f"{makers} made it", problems, start)


def vary_order(bench):
    """One process or two, people named in any order: the same bytes."""
    start, problems = time.monotonic(), []
    people = ["59002", "19002", "sub-59001", "19001"]
    for number, arguments in enumerate((["--jobs", 1], ["--jobs", 2, "--subjects", ",".join(people)])):
        out = bench.folder / f"order{number}"
        code, said = bench.simulate(out, *arguments)
        problems += [said] if code else bench.judge_whole(out)
    bench.row("1 process; 2 processes and people named in disorder", "2 studies", problems, start)


def break_files(bench):
    """Damage a finished study: `verify` names what is wrong, `simulate` makes what is missing."""
    start, problems, root = time.monotonic(), [], bench.folder / "reference"
    name = next(name for name in bench.expected if name.endswith("_bold.nii.gz"))
    content = (root / name).read_bytes()
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 1
    (root / name).write_bytes(damaged)
    code, said = bench.run("verify", root, "--deep")
    problems += [] if code and f"{name}: has the right size but other contents" in said else [f"not noticed: {said}"]
    code, said = bench.run("pack", root, "--out", bench.folder / "damaged.tar")
    problems += [] if code and name in said else [f"was packed: {said}"]
    (root / name).unlink()
    code, said = bench.run("verify", root)
    problems += [] if code and f"{name}: missing" in said else [f"not noticed: {said}"]
    code, said = bench.simulate(root)
    problems += [] if code == 0 and "Simulated 1 people" in said else [said]
    bench.row("a flipped bit, a missing file", "verify, pack, simulate", problems + bench.judge_whole(root), start)


def starve(bench):
    """Too little memory: one sentence beforehand, nothing on disk."""
    start, problems, out = time.monotonic(), [], bench.folder / "starved"
    for megabytes in (300, 450, 700):
        for jobs in (1, 2):
            limits = (megabytes * 1_000_000,) * 2
            limit = partial(resource.setrlimit, resource.RLIMIT_AS, limits)
            code, said = bench.simulate(out, "--jobs", jobs, preexec_fn=limit)
            fine = code == 1 and "GB of memory" in said and len(said.strip().splitlines()) == 1 and not out.exists()
            problems += [] if fine else [f"{megabytes} MB, --jobs {jobs}: {said}"]
    bench.row("300, 450 and 700 MB of address space", "6 starts", problems, start)


def mount(folder, options):
    """Put a small disk in memory at a folder. Root only; it is gone when this program ends."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def fill_disk(bench):
    """A disk that is too small, one that somebody else fills in the middle, and one that is read-only."""
    used = sum((bench.folder / "reference" / name).stat().st_size for name in bench.expected)
    start, disk = time.monotonic(), bench.folder / "disk"
    mount(disk, f"size={int(0.5 * used)}")
    code, said = bench.simulate(disk / "s")
    fine = code == 1 and "GB on disk" in said and not (disk / "s").exists()
    bench.row("a disk half as large as needed", "said beforehand", [] if fine else [said], start)

    start, problems = time.monotonic(), []
    subprocess.run(["mount", "-o", f"remount,size={int(1.6 * used) + 1_000_000}", str(disk)], check=True)
    for round_ in range(3):
        process = bench.start("simulate", "--profile", "quick", "--jobs", 2, "--out", disk / "s")
        while process.poll() is None and len(list(disk.rglob("*.gz"))) < 8 * (round_ + 1):
            time.sleep(0.01)
        try:
            with open(disk / "film", "wb") as film:
                while film.write(b"\1" * 65536):
                    film.flush()
        except OSError:
            pass  # now it is full
        stdout, stderr = process.communicate(timeout=900)
        (disk / "film").unlink()
        fine = process.returncode == 1 and "No space left" in stderr and len(stderr.strip().splitlines()) == 1
        problems += ([] if fine else [f"{stdout}{stderr}"]) + bench.judge(disk / "s")
    code, said = bench.simulate(disk / "s")
    problems += [said] if code else bench.judge_whole(disk / "s")
    bench.row("a disk that fills up in the middle, then has room", "3 times", problems, start)

    start = time.monotonic()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    found, _ = bench.simulate(disk / "s")
    code, said = bench.simulate(disk / "t")
    problems = [] if code == 1 and "read-only" in said and len(said.strip().splitlines()) == 1 else [said]
    problems += [] if found == 0 else ["a whole study on a read-only disk is not found"]
    bench.row("a read-only disk: found whole there; another refused", "2 starts", problems, start)


def main():
    """Break, and print what is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--stand-in", action="store_true", help="files of some kilobytes in place of the simulator's")
    options = parser.parse_args()
    root = hasattr(os, "geteuid") and os.geteuid() == 0 and sys.platform == "linux"
    if root and HIDDEN_MOUNTS not in os.environ:
        os.environ[HIDDEN_MOUNTS] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(STAND_IN if options.stand_in else REAL, Path(folder))
        print(f"| {'what':58s} | {'how often':28s} | time    | outcome |\n|{'-' * 60}|{'-' * 30}|---------|---------|")
        bench.make_reference()
        vary_order(bench)
        simulate = ["simulate", "--profile", "quick", "--jobs", 2]
        kill_at_random(bench, options.kills, rng, "killed (kill -9, all processes), continued", simulate, bench.seconds)
        archive = bench.folder / "reference.tar"
        code, said = bench.run("pack", bench.folder / "reference", "--out", archive)
        if code:
            raise RuntimeError(f"The study cannot be packed: {said}")
        unpack = ["unpack", archive]
        kill_at_random(bench, options.kills // 2, rng, "unpacking killed, continued", unpack, 1.0)
        start_many(bench, options.starts)
        break_files(bench)
        starve(bench)
        if root:
            fill_disk(bench)
            subprocess.run(["umount", str(bench.folder / "disk")], check=True)
        if any(bench.rows):
            sys.exit(1)


if __name__ == "__main__":
    main()
