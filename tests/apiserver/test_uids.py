"""Uids as RFC 9562 wants them."""

import itertools
import uuid

from roadbed.apiserver.uids import BATCH, uids


def test_each_is_a_random_uuid_of_its_own_over_several_batches():
    drawn = list(itertools.islice(uids(), 3 * BATCH))
    assert len(set(drawn)) == len(drawn)
    for text in drawn:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, text)
    assert {text[19] for text in drawn} == set("89ab")
