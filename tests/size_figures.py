"""Prints and gates the size of functions and files: pieces stay small enough to be read at once."""

import ast
import subprocess
import sys
from pathlib import Path
from statistics import median, quantiles

LONGEST_FILE_LINES = 500
LONG_FUNCTION_LINES = 50
LONG_FUNCTION_SHARE = 0.02
LARGEST_MEDIAN_LINES = 12


def sources() -> list[Path]:
    """Return the tracked and new Python files that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.splitlines() if (path := Path(name)).is_file()]


def function_lengths(path: Path) -> list[tuple[int, str]]:
    """Return every function of a file as (lines, place)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{path}:{node.lineno} {node.name}")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def main() -> int:
    """Print the figures; return 1 when one is beyond its bound."""
    files = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    product = [path for path in files if path.parts[0] != "tests"]
    functions = [found for path in product for found in function_lengths(path)]
    lengths = [lines for lines, _ in functions]
    long = sorted((found for found in functions if found[0] > LONG_FUNCTION_LINES), reverse=True)
    tests = sum(files[path] for path in files if path.parts[0] == "tests")
    code = sum(files[path] for path in product)
    print(
        f"functions {len(lengths)}: median {median(lengths):.0f} lines, 90th percentile "
        f"{quantiles(lengths, n=10)[-1]:.0f}, over {LONG_FUNCTION_LINES}: {len(long) / len(lengths):.1%}; "
        f"files {len(product)}: median {median(files[path] for path in product):.0f} lines; "
        f"lines of test per line of code {tests / code:.2f}"
    )
    problems = [f"{path}: {lines} lines, at most {LONGEST_FILE_LINES}" for path, lines in files.items() if lines > 500]
    if len(long) / len(lengths) > LONG_FUNCTION_SHARE:
        problems += [f"{place}: {lines} lines" for lines, place in long]
    if median(lengths) > LARGEST_MEDIAN_LINES:
        problems.append(f"the median function is longer than {LARGEST_MEDIAN_LINES} lines")
    print("\n".join(problems), file=sys.stderr) if problems else None
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
