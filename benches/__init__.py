"""Measurements, never tests: each ``bench_*.py`` has ``async def measure() -> dict[str, float]``.

``python -m benches`` runs them, five times each, and prints medians beside ``budgets.toml``.
"""
