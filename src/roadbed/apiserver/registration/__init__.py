"""The APIService objects: one for each group version that is served, so that clients can list them.

What lives here keeps those objects equal to what is served. It forwards nothing: an APIService that names a service
is kept as it was written and stays without a condition, for no other server stands behind this one.
"""

from .keeper import Registrations

__all__ = ["Registrations"]
