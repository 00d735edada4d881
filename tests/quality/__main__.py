"""`python -m tests.quality`: how the built-in rules do in an estate of known truth; `export FOLDER` writes it down."""

import argparse
import sys
import time
from pathlib import Path

import msgspec

from alerts.dispatch.defaults import default_plan
from alerts.packs import builtin_rules, builtin_subjects
from app.score_words import lines
from tests.quality import baseline, matrix, stations
from tests.quality.estate import Estate, Size, days, export, score

SEED = 1
MONTH_DAYS = 30.0
_MATRIX_SEEDS = 3


def main() -> int:
    """Do what was asked for."""
    options = _options()
    if options.command == "export":
        estate = _estate(options)
        print(f"{options.folder}: {export(estate, options.folder, builtin_subjects()):,} messages")
        return 0
    if options.command == "baseline":
        baseline.write()
        return 0
    return _report(options)


def _report(options: argparse.Namespace) -> int:
    began = time.perf_counter()
    rules, subjects = builtin_rules(), builtin_subjects()
    if options.days:
        estate = _estate(options)
        scored = score(estate, rules, subjects, default_plan(), options.processes)
        report, known = scored.report(), [world.station for world in estate.worlds()]
        print("\n".join([*lines(report), *stations.lines(scored, known, estate.span.length)]), flush=True)
        if options.json:
            options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if options.matrix:
        cells = matrix.cells(range(options.seed, options.seed + options.matrix))
        print("\n".join(matrix.lines(matrix.seen(cells, rules, subjects, options.processes))))
    print(f"\n{time.perf_counter() - began:.0f} s with {options.processes} processes")
    return 0


def _estate(options: argparse.Namespace) -> Estate:
    return Estate(options.seed, days(options.days), Size(options.lifts, options.gates, options.sheds))


def _options() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--seed", type=int, default=SEED)
    common.add_argument("--days", type=float, default=MONTH_DAYS)
    for machines, count in msgspec.structs.asdict(Size()).items():
        common.add_argument(f"--{machines}", type=int, default=count)
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", parents=[common], help="print the report and the matrix of entrapments")
    run.add_argument("--processes", type=int, default=1)
    run.add_argument("--matrix", type=int, default=_MATRIX_SEEDS, help="entrapments in each cell, 0 for no matrix")
    run.add_argument("--json", type=Path, help="also write the whole report into this file")
    export = commands.add_parser("export", parents=[common], help="write a corpus for `anju rules score`")
    export.add_argument("folder", type=Path)
    commands.add_parser("baseline", help="write the baseline of the short run anew, to be reviewed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
