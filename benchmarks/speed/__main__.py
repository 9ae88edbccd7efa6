"""Race parsimo against the libraries a user would take instead; print medians and ratios of one run.

    python -m benchmarks.speed [--case lasso ...] [--seed 0 ...] [--repeats 5] [--out docs/results]

`make peers` makes the environment, `make bench` runs all cases. Every contestant runs in a process of its own, from 0,
its code compiled before the clock starts. Its tolerance is tightened until parsimo's certificate of the point it
returns, from the problem alone, is at most 1e-6 of |grad f(0)|; the run at that tolerance is the one that is timed, in
turn with those of the others. A race that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import os
from pathlib import Path

from benchmarks.speed import tables
from benchmarks.speed.cases import CASES
from benchmarks.speed.contestants import field_of
from benchmarks.speed.race import THREADS, Race, start_worker


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--case", nargs="+", choices=CASES, default=list(CASES), help="by default all")
    arguments.add_argument("--seed", type=int, nargs="+", default=[0], help="instances")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--only", nargs="+", help="contestants whose name begins so; kept in a file of their own")
    arguments.add_argument("--threads", type=int, default=2, help="of every library")
    arguments.add_argument("--limit", type=float, default=300.0, help="seconds after which a solve is given up")
    arguments.add_argument("--out", type=Path, default=Path("docs/results"), help="folder for records and tables")
    arguments.add_argument("--show", action="store_true", help="race nothing, print what is recorded")
    arguments.add_argument("--again", action="store_true", help="forget what was measured before")
    options = arguments.parse_args()

    set_threads(options.threads)
    times, goals, measured = [], [], []
    for name, seed in itertools.product(options.case, options.seed):
        path = options.out / "speed" / f"{name}-{seed}{'-only' if options.only else ''}.json"
        if options.show and not path.exists():
            continue
        case = CASES[name](seed)
        if not options.show:
            if options.again:
                path.unlink(missing_ok=True)
            names = [n for n in field_of(case) if not options.only or n.startswith(tuple(options.only))]
            start = start_worker(name, seed, options.limit)
            Race(case, seed, names, path, options.limit, start).run(options.repeats)
        settings, found = tables.read(path)
        measured.append({key: value for key, value in settings.items() if key not in ("case", "seed")})
        times += tables.rows(case, seed, found)
        goals += tables.goal_lines(case, seed, found)
    for settings in dict.fromkeys(map(str, measured)):
        print(f"\n{settings}")
    print("", tables.goals(goals), tables.table(times), sep="\n\n")


def set_threads(threads: int) -> None:
    """For the processes to come: each library reads its own variable."""
    for name in THREADS:
        os.environ[name] = str(threads)
    os.environ["XLA_FLAGS"] = "" if threads > 1 else "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


if __name__ == "__main__":
    main()
