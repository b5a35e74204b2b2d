"""Reading ``application/vnd.kubernetes.protobuf`` request bodies into plain objects.

Called by ``asgi`` for bodies of that media type. Answers are never written in it; JSON always is accepted.
"""

from __future__ import annotations

from roadbed.apimachinery.request import Object

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"


def decode(body: bytes) -> Object:
    """Give the object in a body: what a JSON client would have sent.

    Raises:
        BadRequestError: the body is damaged, or of a kind that is not built in.
    """
    raise NotImplementedError
