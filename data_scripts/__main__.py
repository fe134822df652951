"""Command line: `python -m data_scripts COMMAND`. What is heavy is imported when a command needs it."""

import sys
from pathlib import Path

import click

from course_utils.manifest import ManifestError, check_manifest, read_manifest
from data_scripts.archive import pack
from data_scripts.folder import default_folder
from data_scripts.parameters import PROFILES, SEED
from data_scripts.records import StudyError
from data_scripts.study import simulate_study
from data_scripts.study_file import EXAMPLE
from data_scripts.unpack import unpack

INTERRUPTED = 130  # exit code of a program that Ctrl-C ended
CONTINUE = {"simulate", "unpack", "replicate", "download"}  # these go on from what an earlier run has finished
FOLDER = "$COURSE_DATA/simulated or data/simulated"
EXAMPLE_HELP = "\b\nA FILE for --parameters, every line of which may be left out:\n\n\b\n" + "\n".join(
    f"  {line}" if line else "\n\b" for line in EXAMPLE.splitlines()
)


class _Subjects(click.ParamType):
    """A number of people, or labels with commas between them."""

    name = "N or labels"

    def convert(self, value, param, ctx):
        """Turn the text into an int or a list of str."""
        if isinstance(value, int | list):
            return value
        if value.lstrip("-").isdigit() and len(value) < 5:  # labels have five digits
            return int(value)
        return [label for label in value.split(",") if label]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def _cli():
    """Make the course's data, check them, or carry them to another machine."""


@_cli.command("simulate", epilog=EXAMPLE_HELP)
@click.option("--profile", help=f"Size: {' or '.join(PROFILES)}.  [default: course]")
@click.option("--seed", type=int, help=f"The same seed gives the same study.  [default: {SEED}]")
@click.option(
    "--subjects", type=_Subjects(), help="Number of people, half in each group; or labels, such as 19001,59001."
)
@click.option(
    "--parameters",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another study than the course's: length, effect, motion, any constant. TOML, as below.",
)
@click.option("--jobs", type=int, help="Processes at once.  [default: one a processor, fewer if memory is short]")
@click.option("--out", type=click.Path(path_type=Path), help=f"Folder.  [default: {FOLDER}]")
def _simulate(profile, seed, subjects, parameters, jobs, out):
    """Make the simulated study, or finish one that was interrupted."""
    report = simulate_study(
        out or default_folder(),
        profile=profile,
        seed=seed,
        subjects=subjects,
        parameters=parameters,
        jobs=jobs,
        progress=True,
    )
    size = f"{report.n_files} files, {report.n_bytes / 1e6:.0f} MB"
    if report.n_made:
        kept = report.n_people - report.n_made
        before = f" ({kept} were there already)" if kept else ""
        click.echo(
            f"Simulated {report.n_made} people{before} in {report.seconds:.0f} s; profile {report.profile}, seed"
            f" {report.seed}."
        )
        click.echo(f"The study is whole: {report.root} ({size}).")
    else:
        click.echo(f"The study is whole, nobody had to be simulated: {report.root} ({report.n_people} people, {size}).")


@_cli.command("download")
@click.argument("name", type=click.Choice(["ds000030", "development_fmri"]))
@click.option(
    "--subjects",
    type=_Subjects(),
    help="ds000030: whose data, labels such as 10171,50010  [default: the 20 people of a well-known lesson];"
    " development_fmri: how many people, such as 60  [default: 30].",
)
@click.option("--all", "everybody", is_flag=True, help="Everybody's data. See with --dry-run how much that is.")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and stop.")
@click.option("--endpoint", metavar="URL", help="Another S3 server that has the bucket of ds000030.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Files at once, of ds000030.  [default: 6]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: $COURSE_DATA/NAME or data/NAME]")
def _download(name, subjects, everybody, dry_run, endpoint, jobs, out):
    """Fetch a real study, or finish that: ds000030 from OpenNeuro, development_fmri through nilearn.

    No account is needed. The notebooks open it when the environment variable COURSE_DATASET holds its name.
    """
    out = out or default_folder(name)
    if name == "ds000030":
        report = _download_ds000030(out, subjects, everybody, dry_run, endpoint, jobs or 6)
    else:
        if endpoint or jobs:
            raise click.UsageError("--endpoint and --jobs are for ds000030: nilearn fetches development_fmri.")
        report = _download_development(out, subjects, everybody, dry_run)
    for problem in report.problems:
        click.echo(f"Missing: {problem}")
    if dry_run:
        return
    size = f"{report.n_people} people, {report.n_files} files, {report.n_bytes / 1e9:.2f} GB"
    if report.problems:
        raise click.ClickException(
            f"{len(report.problems)} things are missing, named above; the rest is in {report.root} ({size}). The same"
            " command asks for them again."
        )
    click.echo(f"The study is whole: {report.root} ({size}). What was changed: {report.root / report.changes}")


def _download_ds000030(out, subjects, everybody, dry_run, endpoint, jobs):
    from data_scripts.download import download_study

    if isinstance(subjects, int):
        raise click.UsageError(f"Found --subjects {subjects}; of ds000030 name the people, such as 10171,50010.")
    return download_study(
        out,
        subjects=None if subjects is None else [label.strip() for label in subjects if label.strip()],
        everybody=everybody,
        dry_run=dry_run,
        endpoint=endpoint,
        jobs=jobs,
        say=click.echo,
        progress=True,
    )


def _download_development(out, subjects, everybody, dry_run):
    from data_scripts.development import MOST, N_PEOPLE, download_development

    if isinstance(subjects, list) or (everybody and subjects is not None):
        raise click.UsageError("Of development_fmri give a number, such as --subjects 30, or --all: nilearn chooses.")
    n_people = MOST if everybody else N_PEOPLE if subjects is None else subjects
    return download_development(out, n_people=n_people, dry_run=dry_run, say=click.echo)


@_cli.command("verify")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--deep", is_flag=True, help="Read every byte and compare hashes, not only sizes.")
def _verify(path, deep):
    """Check that every file of the study in PATH is there and undamaged."""
    root = path or default_folder()
    manifest = read_manifest(root)
    n_files = len(manifest["files"])
    mend = "simulate" if manifest.get("simulated", True) else f"download {manifest['study']}"
    problems = check_manifest(root, deep=deep)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        raise click.ClickException(
            f"{len(problems)} of {n_files} files in {root} are missing or damaged: delete those that are damaged, then"
            f" `python -m data_scripts {mend}` makes what is missing."
        )
    click.echo(f"All {n_files} files are there, {'byte for byte' if deep else 'with the right sizes'}: {root}")


@_cli.command("pack")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="File, or a folder for it.  [default: beside the study, NAME.tar]"
)
def _pack(path, out):
    """Pack the study in PATH into one checked file, for a USB stick or a hub."""
    report = pack(path or default_folder(), out, progress=True)
    click.echo(f"Packed {report.n_files} files, {report.n_bytes / 1e6:.0f} MB: {report.path}")
    click.echo(f"SHA-256 of the archive: {report.sha256}")


@_cli.command("unpack")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help=f"Folder, new or empty.  [default: {FOLDER}]")
def _unpack(file, out):
    """Unpack a FILE that `pack` has made, and check every byte of it."""
    report = unpack(file, out or default_folder(), progress=True)
    if report.n_new:
        kept = report.n_files - report.n_new
        before = f" ({kept} were there already)" if kept else ""
        click.echo(f"Unpacked {report.n_new} files{before}, byte for byte as they were packed.")
        click.echo(f"The study is whole: {report.path} ({report.n_files} files, {report.n_bytes / 1e6:.0f} MB).")
    else:
        click.echo(f"The study is there already: {report.path} ({report.n_files} files).")


@_cli.command("report")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("realism.html"), show_default=True, help="HTML file."
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes at once.")
def _report(path, out, jobs):
    """Put the study in PATH beside figures of real data, on one page."""
    root = path or default_folder()
    read_manifest(root)  # says so if there is no study
    from course_utils.dataset import Study
    from data_scripts.report import write_report

    click.echo(f"The report is written: {write_report(Study('simulated', root), out, jobs)}")


@_cli.command("seeds")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="CSV file.  [default: the one that the report shows]")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes at once.")
def _seeds(folders, out, jobs):
    """Measure the studies in FOLDERS, alike but for their seeds, and renew the table that the report shows."""
    for folder in folders:
        read_manifest(folder)  # says so if there is no study
    from course_utils.dataset import Study
    from data_scripts.report import SEEDS, write_seeds

    table = write_seeds([Study("simulated", folder) for folder in folders], out or SEEDS, jobs)
    outside = int((~table["in_range"]).sum())
    click.echo(f"{len(folders)} studies, {outside} of {len(table)} figures out of range: {out or SEEDS}")


@_cli.command("replicate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--studies", type=click.IntRange(1), default=20, show_default=True, help="With the difference, and without."
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes at once.")
def _replicate(folder, studies, jobs):
    """Draw many studies of the course's design into FOLDER and renew the files that the course reads."""
    from data_scripts.replicates import TABLE, judge_replicates, simulate_replicates, write_replicates

    write_replicates(*judge_replicates(simulate_replicates(folder, studies, jobs=jobs, progress=True), jobs=jobs))
    click.echo(f"{studies} studies with the planted difference and {studies} without: {TABLE}")


def main():
    """Run the command line; every expected failure is one sentence on stderr."""
    try:
        _cli.main(standalone_mode=False)
    except (StudyError, ManifestError) as error:
        message, code = str(error), 1
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return
    except click.ClickException as error:
        message, code = error.format_message(), error.exit_code
    except (KeyboardInterrupt, click.Abort):
        continues = CONTINUE.intersection(sys.argv[1:2])
        message = f"Interrupted. The same command {'continues from what is finished' if continues else 'starts anew'}."
        code = INTERRUPTED
    else:
        return
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
