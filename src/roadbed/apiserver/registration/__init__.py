"""The APIService objects: one for each group version that is served, so that clients can list them.

What lives here keeps those objects equal to what is served. An APIService that names a service is another server's:
it is ``aggregation``'s, and left alone here.
"""

from .keeper import Registrations

__all__ = ["Registrations"]
