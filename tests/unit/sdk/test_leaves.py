"""Leaves from sources that lie: each is passed over and named, and the next one is asked."""

from __future__ import annotations

from typing import Any

import pytest

from aligned.core.blob import BLOB_BYTES
from aligned.core.errors import DependencyError
from aligned.sdk.beacon import BeaconNode
from aligned.sdk.gateway_http import GatewayHttp
from aligned.sdk.leaves import ArchiveSource, BeaconSource, LeafSource, find_leaves
from tests.unit.sdk.aggregations import BLOBS, COMMITMENTS, GENESIS_S, SLOT_S, TREE, root_on_chain, serving

OTHER_BLOB = bytes(31) + b"\x01" + BLOBS[0][32:]
NO_BLOB = b"\xff" * BLOB_BYTES
ARCHIVED = b"".join(COMMITMENTS)
BEACON_PATH, ARCHIVE_PATH = "/eth/v1/beacon/blobs/5", f"/v1/aggregations/0x{TREE.root.hex()}/leaves"


def beacon(*blobs: bytes, **answers: Any) -> BeaconSource:
    given = {
        "/eth/v1/beacon/genesis": {"data": {"genesis_time": str(GENESIS_S)}},
        "/eth/v1/config/spec": {"data": {"SECONDS_PER_SLOT": str(SLOT_S)}},
        BEACON_PATH: {"data": ["0x" + blob.hex() for blob in blobs]},
    }
    return BeaconSource(BeaconNode("http://beacon", serving(given | answers)))


def archive(body: bytes) -> ArchiveSource:
    return ArchiveSource(GatewayHttp("http://archive", serving({ARCHIVE_PATH: body})), "http://archive")


async def test_find_leaves__beacon_node_with_more_blobs_in_any_order__takes_the_right_ones() -> None:
    leaves = await find_leaves(root_on_chain(), [beacon(OTHER_BLOB, BLOBS[0])])
    assert leaves.commitments == tuple(COMMITMENTS)
    assert (leaves.source, leaves.refused) == ("beacon http://beacon", ())
    assert leaves.tree.path(3) == TREE.path(3)


LIARS: dict[str, tuple[LeafSource, str]] = {
    "another blob": (beacon(OTHER_BLOB), "wrong_leaves"),
    "no blobs": (beacon(), "wrong_leaves"),
    "bytes that are no blob": (beacon(NO_BLOB), "invalid_sidecar"),
    "half a blob": (beacon(BLOBS[0][:-32]), "malformed_message"),
    "a blob and a half": (beacon(BLOBS[0] + BLOBS[0]), "malformed_message"),
    "a text": (beacon(**{BEACON_PATH: b"[" * 200_000}), "beacon_unavailable"),
    "no data": (beacon(**{BEACON_PATH: {}}), "beacon_unavailable"),
    "data of another shape": (beacon(**{BEACON_PATH: {"data": {"x": 1}}}), "malformed_message"),
    "endless answer": (beacon(**{BEACON_PATH: b"x" * (9 << 20)}), "malformed_message"),
    "genesis in the future": (
        beacon(BLOBS[0], **{"/eth/v1/beacon/genesis": {"data": {"genesis_time": "99999999999"}}}),
        "malformed_message",
    ),
    "slots of no length": (
        beacon(BLOBS[0], **{"/eth/v1/config/spec": {"data": {"SECONDS_PER_SLOT": "0"}}}),
        "malformed_message",
    ),
    "archive: one leaf less": (archive(ARCHIVED[32:]), "wrong_leaves"),
    "archive: other order": (archive(b"".join(reversed(COMMITMENTS))), "wrong_leaves"),
    "archive: a leaf changed": (archive(b"\x01" + ARCHIVED[1:]), "wrong_leaves"),
    "archive: endless": (archive(b"x" * (1 << 20)), "malformed_message"),
}


@pytest.mark.parametrize("name", LIARS)
async def test_find_leaves__lying_source__named_and_the_next_one_asked(name: str) -> None:
    liar, code = LIARS[name]
    leaves = await find_leaves(root_on_chain(), [liar, archive(ARCHIVED)])
    assert leaves.commitments == tuple(COMMITMENTS)
    assert leaves.source == "archive http://archive"
    assert [(each.source, each.code) for each in leaves.refused] == [(liar.name, code)]


async def test_find_leaves__archive_that_fits_the_root_and_not_the_blob__refused() -> None:
    """The root alone is not enough: what counts is what the transaction's blobs hold."""
    chain = root_on_chain()
    other = type(chain)(
        **{name: getattr(chain, name) for name in chain.__slots__} | {"versioned_hashes": (b"\x01" * 32,)}
    )
    with pytest.raises(DependencyError, match="not what the blobs on chain hold"):
        await find_leaves(other, [archive(ARCHIVED)])


async def test_find_leaves__only_liars_or_nobody__leaves_unavailable_with_every_reason() -> None:
    with pytest.raises(DependencyError, match=r"leaves_unavailable.*beacon.*archive"):
        await find_leaves(root_on_chain(), [beacon(), archive(b"")])
    with pytest.raises(DependencyError, match="no source"):
        await find_leaves(root_on_chain(), [])
