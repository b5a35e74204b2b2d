"""How properties are run everywhere: bounded by examples, never by a clock that other work slows down."""

from hypothesis import HealthCheck, settings

settings.register_profile("roadbed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("roadbed")
