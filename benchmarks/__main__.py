"""Measure fastgd and its peers; write tables and figures.

    python -m benchmarks                      everything with all peers, to docs/performance/<cpu>
    python -m benchmarks training float64     some sections
    python -m benchmarks training/tiny late   some parts of sections
    python -m benchmarks --resume --limit 80  what has not been measured at this commit, for at most 80 seconds
    python -m benchmarks --quick              training with the fastest peers, in less than three minutes
    python -m benchmarks --draw               rewrite pages and figures from all results.json
    python -m benchmarks --list               the parts, when each was measured, and how long that took
    python -m benchmarks tables --help        scores of networks and trees on real tables

Every part is added to results.json as soon as it has been measured. Only complete measurements go to docs/performance:
those of --quick, with fewer or shorter turns, or without some of the peers are printed, and written to
build/performance.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from . import store
from .peers import CONTENDERS, QUICK
from .rounds import Pool
from .sections import QUICK as QUICK_SECTIONS
from .sections import SECTIONS, TOO_LONG, Options, Parts, parts

SECONDS, ROUNDS = 0.12, 5
QUICK_SECONDS, QUICK_ROUNDS = 0.04, 3
UNKNOWN = 20.0  # seconds that a part is expected to take if it has never been measured


def _parse() -> argparse.Namespace:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=plain)
    names = f"sections, or parts of them: {' '.join(SECTIONS)} (default: all)"
    parser.add_argument("names", nargs="*", metavar="SECTION[/PART]", help=names)
    known = f"what to compare, if installed: {' '.join(CONTENDERS)} (default: all)"
    parser.add_argument("--contenders", nargs="+", metavar="NAME", choices=CONTENDERS, help=known)
    parser.add_argument("--quick", action="store_true", help="less of everything, in less than three minutes")
    parser.add_argument("--seconds", type=float, help=f"seconds per turn (default: {SECONDS}, quick: {QUICK_SECONDS})")
    parser.add_argument("--rounds", type=int, help=f"turns per contender (default: {ROUNDS}, quick: {QUICK_ROUNDS})")
    parser.add_argument("--out", type=Path, help="folder of the results (default: as above)")
    parser.add_argument("--resume", action="store_true", help="skip what has been measured at this commit")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="start no part that would take longer; status 1")
    parser.add_argument("--draw", action="store_true", help="only rewrite pages and figures")
    parser.add_argument("--list", action="store_true", help="only list the parts")
    return parser.parse_args()


def _options(arguments: argparse.Namespace, pool: Pool) -> Options:
    quick = arguments.quick
    return Options(
        pool,
        tuple(arguments.contenders or (QUICK if quick else CONTENDERS)),
        arguments.seconds or (QUICK_SECONDS if quick else SECONDS),
        arguments.rounds or (QUICK_ROUNDS if quick else ROUNDS),
    )


def _chosen(arguments: argparse.Namespace, options: Options) -> Parts:
    if arguments.names or not arguments.quick:
        return parts(arguments.names or list(SECTIONS), options)
    return {key: task for key, task in parts(QUICK_SECTIONS, options).items() if key not in TOO_LONG}


def _why_incomplete(options: Options) -> str:
    """Why these options give less than a complete measurement; "" if they do not."""
    missing = [name for name in CONTENDERS if name not in options.contenders or not CONTENDERS[name].is_installed]
    if missing:
        return f"without {', '.join(missing)}"
    if options.seconds < SECONDS or options.rounds < ROUNDS:
        return f"fewer than {ROUNDS} turns of {SECONDS} s"
    return ""


def _measure(tasks: Parts, options: Options, folder: Path, limit: float) -> bool:
    """Measure parts, and add each to the results; returns whether all have been measured within the limit."""
    results, begun = store.load(folder), time.perf_counter()
    store.check_machine(results, folder)
    how = {"commit": store.commit(), "seconds": options.seconds, "rounds": options.rounds}
    for number, (key, task) in enumerate(tasks.items()):
        start = time.perf_counter()
        expected = results.get("measured", {}).get(key, {}).get("took", UNKNOWN)
        if number and start - begun + expected > limit:
            print(f"{len(tasks) - number} parts are left, beginning with {key}")
            return False
        print(f"measuring {key}", file=sys.stderr, flush=True)
        found = task()
        took = round(time.perf_counter() - start, 1)
        store.add(results, key, found, {**how, "took": took})
        store.save(results, folder)
        print(f"{key}: {took} s", flush=True)
    return True


def _without_measured(tasks: Parts, folder: Path) -> Parts:
    """Those parts that have not been measured at this commit."""
    commit, measured = store.commit(), store.load(folder).get("measured", {})
    if commit.endswith("+"):  # it may have been changed again
        return tasks
    return {key: task for key, task in tasks.items() if measured.get(key, {}).get("commit") != commit}


def _listed(tasks: Parts, folder: Path) -> None:
    measured: dict[str, Any] = store.load(folder).get("measured", {})
    for key in tasks:
        how = measured.get(key, {})
        print(f"{key:28} {how.get('took', ''):>6} {how.get('date', ''):16} {how.get('commit', '')}")


def main() -> None:
    if sys.argv[1:2] == ["tables"]:  # it needs pandas and scikit-learn, and has options of its own
        from . import tables

        return tables.main(sys.argv[2:])
    arguments = _parse()
    with Pool() as pool:
        options = _options(arguments, pool)
        tasks, reason = _chosen(arguments, options), _why_incomplete(options)
        folder = arguments.out or (store.SCRATCH if reason and not arguments.draw else store.home())
        if arguments.list:
            return _listed(tasks, folder)
        if arguments.resume:
            tasks = _without_measured(tasks, folder)
        is_done = arguments.draw or _measure(tasks, options, folder, arguments.limit or float("inf"))
    if reason and not arguments.draw:
        print(f"written to {folder}, because this was a partial measurement: {reason}")
    _draw(folder, arguments)
    raise SystemExit(not is_done)


def _draw(folder: Path, arguments: argparse.Namespace) -> None:
    """Rewrite the pages: of this measurement if it is elsewhere or partial, else of all CPUs."""
    from . import overview, report  # they need matplotlib

    if folder == store.home() and folder.exists():
        report.write_simulation(store.load(folder), folder)
    if folder.parent == store.REPORT:
        print(f"wrote {overview.write()}")
        return
    text = report.write(store.load(folder), folder)
    print(text if not arguments.out else f"wrote {folder / 'README.md'}")


if __name__ == "__main__":
    main()
