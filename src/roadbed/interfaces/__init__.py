"""How people, programs and agents reach the platform: pages, commands, protocols; no business rules.

Interfaces see the ``Client`` and the portal's query classes, never an engine, a controller or each other.
"""
