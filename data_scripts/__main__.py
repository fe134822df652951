"""Command line: `python -m data_scripts simulate | verify`. Heavy imports happen only when there is work."""

import sys
from pathlib import Path

import click

from course_utils.manifest import ManifestError, check_manifest, read_manifest
from data_scripts.parameters import PROFILES, SEED
from data_scripts.records import StudyError
from data_scripts.study import default_folder, simulate_study

INTERRUPTED = 130  # exit code of a program that Ctrl-C ended


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
    """Make the course's data, or check them."""


@_cli.command("simulate")
@click.option("--profile", default="course", show_default=True, help=f"Size: {' or '.join(PROFILES)}.")
@click.option("--seed", default=SEED, show_default=True, help="The same seed gives the same study.")
@click.option(
    "--subjects", type=_Subjects(), help="Number of people, half in each group; or labels, such as 19001,59001."
)
@click.option("--jobs", type=int, help="Processes at once [default: one a processor, fewer if memory is short].")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder [default: $COURSE_DATA/simulated or data/simulated]."
)
def _simulate(profile, seed, subjects, jobs, out):
    """Make the simulated study, or finish one that was interrupted."""
    report = simulate_study(
        out or default_folder(), profile=profile, seed=seed, subjects=subjects, jobs=jobs, progress=True
    )
    size = f"{report.n_files} files, {report.n_bytes / 1e6:.0f} MB"
    if report.n_made:
        kept = report.n_people - report.n_made
        before = f" ({kept} were there already)" if kept else ""
        click.echo(
            f"Simulated {report.n_made} people{before} in {report.seconds:.0f} s; profile {profile}, seed {seed}."
        )
        click.echo(f"The study is whole: {report.root} ({size}).")
    else:
        click.echo(f"The study is whole, nobody had to be simulated: {report.root} ({report.n_people} people, {size}).")


@_cli.command("verify")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--deep", is_flag=True, help="Read every byte and compare hashes, not only sizes.")
def _verify(path, deep):
    """Check that every file of the study in PATH is there and undamaged."""
    root = path or default_folder()
    n_files = len(read_manifest(root)["files"])
    problems = check_manifest(root, deep=deep)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        raise click.ClickException(
            f"{len(problems)} of {n_files} files in {root} are missing or damaged: delete those that are damaged, then"
            " `python -m data_scripts simulate` makes what is missing."
        )
    click.echo(f"All {n_files} files are there, {'byte for byte' if deep else 'with the right sizes'}: {root}")


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
        message, code = "Interrupted. The same command continues from what is finished.", INTERRUPTED
    else:
        return
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
