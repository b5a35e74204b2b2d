"""Forms made from JSON schemas: a schema and a value become fields, fields sent back become a value.

Everything here is a pure function of JSON; HTML, requests and the API server are not its business.
"""

from .model import Alternative, Field, build
from .placing import in_words, place
from .reading import initial, inputs_of, read

__all__ = ["Alternative", "Field", "build", "in_words", "initial", "inputs_of", "place", "read"]
