"""Control loops that change the world: each engine reconciles its kinds through a ``Client`` and nothing else.

Engines never import one another; they meet through objects. Only an engine's ``plugin`` is for others.
"""
