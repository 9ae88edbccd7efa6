"""Pruning and quantization of LeNet-300-100 on MNIST: the figures of docs/benchmarks.md.

    python benchmarks/networks.py --data-dir FOLDER [--seeds 0 1 2] [--out runs]

Each finished run is a folder with its report.json; a run that is there already is not repeated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

RUNS = {
    "prune 97.43 %": ["prune", "--target-sparsity", "0.9743"],
    "quantize k = 8": ["quantize", "--clusters", "8"],
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data-dir", required=True)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--out", type=Path, default=Path("runs"))
    options = arguments.parse_args()
    print("| run | seed | dense error % | error % | nonzeros | values a layer | bytes | certificate | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, command in RUNS.items():
        for seed in options.seeds:
            folder = options.out / f"{command[0]}-{seed}"
            if not (folder / "report.json").exists():
                shared = ["--network", "lenet300", "--data", "mnist", "--data-dir", options.data_dir]
                where = ["--seed", str(seed), "--out", str(folder)]
                run = [sys.executable, "-m", "parsimo", *command, *shared, *where]
                subprocess.run(run, check=True, stdout=sys.stderr)
            r = json.loads((folder / "report.json").read_text())
            print(
                f"| {name} | {seed} | {r['dense_test_error']:.2f} | {r['test_error']:.2f} | {r['nonzeros']:,} | "
                f"{r['distinct_values']} | {r['bytes']:,} | {r['certificate']:.1e} | {r['seconds']:.0f} |"
            )


if __name__ == "__main__":
    main()
