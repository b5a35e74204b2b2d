"""Projections that people ask: read models built from objects and git, rebuilt at will.

A projection holds nothing that cannot be built again, never imports another one or an engine, and
only ``portal.index`` speaks SQL.
"""
