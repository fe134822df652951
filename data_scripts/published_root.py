"""What belongs to nobody alone in ds000030: who is there, what was changed, and last the list of all files."""

import json
from pathlib import Path

from course_utils.manifest import MANIFEST_NAME, describe_file, write_manifest
from data_scripts.convert import SOURCE, link_or_copy
from data_scripts.fetched import CHANGES, DERIVED, REQUEST, as_json, write_atlas, write_texts
from data_scripts.old_tables import TableError, keep_people, list_changes, read_text
from data_scripts.records import RECORDS, course_version, read_record, record_path

README = """Derivatives of OpenNeuro ds000030 (public domain, PDDL), fetched by From Files to Findings.

The files have the names that fMRIPrep gives today. They were published under older ones; the originals are in
../../sourcedata/openneuro, and every change is a line of ../../sourcedata/changes.tsv.

Cite Poldrack et al. 2016, https://doi.org/10.1038/sdata.2016.110, for the data, and Gorgolewski et al. 2017,
https://doi.org/10.12688/f1000research.11964.2, for the derivatives.
"""
DESCRIPTION = {
    "Name": "OpenNeuro ds000030: fMRIPrep derivatives under today's names",
    "BIDSVersion": "1.10.0",
    "DatasetType": "derivative",
    "License": "PDDL",
    "GeneratedBy": [{"Name": "fMRIPrep"}, {"Name": "data_scripts download", "Version": course_version()}],
}


def finish_study(out, where):
    """Make a study of everybody whose files are whole.

    Parameters
    ----------
    out : Path
        The study.
    where : str
        What the files were fetched from.

    Returns
    -------
    list of str
        What is missing.
    """
    units = {path.stem: path for path in sorted((out / RECORDS).glob("sub-*.json"))}
    files, rows = {}, []
    for unit, path in units.items():
        record = read_record(out, unit)
        if record is not None:
            files |= record
            rows += json.loads(path.read_text(encoding="utf-8"))["changes"]
    people = [unit for unit in units if read_record(out, unit) is not None]
    if not people:
        return ["Nobody's files are whole."]
    problems, made = _write_roots(out, people, list_changes(rows))
    for path in [*made, *write_atlas(out), REQUEST, *(record_path(person) for person in people)]:
        files[Path(path).as_posix()] = describe_file(out / path)
    write_manifest(out, files, simulated=False, study="ds000030", source=where, people=people)
    return problems


def _write_roots(out, people, changes):
    """Write the files of the two roots; returns problems, and the paths written."""
    source = out / SOURCE
    texts = {CHANGES: changes, DERIVED / "README": README, Path(".bidsignore"): f"{MANIFEST_NAME}\n"}
    texts[DERIVED / ".bidsignore"] = "*_desc-confounds_timeseries.*\n*_boldref.nii.gz\n"
    problems = []
    try:
        texts[Path("participants.tsv")], absent = keep_people(read_text(source / "participants.tsv"), people)
        problems += [f"participants.tsv says nothing about {person}" for person in absent]
    except FileNotFoundError:
        problems.append("participants.tsv could not be fetched: the study cannot be opened without it")
    except TableError as error:
        problems.append(f"participants.tsv {error}")
    if not _is_description(source / DERIVED / "dataset_description.json"):
        texts[DERIVED / "dataset_description.json"] = as_json(DESCRIPTION)
    if not (source / "dataset_description.json").is_file():
        problems.append("dataset_description.json could not be fetched: the study cannot be opened without it")
    write_texts(out, texts)
    made = list(texts)
    for path in sorted(source.glob("*.json")) + sorted((source / DERIVED).glob("*.json")):
        relative = path.relative_to(source)
        if relative not in texts:
            link_or_copy(path, out / relative)
            made.append(relative)
    return problems, made


def _is_description(path):
    """Whether a published description of a derivative is one that today's programs accept."""
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("DatasetType") == "derivative"
    except (OSError, ValueError, AttributeError):
        return False
