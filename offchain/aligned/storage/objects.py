"""Object store: a local folder by default, S3 and compatible ones by URL, through obstore."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store
from obstore.store import ObjectStore as Backend

from aligned.core.errors import DependencyError, InvariantError, ProtocolError

STORE_UNAVAILABLE = "store_unavailable"
OBJECT_NOT_FOUND = "object_not_found"
OBJECT_TOO_LARGE = "object_too_large"
INVALID_KEY = "invalid_object_key"

# One path segment, no leading dot: neither traversal nor a hidden file can be named.
KEY_PATTERN = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$")


def check_key(key: str) -> str:
    """`key` if it may name an object.

    Raises:
        ProtocolError: invalid_object_key.
    """
    if KEY_PATTERN.fullmatch(key) is None:
        raise ProtocolError(INVALID_KEY, f"got {key[:64]!r}")
    return key


def content_key(data: bytes, suffix: str = "") -> str:
    """Content-addressed key: SHA-256 in hex, then `suffix`."""
    return check_key(hashlib.sha256(data).hexdigest() + suffix)


class ObjectStore:
    """Blobs by key, and the URL under which others can download them.

    Args:
        backend: an obstore store.
        public_base_url: what `pointer` puts before the key.
        folder: where a local store keeps its objects.
    """

    def __init__(self, backend: Backend, public_base_url: str, folder: Path | None = None) -> None:
        self._backend = backend
        self._base = public_base_url.rstrip("/")
        self._folder = folder

    @classmethod
    def from_url(cls, url: str, public_base_url: str) -> ObjectStore:
        """Opens `file:///folder` (made if absent), a plain path, `memory://`, or `s3://bucket/prefix`.

        Credentials and endpoint of S3 come from the environment (AWS_*), never from the URL.

        Raises:
            InvariantError: unsupported scheme.
        """
        parts = urlsplit(url)
        if parts.scheme in ("", "file"):
            folder = Path(unquote(parts.path) if parts.scheme else url)
            folder.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(folder), public_base_url, folder)
        if parts.scheme == "memory":
            return cls(MemoryStore(), public_base_url)
        if parts.scheme == "s3":
            return cls(S3Store.from_url(url), public_base_url)
        raise InvariantError("store_url", f"scheme {parts.scheme!r} is not file, memory or s3")

    def pointer(self, key: str) -> str:
        """URL of `key` for others."""
        return f"{self._base}/{check_key(key)}"

    async def put(self, key: str, data: bytes) -> None:
        """Stores `data`, replacing what was there.

        Raises:
            DependencyError: store_unavailable.
        """
        try:
            await obstore.put_async(self._backend, check_key(key), data)
        except (BaseError, OSError) as error:
            raise DependencyError(STORE_UNAVAILABLE, f"put {key}: {error}") from error

    async def put_file(self, key: str, path: Path) -> None:
        """Stores the content of a file, which the caller no longer changes: a local store may only link to it.

        Raises:
            DependencyError: store_unavailable.
        """
        try:
            if self._folder is None or not _link(path, self._folder / check_key(key)):
                await obstore.put_async(self._backend, check_key(key), path)
        except (BaseError, OSError) as error:
            raise DependencyError(STORE_UNAVAILABLE, f"put {key}: {error}") from error

    async def delete(self, key: str) -> None:
        """Removes an object; no error when there is none.

        Raises:
            DependencyError: store_unavailable.
        """
        try:
            await obstore.delete_async(self._backend, check_key(key))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise DependencyError(STORE_UNAVAILABLE, f"delete {key}: {error}") from error

    async def put_content(self, data: bytes, suffix: str = "") -> str:
        """Stores `data` under its own hash and returns that key."""
        key = content_key(data, suffix)
        await self.put(key, data)
        return key

    async def get(self, key: str, max_bytes: int) -> bytes:
        """The blob.

        Raises:
            ProtocolError: object_not_found, object_too_large, invalid_object_key.
            DependencyError: store_unavailable.
        """
        try:
            result = await obstore.get_async(self._backend, check_key(key))
            if result.meta["size"] > max_bytes:
                raise ProtocolError(
                    OBJECT_TOO_LARGE, f"{key} has {result.meta['size']} bytes, limit {max_bytes}"
                )
            return bytes(await result.bytes_async())
        except FileNotFoundError as error:
            raise ProtocolError(OBJECT_NOT_FOUND, key) from error
        except (BaseError, OSError) as error:
            raise DependencyError(STORE_UNAVAILABLE, f"get {key}: {error}") from error


def _link(path: Path, target: Path) -> bool:
    """Whether `target` is now another name of the file; False across file systems, or where it exists."""
    try:
        target.hardlink_to(path)
    except OSError:
        return False
    return True
