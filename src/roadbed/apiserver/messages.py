"""The classes of the protobuf messages that we read and write, made from the generated descriptors.

Used by ``protobuf`` (request bodies) and ``swagger`` (the OpenAPI v2 document). The descriptors are loaded at
the first use and shared; nothing else here has a life.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apis.kubernetes import load


@cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool  # on first use: 20 ms of every start

    pool = descriptor_pool.DescriptorPool()
    files = {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(load().descriptors).file}

    def add(name: str) -> None:
        file = files.pop(name, None)
        if file is not None:
            for needed in file.dependency:
                add(needed)
            pool.Add(file)

    for name in list(files):
        add(name)
    return pool


@cache
def message_class(name: str) -> Any:
    """Give the class of a message by its full name.

    Raises:
        BadRequestError: there is no such message.
    """
    from google.protobuf import message_factory

    try:
        return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))
    except KeyError as error:
        raise BadRequestError(f"kind {name.rpartition('.')[2]!r} has no protobuf form; send JSON") from error
