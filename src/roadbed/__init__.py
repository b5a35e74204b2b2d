"""Roadbed: an internal developer platform that starts with one command.

Every desired state is a Kubernetes object; see ARCHITECTURE.md for the rooms of this package.
"""

__version__ = "0.1.0"
