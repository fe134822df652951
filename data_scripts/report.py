"""The realism report: one HTML page that puts a finished study beside real data, and says what is not modelled."""

import base64
import html
import io
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from scipy import stats

from course_utils.manifest import read_manifest
from course_utils.replicates import TABLE, load_replicates
from data_scripts.partial import whole_file
from data_scripts.pictures import draw_all
from data_scripts.realism import compare_groups, measure_study
from data_scripts.records import StudyError

SEEDS = TABLE.with_name("realism_seeds.csv")
DOTS = 80  # a inch
NOT_MODELLED = {
    "anatomy": "Everybody has the folds of one averaged brain, bent. No vessels, no lesions, no ageing of the brain.",
    "head": "Skull, scalp, eyes and neck are simple shapes with one intensity a tissue.",
    "slices": "All slices of a volume are taken at one moment: there is no slice timing to correct.",
    "image": "No ghosts, no coil sensitivity beyond a smooth rim, no parallel imaging, no k-space at all.",
    "activity": "Resting fluctuations of 300 nodes with one spectrum; no sleep, no tasks, no epilepsy, no states that"
    " come and go: connectivity is the same from the first volume to the last.",
    "haemodynamics": "One response everywhere but for a lag: no differences in shape, no stealing of blood.",
    "motion": "Rigid, of one family. What fMRIPrep leaves is modelled by its kinds, not by moving the magnet's field.",
    "preprocessing": "fMRIPrep itself was not run: its outputs are written in its form. Normalisation is known"
    " exactly, but for a small warp that is left in.",
    "groups": "Patients differ in the coupling of one network and in how much they move. Real groups differ in"
    " medication, age of onset, smoking, sleep and much else.",
    "site": "One scanner, one session: nothing about sites or test and retest can be learned here.",
}
STYLE = """
.realism table {border-collapse: collapse; font-size: 0.9em} .realism td, .realism th {padding: 0.2em 0.6em;
text-align: left; vertical-align: top; border-bottom: 1px solid #8884} .realism td.number {text-align: right;
font-variant-numeric: tabular-nums; white-space: nowrap} .realism img {max-width: 100%; height: auto; background: white}
.realism figure {margin: 1.5em 0} .realism .scroll {overflow-x: auto} .realism .out {font-weight: bold}
"""
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>How real is the simulated study?</title>
<style>body {{font-family: system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; line-height: 1.5}}
</style></head><body><h1>How real is the simulated study?</h1>
{body}
</body></html>
"""


def _number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _table(header, rows):
    """Make an HTML table; a cell that is a number is set as one."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in header)
    body = ""
    for row in rows:
        cells = [
            f'<td class="number">{_number(cell)}</td>'
            if isinstance(cell, float)
            else f"<td>{html.escape(str(cell))}</td>"
            for cell in row
        ]
        body += f"<tr>{''.join(cells)}</tr>"
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _picture(picture):
    """Make an HTML figure; closes the matplotlib one."""
    stream = io.BytesIO()
    picture.figure.savefig(stream, dpi=DOTS, facecolor="white")
    plt.close(picture.figure)
    data = base64.b64encode(stream.getvalue()).decode()
    return (
        f"<h3>{html.escape(picture.title)}</h3><figure>"
        f'<img alt="{html.escape(picture.alt)}" src="data:image/png;base64,{data}">'
        f"<figcaption><strong>Still artificial:</strong> {html.escape(picture.artificial)}</figcaption></figure>"
    )


def summarize_replicates(table):
    """Summarise many studies: what each way of cleaning finds.

    Parameters
    ----------
    table : DataFrame
        From `course_utils.replicates.load_replicates`.

    Returns
    -------
    DataFrame
        One row an effect and strategy: `n_studies`; mean and SD over studies of `d`; `covered` (studies whose 95 %
        confidence interval holds the planted d) and `significant` (Welch, p < 0.05), both shares; `r_truth`,
        `rmse_truth`. The planted d is the mean over studies of that of the planted connectomes.
    """
    rows = []
    for (effect, strategy, _study), people in table.groupby(["effect", "strategy", "study"], sort=False):
        groups = [people.loc[people["diagnosis"] == g, "default_mode"] for g in ("CONTROL", "SCHZ")]
        d, low, high = compare_groups(*groups)
        p = stats.ttest_ind(*groups, equal_var=False).pvalue
        means = people[["r_truth", "rmse_truth"]].mean()
        rows.append({"effect": effect, "strategy": strategy, "d": d, "low": low, "high": high, "p": p, **means})
    studies = pd.DataFrame(rows)
    planted = studies[studies["strategy"] == "truth"].groupby("effect")["d"].mean()
    planted["none"] = 0.0
    wanted = studies["effect"].map(planted)
    studies["covered"] = (studies["low"] <= wanted) & (wanted <= studies["high"])
    studies["significant"] = studies["p"] < 0.05
    summary = studies.groupby(["effect", "strategy"], sort=False).agg(
        n_studies=("d", "size"),
        d=("d", "mean"),
        sd=("d", "std"),
        covered=("covered", "mean"),
        significant=("significant", "mean"),
        r_truth=("r_truth", "mean"),
        rmse_truth=("rmse_truth", "mean"),
    )
    return summary.reset_index()


def _render_figures(summary):
    rows = [
        (
            f"{row.title} ({row.unit})",
            float(row.value),
            f"{_number(row.least)} to {_number(row.most)}",
            f"{_number(row.low)} to {_number(row.high)}",
            "yes" if row.in_range else "NO",
            row.seen,
            row.source + (" (weak: one or two people)" if row.weak else ""),
        )
        for row in summary.itertuples()
    ]
    return _table(["figure", "here", "least to most", "asked", "in range", "reference", "source"], rows)


def _render_seeds(seeds):
    header = ["figure", "asked", *(f"seed {seed}" for seed in seeds["seed"].unique())]
    rows = []
    for _name, figure in seeds.groupby("name", sort=False):
        first = figure.iloc[0]
        marks = [_number(row.value) + ("" if row.in_range else " NO") for row in figure.itertuples()]
        rows.append(
            (f"{first['title']} ({first['unit']})", f"{_number(first['low'])} to {_number(first['high'])}", *marks)
        )
    return _table(header, rows)


def _render_replicates(table):
    summary = summarize_replicates(table)
    parts = []
    titles = {"planted": "With the planted difference", "none": "With no difference planted; patients still move more"}
    names = {"truth": "planted connectome", "signals": "planted signals of the run, in the band"}
    for effect, title in titles.items():
        chosen = summary[summary["effect"] == effect]
        rows = [
            (
                names.get(row.strategy, row.strategy),
                f"{row.d:+.2f}",
                row.sd,
                f"{row.covered * row.n_studies:.0f} of {row.n_studies}",
                f"{row.significant:.0%}",
                row.r_truth,
                row.rmse_truth,
            )
            for row in chosen.itertuples()
        ]
        header = [
            "cleaning",
            "mean d",
            "SD of d",
            "intervals that hold the planted d",
            "p < 0.05",
            "r to truth",
            "RMSE",
        ]
        parts.append(f"<h3>{title}</h3>" + _table(header, rows))
    return "".join(parts)


def _render_opening(measured, summary, request):
    out = int((~summary["in_range"]).sum())
    return (
        f"<p>Simulated study: profile {html.escape(request['profile'])}, seed {request['seed']},"
        f" {len(measured.people)} people. <strong>{len(summary) - out} of {len(summary)} figures are in the range"
        " asked of them.</strong> A range marked weak rests on one or two people and a minute of data. It was set by"
        " judgement around people who move little; one of the two real tables is of somebody who moves ten times as"
        " much, and lies outside several of these ranges. In range is no proof.</p>"
    )


def render_sections(study, jobs=2):
    """Make the content of the report.

    Parameters
    ----------
    study : Study
        The simulated one, whole.
    jobs : int
        Processes at once.

    Returns
    -------
    dict of {str: str}
        Title and HTML of each section, pictures inside: "Figures beside real data", "Other seeds", "How often is what
        was planted found?", "Pictures", "What is not modelled". Two of them need results that are stored with the
        course, and are left out where these are absent.
    """
    measured = measure_study(study, jobs=jobs)
    summary, request = measured.summarize(), read_manifest(study.root)["request"]
    opening = _render_opening(measured, summary, request)
    sections = {"Figures beside real data": f"<style>{STYLE}</style>{opening}{_render_figures(summary)}"}
    if SEEDS.is_file():
        sections["Other seeds"] = _render_seeds(pd.read_csv(SEEDS))
    if TABLE.is_file():
        sections["How often is what was planted found?"] = (
            "<p>Whole studies of this design, drawn again and again with other people. d is the standardised difference"
            " of default-mode coupling, controls minus patients.</p>" + _render_replicates(load_replicates())
        )
    sections["Pictures"] = "".join(_picture(picture) for picture in draw_all(study, measured))
    items = [f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in NOT_MODELLED.items()]
    sections["What is not modelled"] = f"<dl>{''.join(items)}</dl>"
    return {title: f'<div class="realism">{content}</div>' for title, content in sections.items()}


def write_report(study, path, jobs=2):
    """Write the report as one self-contained page.

    Parameters
    ----------
    study : Study
    path : Path
        The HTML file; its folder is made if needed.
    jobs : int

    Returns
    -------
    Path
    """
    sections = render_sections(study, jobs)
    page = PAGE.format(body="".join(f"<h2>{title}</h2>{content}" for title, content in sections.items()))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def write_seeds(studies, path=SEEDS, jobs=2):
    """Measure studies of several seeds and keep the figures for the report.

    Parameters
    ----------
    studies : list of Study
        Simulated and whole; all made by the same simulator, of the same size, with other seeds.
    path : Path
        A CSV file, replaced when all are measured.
    jobs : int
        Processes at once.

    Returns
    -------
    DataFrame
        One row a seed and figure.

    Raises
    ------
    ManifestError
        If one of the studies is not finished.
    StudyError
        If two have the same seed, or differ in more than the seed. Nothing is measured then.
    """
    _refuse_to_mix(studies)
    tables = []
    for study in studies:
        summary = measure_study(study, jobs=jobs).summarize().reset_index()
        summary.insert(0, "seed", read_manifest(study.root)["request"]["seed"])
        tables.append(summary[["seed", "name", "title", "unit", "value", "low", "high", "in_range"]])
    table = pd.concat(tables).round(4)
    with whole_file(Path(path)) as file:
        table.to_csv(file, index=False)
    return table


def _refuse_to_mix(studies):
    requests = [dict(read_manifest(study.root)["request"]) for study in studies]
    seeds = [request.pop("seed") for request in requests]
    for number, (study, seed, request) in enumerate(zip(studies, seeds, requests, strict=True)):
        if seed in seeds[:number]:
            raise StudyError(f"{study.root} has seed {seed}, and so has another one: each study needs its own seed.")
        differing = [name for name in request if request[name] != requests[0].get(name)]
        if differing:
            raise StudyError(
                f"{study.root} differs from {studies[0].root} in more than its seed ({', '.join(differing)}): make all"
                " of them with the same version and options."
            )
