"""Break the download of ds000030 in many ways, and print what came of it, as a table.

`python tests/benchmarks/download_faults.py` serves a small published study on this machine. For each fault it fetches
that study some times while the fault is there, each time into a new folder, and then once more without it. After both,
every file is compared with what the server has, by SHA-256. The last row ends the command line with kill -9 at random
moments of a slow transfer of larger files. It ends with code 1 if a byte is wrong, if an error is no sentence, or if
the second call does not make the study whole. Takes some minutes. Works on Linux and macOS.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import breaking_proxy as bp
import published_study as ps
from fault_tries import FAULTS, PEOPLE, Place
from small_study import digest_tree

from course_utils.manifest import check_manifest
from data_scripts.convert import SOURCE

PIECE, PAUSE = 65536, 0.02  # bytes, and seconds after each: about 3 MB a second
LARGE = 10_000_000  # bytes of each raw image in the last row, so that many kills fall inside a file


def count_wrong(out, tree):
    """Count files with a final name that are not byte for byte on the server, and half files in the study itself."""
    source, expected = out / SOURCE, {path: hashlib.sha256(content).hexdigest() for path, content in tree.items()}
    wrong = 0
    for path in source.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            wrong += digest != expected.get(path.relative_to(source).as_posix())
    return wrong + (len(check_manifest(out, deep=True)) if (out / "manifest.json").exists() else 0)


def try_fault(attempt, times, place_of):
    """Try one fault; returns the outcomes, files wrong after it or after the next call, and calls that did not mend."""
    outcomes, wrong, broken = Counter(), 0, 0
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # for the try that gives up its rights
            inside = Path(folder, "inside")
            inside.mkdir()
            place = place_of(inside / "ds000030")
            outcomes[attempt(place)] += 1
            place.proxy.fault = None
            wrong += count_wrong(place.out, place.tree)
            wrong += sum(path != inside for path in Path(folder).iterdir()) + sum(
                path != place.out for path in inside.iterdir()
            )
            broken += place.fetch(place.url) != "recovered" or not (place.out / "manifest.json").exists()
            wrong += count_wrong(place.out, place.tree) + len(list(place.out.rglob("*.begun")))
    return outcomes, wrong, broken


def slow_down(handler, path, status, headers, body):
    """Send a large answer piece by piece."""
    if len(body) <= PIECE:
        return None
    handler.answer(status, {**headers, "Content-Length": str(len(body))}, b"")
    for first in range(0, len(body), PIECE):
        handler.wfile.write(body[first : first + PIECE])
        time.sleep(PAUSE)
    return True


def start(out, url):
    """Start the command line."""
    command = [sys.executable, "-m", "data_scripts", "download", "ds000030", "--endpoint", url, "--out", str(out)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*command, "--subjects", ",".join(PEOPLE)], start_new_session=True, **pipes)


def finish(process):
    """Wait for the command; it must end well."""
    said, _ = process.communicate(timeout=600)
    if process.returncode:
        raise SystemExit(f"The download failed: {said}")


def kill_and_continue(out, url, kills, seconds, rng):
    """Kill the command at random moments, then let it finish; returns how many files were half there after a kill."""
    half = 0
    for _ in range(kills):
        process = start(out, url)
        time.sleep(rng.uniform(0, seconds))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        half += len(list(out.rglob("*.begun")))
        if (out / "manifest.json").exists():  # it was whole before the end: begin anew, so that every kill counts
            subprocess.run(["rm", "-r", str(out)], check=True)
    finish(start(out, url))
    return half


def try_kills(kills, place_of, folder):
    """Kill and continue, on larger files; returns a sentence, and how many files are wrong, damaged or half."""
    good, place = folder / "good", place_of(folder / "killed")
    for path in place.tree:
        if path.endswith(".nii.gz") and "derivatives" not in path:
            place.tree[path] = place.rng.randbytes(LARGE)
    ps.publish(place.client, place.tree)
    place.proxy.fault = slow_down
    begin = time.monotonic()
    finish(start(good, place.proxy.url))
    seconds = time.monotonic() - begin
    place.proxy.requests.clear()
    half = kill_and_continue(place.out, place.proxy.url, kills, seconds, place.rng)
    resumed = sum(where is not None for _, where in place.proxy.requests)
    wrong = set(digest_tree(good).items()) ^ set(digest_tree(place.out).items())
    left = list(place.out.rglob("*.begun")) + list(place.out.rglob("*.part"))
    said = f"{half} half files, {resumed} continued at the byte; undisturbed it takes {seconds:.0f} s"
    return said, len(wrong) + count_wrong(place.out, place.tree) + len(left)


def main():
    """Try every fault and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="tries of each fault")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, tree, failed = random.Random(options.seed), ps.small_tree(PEOPLE), False
    print("| fault | times | outcome | files wrong after it and after the next call | next call made it whole |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, ps.serve() as (url, client):
        ps.publish(client, tree)
        proxy = bp.Proxy(url)

        def place_of(out):
            return Place(url, client, tree, proxy, out, rng)

        for name, attempt in FAULTS.items():
            outcomes, wrong, broken = try_fault(attempt, options.times, place_of)
            said = ", ".join(f"{outcome} {n}" for outcome, n in outcomes.most_common())
            print(f"| {name} | {options.times} | {said} | {wrong} | {options.times - broken} |", flush=True)
            failed |= bool(wrong or broken or set(outcomes) - {"recovered", "clear error"})
        said, wrong = try_kills(options.kills, place_of, Path(folder))
        print(f"| kill -9 at a random moment | {options.kills} | {said} | {wrong} | {options.kills} |")
        proxy.close()
    sys.exit(failed or bool(wrong))


if __name__ == "__main__":
    main()
