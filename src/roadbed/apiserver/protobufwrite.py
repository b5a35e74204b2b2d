"""Answers as ``application/vnd.kubernetes.protobuf``."""

from roadbed.apimachinery.errors import NotAcceptableError


def encode(body: bytes) -> bytes:
    """Give an encoded JSON object as protobuf."""
    raise NotAcceptableError(f"no protobuf form for these {len(body)} bytes")
