"""Measure what each notebook costs, each in a fresh kernel: seconds, and peak memory of the kernel.

`python tests/benchmarks/notebook_costs.py` prints a table; `--write` also writes the figures into the line
"- **Cost**: ..." of each notebook's first box. Peak memory is read from the system, so this runs on Linux.
"""

import argparse
import os
import re
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

BOOK = Path(__file__).resolve().parents[2] / "book"
COST_LINE = re.compile(r"^- \*\*Cost\*\*:.*$", flags=re.M)


def measure(path):
    """Run one notebook.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    seconds, peak_mb, slowest : float, float, str
        Wall time, peak resident memory of the kernel in MB, and the id of the slowest cell with its seconds.
    """
    notebook = nbformat.read(path, 4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    start, cells = time.perf_counter(), []
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            before = time.perf_counter()
            client.execute_cell(cell, number)
            cells.append((time.perf_counter() - before, cell.id))
        status = Path(f"/proc/{client.km.provisioner.pid}/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000
    slowest = max(cells)
    return time.perf_counter() - start, peak, f"{slowest[1]} {slowest[0]:.1f} s"


def write_cost(path, seconds, peak_mb):
    """Write the figures into the notebook's box, rounded so that they change only when the cost does."""
    text = path.read_text()
    seconds = max(5, 5 * round(seconds / 5))
    line = (
        f"- **Cost**: about {seconds} seconds and {peak_mb / 1000:.1f} GB of memory, measured on {os.cpu_count()} cores"
    )
    notebook = nbformat.reads(text, 4)
    boxes = [c for c in notebook.cells if c.cell_type == "markdown" and COST_LINE.search(c.source)]
    if len(boxes) != 1:
        raise SystemExit(f"{path.name} has {len(boxes)} lines that begin with '- **Cost**:'; expected one.")
    boxes[0].source = COST_LINE.sub(line, boxes[0].source)
    nbformat.write(notebook, path)


def main():
    """Measure the notebooks named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(BOOK.glob("*.ipynb")))
    parser.add_argument("--write", action="store_true", help="write the figures into the notebooks")
    options = parser.parse_args()
    for path in options.notebooks:
        seconds, peak, slowest = measure(path)
        print(f"{path.name:40s} {seconds:6.1f} s  {peak:6.0f} MB  slowest cell: {slowest}")
        if options.write:
            write_cost(path, seconds, peak)


if __name__ == "__main__":
    main()
