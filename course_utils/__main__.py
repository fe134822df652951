"""Command line: `python -m course_utils doctor`."""

import argparse
import json
import sys

from course_utils import doctor


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Without it those of the program.

    Returns
    -------
    int
        Exit code: 0 if nothing keeps one from working, otherwise 1.
    """
    parser = argparse.ArgumentParser(prog="python -m course_utils", description="Tools for learners and instructors.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("doctor", help="check this machine, and say how to mend what is wrong")
    command.add_argument("--deep", action="store_true", help="read every byte of the data and compare hashes")
    command.add_argument("--json", action="store_true", help="print a list for programs")
    options = parser.parse_args(arguments)
    findings = []
    for finding in doctor.examine(deep=options.deep):
        findings.append(finding)
        if not options.json:
            mend = f"\n{'':20}What to do: {finding.fix}." if finding.fix else ""
            print(f"{finding.state:9} {finding.check:9} {finding.found}.{mend}", flush=True)
    n_failures = sum(finding.state == "failure" for finding in findings)
    if options.json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1))
    else:
        print(f"{n_failures} of {len(findings)} checks failed." if n_failures else "Ready.")
    return 1 if n_failures else 0


if __name__ == "__main__":
    sys.exit(main())
