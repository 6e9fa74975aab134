"""The object store over a folder, and the server that shows the folder to others."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from aligned.core.errors import InvariantError, ProtocolError
from aligned.storage.download import download
from aligned.storage.objects import ObjectStore
from aligned.storage.serve import FolderServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FolderServer]:
    (tmp_path / "store").mkdir()
    (tmp_path / "secret.txt").write_text("outside")
    with FolderServer(tmp_path / "store") as running:
        yield running


@pytest.fixture
def store(tmp_path: Path, server: FolderServer) -> ObjectStore:
    return ObjectStore.from_url(str(tmp_path / "store"), server.url)


def _status(server: FolderServer, raw_path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.putrequest("GET", raw_path, skip_host=False)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


async def test_store__put__others_download_the_same_bytes(store: ObjectStore) -> None:
    data = bytes(range(256)) * 2_000
    key = await store.put_content(data, ".cbor")
    assert key == hashlib.sha256(data).hexdigest() + ".cbor"
    assert await store.get(key, len(data)) == data
    assert await download(store.pointer(key), len(data), 10, allow_private=True) == data


@pytest.mark.parametrize("url", ["memory://", "file://{}"])
async def test_store__other_backends__behave_alike(tmp_path: Path, url: str) -> None:
    store = ObjectStore.from_url(url.format(tmp_path / "x y"), "https://example.org/b/")
    await store.put("k", b"1")
    await store.put("k", b"22")
    assert await store.get("k", 2) == b"22"
    assert store.pointer("k") == "https://example.org/b/k"


async def test_store__larger_than_allowed__is_refused(store: ObjectStore) -> None:
    await store.put("k", b"12345")
    with pytest.raises(ProtocolError, match="object_too_large"):
        await store.get("k", 4)


async def test_store__no_such_object__says_so(store: ObjectStore) -> None:
    with pytest.raises(ProtocolError, match="object_not_found"):
        await store.get("absent", 10)


@pytest.mark.parametrize(
    "key", ["", ".", "..", "../secret.txt", "a/b", "/etc/passwd", ".hidden", "a\n", "a" * 129, "ä"]
)
async def test_store__key_that_is_no_plain_name__is_refused(store: ObjectStore, key: str) -> None:
    for attempt in (store.put(key, b""), store.get(key, 1)):
        with pytest.raises(ProtocolError, match="invalid_object_key"):
            await attempt
    with pytest.raises(ProtocolError, match="invalid_object_key"):
        store.pointer(key)


async def test_store__unknown_scheme__is_refused() -> None:
    with pytest.raises(InvariantError, match="store_url"):
        ObjectStore.from_url("ftp://example.org", "http://127.0.0.1")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/..",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "//secret.txt",
        "/x/../../secret.txt",
        "/link",
        "/k?x",
        "/.k",
    ],
)
async def test_server__path_outside__is_not_found(tmp_path: Path, server: FolderServer, path: str) -> None:
    (tmp_path / "store" / "link").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "store" / ".k").write_text("hidden")
    status, body = _status(server, path)
    assert status == 404
    assert b"outside" not in body
    assert b"hidden" not in body


async def test_server__other_method__is_refused(server: FolderServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request("PUT", "/k", b"x")
    assert connection.getresponse().status == 501
    connection.close()
