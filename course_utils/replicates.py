"""Many simulated studies of one design: what each way of cleaning gave, and the edges of everybody.

Half of the studies have the planted difference between the groups, half have none. Both files lie beside this module
and are written by `python -m data_scripts replicate FOLDER`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

TABLE = Path(__file__).with_name("replicates.csv")
EDGES = Path(__file__).with_name("replicate_edges.npz")
PEOPLE = ("effect", "study", "subject", "diagnosis", "age", "gender", "mean_fd")
LOST = -128  # stored where an edge has no r


def _require(path):
    """Refuse to go on without a file, and say how it is made."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is not in {path.parent}. It belongs to the course; to make it anew takes half an hour: "
            "python -m data_scripts replicate FOLDER"
        )
    return path


def load_replicates(path=TABLE):
    """Read what each way of cleaning gave, in many simulated studies.

    Parameters
    ----------
    path : Path
        Of the table.

    Returns
    -------
    DataFrame
        One row a person and strategy: `effect` ("planted" or "none"), `study` (number), `subject` (label), `diagnosis`,
        `age` (years), `gender`, `mean_fd` (mm), `strategy` (a name of `course_utils.strategies.STRATEGIES`; "truth" for
        the planted connectome, "signals" for the planted signals of the run), `default_mode` (mean Fisher z inside the
        default-mode network), `other` (between different networks), `r_truth` and `rmse_truth` (over edges, to the
        planted r).

    Raises
    ------
    FileNotFoundError
        If the table is missing.
    """
    return pd.read_csv(_require(Path(path)), dtype={"subject": str})


def load_replicate_edges(path=EDGES):
    """Read the edges of everybody in many simulated studies, cleaned in one way.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    people : DataFrame, shape (n_people, 7)
        One row a person: `effect` ("planted" or "none"), `study` (number), `subject` (label), `diagnosis`, `age`
        (years), `gender`, `mean_fd` (mm). The name of the strategy is `people.attrs["strategy"]`.
    connectivity : DataFrame of float32, shape (n_people, n_edges)
        Pearson r, rounded to the step in which it is stored (`people.attrs["step"]`), far below the scatter of one run;
        NaN where a region was lost. The columns have two levels, `region_a` and `region_b`, in the order of
        `course_utils.connectomes.edges`.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    """
    with np.load(_require(Path(path)), allow_pickle=False) as saved:
        people = pd.DataFrame({name: saved[name] for name in PEOPLE})
        regions, codes, step = saved["regions"], saved["codes"], float(saved["step"])
        people.attrs = {"strategy": str(saved["strategy"]), "step": step}
    first, second = np.triu_indices(len(regions), 1)
    columns = pd.MultiIndex.from_arrays([regions[first], regions[second]], names=["region_a", "region_b"])
    r = np.where(codes == LOST, np.float32(np.nan), codes * np.float32(step)).clip(-1, 1)
    return people, pd.DataFrame(r, people.index, columns)
