"""Kill a download at random moments, go on with it, and look whether every byte is as it should be.

`python tests/benchmarks/download_faults.py` serves a small published study on this machine through a slow line, ends
`data_scripts download` with kill -9 at 30 random moments until it is whole, and compares the folder with one that was
fetched undisturbed; it ends with code 1 if a byte differs or a half file is left. Takes some minutes. Works on Linux
and macOS.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import published_study as ps
from small_study import digest_tree

from course_utils.manifest import check_manifest

PIECE, PAUSE = 65536, 0.02  # bytes, and seconds after each: about 3 MB a second
LARGE = 10_000_000  # bytes of each raw image, so that many kills fall inside a file


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
    command += ["--subjects", ",".join((ps.LESSON[0], ps.LESSON[10]))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, start_new_session=True, **pipes)


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


def main():
    """Kill, continue, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, tree = random.Random(options.seed), ps.small_tree()
    for path in tree:
        if path.endswith(".nii.gz") and "derivatives" not in path:
            tree[path] = rng.randbytes(LARGE)
    with tempfile.TemporaryDirectory() as folder, ps.serve() as (url, client):
        ps.publish(client, tree)
        proxy, good, out = ps.Proxy(url), Path(folder, "good"), Path(folder, "killed")
        proxy.fault = slow_down
        begin = time.monotonic()
        finish(start(good, proxy.url))
        seconds = time.monotonic() - begin
        proxy.requests.clear()
        half = kill_and_continue(out, proxy.url, options.kills, seconds, rng)
        resumed = sum(where is not None for _, where in proxy.requests)
        proxy.close()
        wrong = sorted(set(digest_tree(good).items()) ^ set(digest_tree(out).items()))
        damaged, left = check_manifest(out, deep=True), list(out.rglob("*.begun")) + list(out.rglob("*.part"))
    print(
        f"undisturbed: {seconds:.1f} s; {options.kills} kills left {half} half files, {resumed} continued at the byte"
    )
    print(f"afterwards: {len(wrong)} files differ, {len(damaged)} are damaged, {len(left)} are half")
    sys.exit(bool(wrong or damaged or left))


if __name__ == "__main__":
    main()
