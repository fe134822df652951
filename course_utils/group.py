"""From a study to the regions' signals of everybody in it: in parallel, resumable, with a reason for each failure.

One person's run is read, averaged over regions and forgotten, so memory does not grow with the number of people. What
is kept is not cleaned: averaging and cleaning are both linear, so that each way of cleaning can be tried on the
averages in a second.
"""

import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.image import load_img
from sklearn.utils import Bunch
from tqdm import tqdm

from course_utils.confounds import count_dummy_volumes, read_confounds
from course_utils.layout import MNI, Run, find_task, open_layout
from course_utils.resume import Task, read_packed, unpack_result, work_through
from course_utils.signals import average_regions
from course_utils.strategies import STRATEGIES, clean_with

FORMAT = 2  # of a saved result: change it when the same files would give other numbers
FD = "framewise_displacement"
# of the files that a person needs: datatype, suffix, extension and more
NEEDED = {
    "bold": {"suffix": "bold", "extension": ".nii.gz", "desc": "preproc", "space": MNI},
    "mask": {"suffix": "mask", "extension": ".nii.gz", "desc": "brain", "space": MNI},
    "confounds": {"suffix": "timeseries", "extension": ".tsv", "desc": "confounds"},
}


@dataclass(frozen=True, eq=False)
class Group:
    """The regions' signals of the people of a study.

    Attributes
    ----------
    participants : DataFrame, one row a person asked for
        Indexed by subject label ("19001"). The columns of participants.tsv, and: `mean_fd` (mm, over the volumes kept),
        `n_volumes`, `n_dummy`, `n_lost` (regions without data). Those four are NaN for a person who failed.
    failed : DataFrame, one row a person who failed
        The column `reason`; empty if nobody failed.
    averages : dict of str to DataFrame, shape (n_volumes - n_dummy, n_regions)
        Not cleaned, image intensity; regions without data are columns of NaN.
    confounds : dict of str to DataFrame, shape (n_volumes, n_columns)
        fMRIPrep's tables, the dummy volumes still in them.
    t_r : float
        Repetition time in seconds.
    """

    participants: pd.DataFrame
    failed: pd.DataFrame
    averages: dict
    confounds: dict
    t_r: float

    @property
    def subjects(self):
        """List the people whose signals are here, by label.

        Returns
        -------
        list of str
            In the order of `participants`.
        """
        return list(self.averages)

    def clean(self, strategy):
        """Clean everybody's signals in one way.

        Parameters
        ----------
        strategy : str or Strategy
            A name of `course_utils.strategies.STRATEGIES`, or your own.

        Returns
        -------
        dict of str to DataFrame, shape (n_volumes - n_dummy, n_regions)
            Mean 0 and standard deviation 1, the index in seconds: what `extract_time_series` gives for each person.
            Regions without data stay columns of NaN.

        Raises
        ------
        ValueError
            If there is no strategy of that name, or somebody's table lacks columns.
        """
        if isinstance(strategy, str):
            if strategy not in STRATEGIES:
                raise ValueError(f"There is no strategy {strategy!r}. Known are: {', '.join(STRATEGIES)}.")
            strategy = STRATEGIES[strategy]
        cleaned = {}
        for subject, averages in self.averages.items():
            alive = averages.columns[averages.notna().all()]
            n_dummy = len(self.confounds[subject]) - len(averages)
            try:
                values = clean_with(
                    strategy, averages[alive].to_numpy(), self.confounds[subject], t_r=self.t_r, n_dummy=n_dummy
                )
            except ValueError as error:
                raise ValueError(f"sub-{subject}: {error}") from error
            seconds = pd.Index(averages.index * self.t_r, name="time (s)")
            cleaned[subject] = pd.DataFrame(values, seconds, alive).reindex(columns=averages.columns)
        return cleaned


def extract_group(study, atlas, subjects=None, n_jobs=None, folder=None, progress=False, timeout=3600):
    """Average the signals of every region in everybody of a study.

    What is wrong with one person's files does not stop the others: that person is listed in `failed`, with the reason.
    So it is with workers: who was being worked on when one died is tried once more, with nobody beside, and listed in
    `failed` if that one dies too. When no worker is left, who is missing is listed, and what was finished is kept.

    Parameters
    ----------
    study : Study
        From `course_utils.dataset.open_study`.
    atlas : Bunch
        On the grid of the runs, as `extract_time_series` takes it.
    subjects : sequence of str, optional
        Labels, with or without "sub-"; without it everybody in participants.tsv.
    n_jobs : int, optional
        Runs worked on at once, as in `joblib.Parallel`: None means 1, or what a surrounding `joblib.parallel_config`
        says, which also decides between threads (the default here: most of the time goes into unpacking, which threads
        do side by side), processes and a cluster.
    folder : str or Path, optional
        Where each person's result is saved when it is finished. A second call with the same folder does only what is
        missing there, or was made from other files, another atlas or other versions. One folder for each atlas. It is
        written by the workers: on a cluster of several machines, name one that all of them see. Without it, results go
        to a folder that is deleted at the end.
    progress : bool
        Whether to show a progress bar.
    timeout : float or None
        If nobody is finished for so many seconds, the workers count as lost: a cluster that goes away may say nothing.
        With None the call waits for ever. Of no effect where this process does the work itself (`n_jobs=1`).

    Returns
    -------
    Group
        The people, in the order asked for.

    Raises
    ------
    ValueError
        If somebody asked for is not in participants.tsv or is named twice, or if nobody's signals could be read.
    """
    people = _list_people(study, subjects)
    runs, failed = _find_runs(study, people.index)
    labels_img = load_img(atlas.maps)
    labels_img = nib.Nifti1Image(np.asanyarray(labels_img.dataobj), labels_img.affine)  # read once, not for each person
    atlas = Bunch(maps=labels_img, lut=atlas.lut)
    prints = _take_fingerprints(runs, atlas, failed)
    with tempfile.TemporaryDirectory(prefix="extract_group_", ignore_cleanup_errors=True) as passing:
        task = Task(_extract_person, atlas, Path(passing if folder is None else folder).absolute())
        found = ((subject, unpack_result(read_packed(task.folder, subject), prints[subject])) for subject in prints)
        done = {subject: result for subject, result in found if result is not None}
        missing = [run for subject, run in runs.items() if subject not in done and subject not in failed]
        outcomes = work_through(task, missing, prints, n_jobs=n_jobs, timeout=timeout)
        bar = tqdm(outcomes, total=len(people), initial=len(people) - len(missing), unit="person", disable=not progress)
        for outcome in bar:
            if outcome.reason is None:
                done[outcome.subject] = unpack_result(outcome.packed, prints[outcome.subject])
            else:
                failed[outcome.subject] = outcome.reason
    return _gather(people, done, failed, runs)


def _list_people(study, subjects):
    """Choose the rows of participants.tsv, indexed by label."""
    people = study.participants.rename(index=lambda name: str(name).removeprefix("sub-")).rename_axis("subject")
    wanted = people.index if subjects is None else pd.Index([str(name).removeprefix("sub-") for name in subjects])
    unknown = [name for name in wanted if name not in people.index]
    if unknown:
        raise ValueError(f"participants.tsv has no {', '.join(unknown)}. Found: {', '.join(people.index)}.")
    if not len(wanted) or not wanted.is_unique:
        twice = sorted(set(wanted[wanted.duplicated()]))
        raise ValueError(f"Expected each person once; found {len(wanted)} people, twice: {', '.join(twice) or 'none'}.")
    return people.loc[wanted].rename_axis("subject")


def _find_runs(study, subjects):
    """Ask the layout once for everybody's files; returns a Run for each person, or the reason why there is none."""
    layout = open_layout(study)
    task = find_task(layout)
    found = {subject: {kind: [] for kind in NEEDED} for subject in subjects}
    suffixes = [entities["suffix"] for entities in NEEDED.values()]
    for file in layout.get(task=task, suffix=suffixes, datatype="func"):
        entities = file.get_entities()
        for kind, wanted in NEEDED.items():
            if entities.get("subject") in found and wanted.items() <= entities.items():
                found[entities["subject"]][kind].append(file)
    runs, failed = {}, {}
    for subject, kinds in found.items():
        wrong = [f"{len(files)} files {kind}" for kind, files in kinds.items() if len(files) != 1]
        if wrong:
            failed[subject] = f"Found {', '.join(wrong)} of task {task} in {MNI}; expected one of each."
            continue
        files = {kind: files[0] for kind, files in kinds.items()}
        t_r = files["bold"].get_metadata().get("RepetitionTime")
        if t_r is None:
            failed[subject] = "The run has no RepetitionTime in its JSON file."
            continue
        runs[subject] = Run(subject, MNI, **{kind: Path(file.path) for kind, file in files.items()}, t_r=t_r)
    if runs:
        t_r, _ = Counter(run.t_r for run in runs.values()).most_common(1)[0]
        failed |= {
            subject: f"The repetition time is {run.t_r:g} s, that of most others {t_r:g} s."
            for subject, run in runs.items()
            if run.t_r != t_r
        }
    return {subject: run for subject, run in runs.items() if subject not in failed}, failed


def _extract_person(run, atlas):
    """Read one person's files; returns the averages and the confounds table."""
    bold_img = nib.load(run.bold)
    n_volumes = bold_img.shape[3] if bold_img.ndim == 4 else None
    table = read_confounds(run.confounds, n_volumes=n_volumes).astype(float)  # one type, read or saved
    if FD not in table:
        raise ValueError(f"{run.confounds} has no column {FD}. Is it a table of fMRIPrep 1.2 or newer?")
    return average_regions(bold_img, atlas, n_dummy=count_dummy_volumes(table), mask_img=run.mask), table


def _gather(people, done, failed, runs):
    """Put everybody together in the order asked for."""
    if not done:
        first = next(iter(failed))
        raise ValueError(f"None of {len(failed)} people could be read. The first, {first}: {failed[first]}")
    done = {subject: done[subject] for subject in people.index if subject in done}
    lists = {subject: reason for subject in people.index if (reason := failed.get(subject)) is not None}
    facts = pd.DataFrame(
        {
            subject: {
                "mean_fd": table[FD].iloc[len(table) - len(averages) :].mean(),
                "n_volumes": len(table),
                "n_dummy": len(table) - len(averages),
                "n_lost": int(averages.isna().all().sum()),
            }
            for subject, (averages, table) in done.items()
        }
    ).T
    counts = ["n_volumes", "n_dummy", "n_lost"]
    facts = facts if lists else facts.astype(dict.fromkeys(counts, int))  # NaN has no place among whole numbers
    return Group(
        participants=people.join(facts.reindex(people.index)),
        failed=pd.DataFrame({"reason": pd.Series(lists, dtype=object)}).rename_axis("subject"),
        averages={subject: averages for subject, (averages, _) in done.items()},
        confounds={subject: table for subject, (_, table) in done.items()},
        t_r=float(runs[next(iter(done))].t_r),
    )


def _take_fingerprints(runs, atlas, failed):
    """Say of each person what the result is made from: files, atlas, versions. A file that is gone makes a failure."""
    labels = np.ascontiguousarray(atlas.maps.dataobj)
    described = f"{labels.dtype} {labels.shape} {atlas.maps.affine.tolist()} {atlas.lut[['index', 'name']].to_csv()}"
    made_with = {
        "format": FORMAT,
        "atlas": hashlib.sha256(described.encode() + labels.tobytes()).hexdigest(),
        "versions": {name: version(name) for name in ("nibabel", "nilearn", "numpy", "pandas", "scipy")},
    }
    prints = {}
    for subject, run in runs.items():
        try:
            stats = {path.name: path.stat() for path in (run.bold, run.mask, run.confounds)}
        except OSError as error:
            failed[subject] = f"{type(error).__name__}: {error}"
            continue
        files = {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
        prints[subject] = json.dumps({**made_with, "files": files}, sort_keys=True)
    return prints
