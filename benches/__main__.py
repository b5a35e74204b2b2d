"""Runs benches and prints each figure's median of several runs beside its budget.

python -m benches [NAME ...] [--runs 5] [--json FILE]
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import median

import uvloop

HERE = Path(__file__).parent


def main() -> int:
    options = arguments()
    names = options.names or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    budgets = tomllib.loads((HERE / "budgets.toml").read_text())
    print(machine())
    results: dict[str, dict[str, float]] = {}
    missed = 0
    for name in names:
        figures = measured(name, options.runs)
        results |= figures
        for figure, values in figures.items():
            budget = budgets.get(figure, {})
            verdict = judge(values["median"], budget)
            missed += verdict == "MISSED"
            bounds = f"{values['min']:>10.2f} … {values['max']:<10.2f}"
            limit = " ".join(f"{sign} {limit:g}" for sign, limit in budget.items() if sign in SIGNS)
            print(f"{figure:<48}{values['median']:>12.2f}   {bounds} {limit:>12} {verdict}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), "figures": results}, indent=2))
    print(f"{missed} budgets missed" if missed else "every budget that was measured is met")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("names", nargs="*", help="which benches; all if none is named")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", help="write the figures there, too")
    return parser.parse_args()


def measured(name: str, runs: int) -> dict[str, dict[str, float]]:
    # A process of its own for each run: nothing warm, nothing left over from another bench.
    gathered: dict[str, list[float]] = {}
    for _ in range(runs):
        code = f"import json, benches.__main__ as b; print(json.dumps(b.once({name!r})))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{name}: failed\n{done.stderr[-2000:]}", file=sys.stderr)
            return {}
        for figure, value in json.loads(done.stdout.splitlines()[-1]).items():
            gathered.setdefault(figure, []).append(value)
    return {
        figure: {"median": median(values), "min": min(values), "max": max(values)}
        for figure, values in gathered.items()
    }


def once(name: str) -> dict[str, float]:
    module = importlib.import_module(f"benches.bench_{name}")
    return uvloop.run(module.measure())  # as the platform runs


SIGNS = ("<", ">")


def judge(value: float, budget: dict[str, float]) -> str:
    if not any(sign in budget for sign in SIGNS):
        return ""
    within = value < budget.get("<", float("inf")) and value >= budget.get(">", float("-inf"))
    return "ok" if within else "MISSED"


def machine() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=HERE
    ).stdout.strip()
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, commit {commit}"
    )


if __name__ == "__main__":
    sys.exit(main())
