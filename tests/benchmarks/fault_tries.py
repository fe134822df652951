"""What `download_faults.py` tries: a download of a small study while something is wrong."""

import random
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import breaking_proxy as bp
import published_study as ps

from data_scripts.download import download_study
from data_scripts.records import StudyError

PEOPLE = (ps.LESSON[0], ps.LESSON[10])
ALWAYS = 10**9
# started by whoever runs this, also by root, and from there on without the right to write everywhere
AS_NOBODY = "import os; from data_scripts import __main__, download; os.geteuid() or os.setuid(65534); __main__.main()"
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)); "
SMALL_FILES += "from data_scripts import __main__; __main__.main()"


@dataclass
class Place:
    """Where one try happens: the server, what is on it, a proxy in between, and a folder."""

    url: str
    client: object
    tree: dict
    proxy: bp.Proxy
    out: Path
    rng: random.Random

    def fetch(self, url=None):
        """Download the small study; returns what became of it."""
        try:
            report = download_study(
                self.out,
                subjects=list(PEOPLE),
                endpoint=url or self.proxy.url,
                jobs=4,
                patience=ps.QUICK,
                say=lambda _: None,
            )
        except StudyError:
            return "clear error"
        return "clear error" if report.problems else "recovered"

    def run(self, program, *options):
        """Run the command line in a process of its own; returns what became of it."""
        arguments = ["download", "ds000030", "--endpoint", self.url, "--subjects", ",".join(PEOPLE), *options]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments, "--out", str(self.out)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode == 0:
            return "recovered"
        return "clear error" if done.stderr.startswith("Error: ") and "Traceback" not in done.stderr else done.stderr


def through(fault, most, where=".nii.gz"):
    """Make a try in which a fault breaks some answers: all, or a random number of them up to `most`."""

    def attempt(place):
        left, lock = [most if most == ALWAYS else place.rng.randint(1, most)], threading.Lock()
        chosen = place.rng.choice(sorted(path for path in place.tree if where in path and "surf" not in path))

        def break_some(handler, path, *answer):
            with lock:
                if (where and chosen not in path) or left[0] == 0:
                    return None
                left[0] -= 1
            return fault(handler, path, *answer)

        place.proxy.fault = break_some
        return place.fetch()

    return attempt


def change_between(place):
    """Replace a file on the server after half of it has been sent."""
    chosen = place.rng.choice(sorted(path for path in place.tree if "_preproc.nii.gz" in path))
    new = ps.image_bytes(ps.np.full((6, 5, 4, 12), place.rng.randrange(900), ps.np.int16), t_r=2.0)

    def change(handler, path, *answer):
        if not path.endswith(chosen):
            return None
        place.proxy.fault = None
        place.tree[chosen] = new
        ps.publish(place.client, {chosen: new})
        return bp.cut(handler, path, *answer)

    place.proxy.fault = change
    return place.fetch()


def dotted(place):
    """List a key that climbs out of the folder."""
    climb = place.rng.choice(["../../../../evil.tsv", "..", "anat/../../../../evil.nii.gz", "./evil.nii.gz", "//evil"])
    place.proxy.fault = bp.list_also(lambda key: (f"{key.rpartition('/')[0]}/{climb}", 3))
    return place.fetch()


def hostile(place):
    """List without an end, one name in two spellings, a negative size, or a page to log in."""
    place.proxy.fault = place.rng.choice(
        [
            bp.list_without_end,
            bp.list_also(lambda key: (key.upper().replace(ps.ROOT.upper(), ps.ROOT), 3)),
            bp.list_also(lambda key: (f"{key}x", -5)),
            bp.log_in_page,
        ]
    )
    return place.fetch()


def locked(place):
    """Give a folder in a folder that nothing may be written to."""
    place.out.parent.chmod(0o555)
    try:
        return place.run(AS_NOBODY)
    finally:
        place.out.parent.chmod(0o755)


def no_room(place):
    """Let the disk have less room than the study needs."""
    from data_scripts import archive

    honest, archive.free_space = archive.free_space, lambda _: place.rng.randrange(20_000)
    try:
        return place.fetch()
    finally:
        archive.free_space = honest


def twice(place):
    """Start two downloads into one folder at the same moment."""
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(place.fetch(place.url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "recovered" if outcomes == ["recovered"] * 2 else f"one ended otherwise: {outcomes}"


FAULTS = {
    "connection cut at a random byte": lambda place: through(bp.cut_anywhere(place.rng), 3)(place),
    "no answer for a while": through(bp.delay, 1),
    "503, too busy, then not": through(bp.busy, 3),
    "503 for ever": through(bp.busy, ALWAYS),
    "403 for one file": through(bp.refuse, ALWAYS),
    "403 for everything": through(bp.refuse, ALWAYS, where=""),
    "file truncated, called whole": through(bp.truncate, 3),
    "file truncated, for ever": through(bp.truncate, ALWAYS),
    "one bit flipped": through(bp.corrupt, 2),
    "one bit flipped, for ever": through(bp.corrupt, ALWAYS),
    "file changed between two requests": change_between,
    "Content-Length too large, cut": through(bp.promise_more, 3),
    "more bytes than the file has, for ever": through(bp.send_more, ALWAYS),
    "key with ..": dotted,
    "hostile listing": hostile,
    "no network": lambda place: place.fetch("http://127.0.0.1:9"),
    "read-only folder": locked,
    "no space, before starting": no_room,
    "disk refuses in the middle": lambda place: place.run(SMALL_FILES),
    "two downloads at once": twice,
}
