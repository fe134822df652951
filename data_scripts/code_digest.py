"""The digest of the simulator's own source: a study that another simulator began is not continued."""

import ast
import hashlib
import json
from pathlib import Path

# and all that they import
SOURCES = ("person", "templates", "atlas", "root_files", "roster", "write_bids")


def code_digest():
    """Digest the source of everything that decides what is written.

    These are the modules of `data_scripts` that the simulation imports, directly or not. Docstrings, blank lines and
    whole-line comments do not count, so that a corrected word does not make a learner simulate anew.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    folder, waiting, texts = Path(__file__).parent, list(SOURCES), {}
    while waiting:
        name = waiting.pop()
        path = folder / f"{name}.py"
        if name in texts or not path.is_file():
            continue
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        texts[name] = _code_lines(source, tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "data_scripts":
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("data_scripts."):
                waiting.append(node.module.removeprefix("data_scripts."))
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()[:16]


def _code_lines(source, tree):
    """Lines of a module without docstrings, blank lines and whole-line comments."""
    lines = dict(enumerate((line.rstrip() for line in source.splitlines()), start=1))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            for number in range(node.body[0].lineno, node.body[0].end_lineno + 1):
                lines.pop(number, None)
    return [line for line in lines.values() if line and not line.lstrip().startswith("#")]
