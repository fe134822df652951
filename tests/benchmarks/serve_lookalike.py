"""Serve a simulated study as OpenNeuro served ds000030 in 2017, fetch it with the command line, and say what that took.

`python tests/benchmarks/serve_lookalike.py data/simulated /tmp/lookalike/ds000030` leaves a study that
`COURSE_DATA=/tmp/lookalike COURSE_DATASET=ds000030` opens: the notebooks can be run on it as on the real one.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import published_study as ps


def main():
    """Serve, fetch, and print seconds and the most memory that the command line held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", help="labels, as `download` takes them")
    options = parser.parse_args()
    with ps.serve() as (url, client):
        ps.publish(client, ps.as_published(options.study))
        command = [
            sys.executable,
            "-m",
            "data_scripts",
            "download",
            "ds000030",
            "--endpoint",
            url,
            "--out",
            options.out,
        ]
        command += ["--subjects", options.subjects] if options.subjects else []
        start, most = time.monotonic(), 0
        process = subprocess.Popen(list(map(str, command)))
        while process.poll() is None:
            try:
                most = max(most, psutil.Process(process.pid).memory_info().rss)
            except psutil.NoSuchProcess:
                break  # it has ended in the meantime
            time.sleep(0.05)
        print(f"{time.monotonic() - start:.0f} s, at most {most / 1e6:.0f} MB of memory; exit code {process.wait()}")


if __name__ == "__main__":
    main()
