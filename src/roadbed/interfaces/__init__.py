"""How people, programs and agents reach the platform: no business rules, only a ``Client`` and portal faces."""
