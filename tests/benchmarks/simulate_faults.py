"""Break the making of a study in every way that happens on people's machines, and look at what is left.

`python tests/benchmarks/simulate_faults.py` works on the real quick study in a temporary folder and prints a table; it
ends with code 1 if anything was lost or wrong. It takes ten to thirty minutes. `--stand-in` takes files of some
kilobytes in place of the simulator's, `--kills 5` fewer kills. What needs root (a small disk, a read-only one) is left
out without it. Works on Linux and macOS.
"""

import argparse
import errno
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from data_scripts.code_digest import code_digest
from data_scripts.folder import LOCK
from data_scripts.partial import PARTIAL
from data_scripts.records import UNPACKING

TESTS = Path(__file__).resolve().parents[1]
REAL = [sys.executable, "-m", "data_scripts"]
STAND_IN = [sys.executable, str(TESTS / "small_study.py"), "0.05"]
HIDDEN_MOUNTS = "SIMULATE_FAULTS_HAS_ITS_OWN_MOUNTS"
PATIENCE = 1800  # seconds for one command; longer is a fault
FROM_THE_START = 5  # every fifth kill may come before anything is written


class Bench:
    """Runs the command line, and keeps the table; used in a `with` statement, it ends every process that it started.

    Parameters
    ----------
    command : list of str
        What simulates.
    folder : Path
        Everything happens in it.
    """

    def __init__(self, command, folder):
        self.command, self.folder, self.rows, self.expected, self.seconds = command, folder, [], {}, 0.0
        self.started, self.tracebacks = [], []

    def __enter__(self):
        """Begin."""
        return self

    def __exit__(self, *_):
        """Kill whatever has not ended, with all its children."""
        for process in self.started:
            if process.poll() is None:  # otherwise its number may be somebody else's by now
                kill_group(process)

    def start(self, *arguments, **options):
        """Start a command in a group of its own.

        Returns
        -------
        subprocess.Popen
        """
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        self.started.append(subprocess.Popen([*self.command, *map(str, arguments)], **pipes, **options))
        return self.started[-1]

    def finish(self, process, timeout=PATIENCE):
        """Wait until a command and all its children, who hold the same pipes, have ended.

        Returns
        -------
        stdout, stderr : str
            A traceback in it is a problem of the next row.
        """
        stdout, stderr = process.communicate(timeout=timeout)
        if "Traceback" in stderr:
            self.tracebacks.append(f"a traceback: {stderr}")
        return stdout, stderr

    def run(self, *arguments, **options):
        """Run a command to its end.

        Returns
        -------
        code : int
        said : str
            On stdout and stderr.
        """
        process = self.start(*arguments, **options)
        stdout, stderr = self.finish(process)
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
        problems, self.tracebacks = [*problems, *self.tracebacks], []
        self.rows.append(problems)
        verdict = (
            "right"
            if not problems
            else f"WRONG: {problems[0]}" + f" and {len(problems) - 1} more" * (len(problems) > 1)
        )
        print(f"| {what:58s} | {tried:36s} | {time.monotonic() - start:5.0f} s | {verdict} |", flush=True)

    def make_reference(self):
        """Make the study that all others are compared with."""
        start = time.monotonic()
        code, said = self.simulate(self.folder / "reference", "--jobs", 2)
        self.seconds = time.monotonic() - start
        if code:
            raise RuntimeError(f"The study cannot even be made undisturbed: {said}")
        self.expected = digest(self.folder / "reference")
        problems = self.judge_whole(self.folder / "reference")
        problems += [] if len(self.expected) > 20 else ["hardly any files: nothing could get lost below"]
        self.row("made undisturbed by 2 processes", f"{len(self.expected)} files", problems, start)

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
        left = [path for path in Path(out).rglob("*") if path.name == UNPACKING or path.name.endswith(".part")]
        problems += [f"left over: {path.name}" for path in left]
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


def kill_group(process):
    """Kill a process and all that it started, at least one of which still lives, and wait for them."""
    with suppress(ProcessLookupError):  # the last one ended just now
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def look(out):
    """Note every file of a study, also those that are being written, so that any change shows.

    Returns
    -------
    set of (str, int)
    """
    seen = set()
    for path in Path(out).rglob("*"):
        with suppress(FileNotFoundError):  # renamed between two looks
            if path.name != LOCK and UNPACKING not in path.name and not path.is_dir():
                seen.add((str(path), path.stat().st_mtime_ns))
    return seen


def kill_once(bench, process, out, before, moment, number):
    """Let a command write for so many seconds, then kill it, if it has not ended by itself.

    Returns
    -------
    killed : bool
    problems : list of str
    """
    end = time.monotonic() + PATIENCE * bool(number % FROM_THE_START)
    while time.monotonic() < end and process.poll() is None and look(out) <= before:
        time.sleep(0.005)
    with suppress(subprocess.TimeoutExpired):
        _stdout, stderr = bench.finish(process, moment)
        return False, [] if process.returncode == 0 else [f"ended by itself with {process.returncode}: {stderr}"]
    problems = []
    if number % 2:  # as a system short of memory does; the workers have to notice
        process.kill()
        try:
            process.communicate(timeout=60)  # ends when the workers have, who hold the same pipes
        except subprocess.TimeoutExpired:
            problems = ["workers lived on for a minute after their main process"]
            kill_group(process)
    else:
        kill_group(process)
    leaked = list(Path("/dev/shm").glob(f"joblib_*_{process.pid}_*"))
    return True, problems + [f"left in the machine's memory: {path.name}" for path in leaked]


def kill_at_random(bench, kills, rng, what, arguments, longest):
    """Kill a command at random moments, continue it each time, and look at what is there."""
    start, problems, rounds, done, in_the_middle = time.monotonic(), [], 0, 0, 0
    while done < kills and not problems:
        if rounds > 10 + 5 * kills:
            problems += ["it nearly always ends before it is killed"]
        out, whole, kept = bench.folder / f"{what.split()[0]}{rounds}", False, set()
        while not whole and done < kills and not problems:
            before = look(out)
            process = bench.start(*arguments, "--out", out)
            killed, found = kill_once(bench, process, out, before, rng.uniform(0, longest), done + 1)
            problems, done, whole = problems + found, done + killed, not killed
            there = set(digest(out)) if out.is_dir() else set()
            in_the_middle += killed and bool(there) and "manifest.json" not in there
            problems += bench.judge(out) if out.is_dir() else []
            problems += [f"{name} was there and is lost" for name in kept - there - {"manifest.json"}]
            kept = there
        code, said = bench.run(*arguments, "--out", out)
        problems += bench.judge_whole(out) if code == 0 else [f"cannot be continued: {said}"]
        rounds += 1
    problems += [] if in_the_middle or not kills else ["no kill came while files were there and others not"]
    bench.row(what, f"{done} kills, {in_the_middle} amid files, {rounds} studies", problems, start)


def start_many(bench, n_starts):
    """Start many at once into one folder: one makes it, the others wait and find it."""
    start, out = time.monotonic(), bench.folder / "many"
    processes = [bench.start("simulate", "--profile", "quick", "--out", out, "--jobs", 1) for _ in range(n_starts)]
    said = [bench.finish(process) for process in processes]
    ends = [(process.returncode, stderr) for process, (_, stderr) in zip(processes, said, strict=True)]
    problems = [f"ended with {code}: {stderr}" for code, stderr in ends if code]
    makers = sum("nobody had to be simulated" not in stdout for stdout, _ in said)
    waited = sum("waiting for it to finish" in stderr for _, stderr in said)
    problems += [] if makers == 1 else [f"{makers} of them simulated"]
    problems += [] if waited or n_starts < 2 else ["nobody had to wait: they were not there at once"]
    problems += bench.judge_whole(out)
    bench.row(f"{n_starts} starts at once into one folder", f"{makers} made it, {waited} waited", problems, start)


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
    problems += [] if code == 1 and f"{name}: has the right size but other contents" in said else [f"missed: {said}"]
    code, said = bench.run("pack", root, "--out", bench.folder / "damaged.tar")
    refused = code == 1 and name in said and not list(bench.folder.glob("*damaged.tar*"))
    problems += [] if refused else [f"was packed: {said}"]
    (root / name).unlink()
    code, said = bench.run("verify", root)
    problems += [] if code == 1 and f"{name}: missing" in said else [f"missed: {said}"]
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
    try:
        code, said = bench.simulate(disk / "s")
        fine = code == 1 and "GB on disk" in said and not (disk / "s").exists()
        bench.row("a disk half as large as needed", "said beforehand", [] if fine else [said], start)
        fill_in_the_middle(bench, disk, int(1.6 * used) + 1_000_000)

        start = time.monotonic()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        found, _ = bench.simulate(disk / "s")
        code, said = bench.simulate(disk / "t")
        problems = [] if code == 1 and "read-only" in said and len(said.strip().splitlines()) == 1 else [said]
        problems += [] if found == 0 else ["a whole study on a read-only disk is not found"]
        bench.row("a read-only disk: found whole there; another refused", "2 starts", problems, start)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill_in_the_middle(bench, disk, size):
    """Three times somebody else's film takes all the room while people are made; then it is gone."""
    start, problems = time.monotonic(), []
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
    for _ in range(3):
        before = len(list(disk.rglob("*.gz")))
        process = bench.start("simulate", "--profile", "quick", "--jobs", 2, "--out", disk / "s")
        while process.poll() is None and len(list(disk.rglob("*.gz"))) < before + 6:
            time.sleep(0.01)
        try:
            with open(disk / "film", "wb", buffering=0) as film:
                while film.write(b"\1" * 65536):
                    continue
        except OSError as error:
            problems += [] if error.errno == errno.ENOSPC else [str(error)]
        stdout, stderr = bench.finish(process)
        (disk / "film").unlink()
        fine = process.returncode == 1 and "No space left" in stderr and len(stderr.strip().splitlines()) == 1
        problems += ([] if fine else [f"{stdout}{stderr}"]) + bench.judge(disk / "s")
    code, said = bench.simulate(disk / "s")
    problems += [said] if code else bench.judge_whole(disk / "s")
    bench.row("a disk that fills up in the middle, then has room", "3 times", problems, start)


def main():
    """Break, and print what is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--stand-in", action="store_true", help="files of some kilobytes in place of the simulator's")
    options = parser.parse_args()
    root = os.geteuid() == 0 and sys.platform == "linux"
    if root and HIDDEN_MOUNTS not in os.environ:
        root = subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0  # containers may forbid it
        if root:
            os.environ[HIDDEN_MOUNTS] = "1"
            os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # then too, everything is ended
    command = STAND_IN if options.stand_in else REAL
    with tempfile.TemporaryDirectory() as folder, Bench(command, Path(folder)) as bench:
        code = code_digest()
        break_everything(bench, options, root)
        if code_digest() != code:
            raise RuntimeError("Somebody changed the simulator's source in the meantime: the table shows nothing.")
        if any(bench.rows):
            sys.exit(1)


def break_everything(bench, options, root):
    """Go through the table."""
    rng = random.Random(options.seed)
    print(f"| {'what':58s} | {'how often':36s} | time    | outcome |\n|{'-' * 60}|{'-' * 38}|---------|---------|")
    bench.make_reference()
    vary_order(bench)
    simulate, what = (
        ["simulate", "--profile", "quick", "--jobs", 2],
        "killed (kill -9, all or only the first), continued",
    )
    kill_at_random(bench, options.kills, rng, what, simulate, bench.seconds)
    archive = bench.folder / "reference.tar"
    code, said = bench.run("pack", bench.folder / "reference", "--out", archive)
    if code:
        raise RuntimeError(f"The study cannot be packed: {said}")
    start = time.monotonic()
    code, said = bench.run("unpack", archive, "--out", bench.folder / "unpacked")
    problems = bench.judge_whole(bench.folder / "unpacked") if code == 0 else [said]
    bench.row("packed and unpacked undisturbed", "1 time", problems, start)
    times = [(bench.folder / "unpacked" / name).stat().st_mtime for name in bench.expected]
    writes = max(times) - min(times)  # seconds from the first file to the last
    kill_at_random(bench, options.kills // 2, rng, "unpacking killed, continued", ["unpack", archive], writes)
    start_many(bench, options.starts)
    break_files(bench)
    if sys.platform == "linux":  # elsewhere the limit is not kept
        starve(bench)
    if root:
        fill_disk(bench)
    else:
        print("Left out, as they need root on Linux: a small disk, a full one, a read-only one.")


if __name__ == "__main__":
    main()
