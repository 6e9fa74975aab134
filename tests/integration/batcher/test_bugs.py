"""A bug met on the way of one proof or batch: the batcher goes on, and says that it is not well."""

from __future__ import annotations

import pytest

from aligned.batcher.model import Account
from aligned.storage.objects import ObjectStore
from tests.integration.batcher.clients import HelloClient, User
from tests.integration.batcher.conftest import Running, eventually
from tests.integration.batcher.helpers import submit


async def test_upload__breaks_once__not_ready_then_posted(
    batcher: Running, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, broken = ObjectStore.put, [True]

    async def breaks(store: ObjectStore, key: str, data: bytes) -> None:
        if broken:
            raise RuntimeError("a bug")
        await put(store, key, data)

    async def is_ready() -> bool:
        return (await batcher.get("/readyz")).status_code == 200

    async def is_not_ready() -> bool:
        return not await is_ready()

    monkeypatch.setattr(ObjectStore, "put", breaks)
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        await eventually(is_not_ready)
        broken.clear()
        await client.next("BatchInclusionData")
        await eventually(is_ready)


async def test_build__one_senders_account_breaks__the_others_proofs_are_posted(
    batcher: Running, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = User(0xB0B)
    batcher.chain.fund(odd.address)
    account, is_odd = batcher.chain.account, [False]

    async def breaks(address: bytes) -> Account:
        if is_odd[0] and address == odd.address:
            raise ValueError("a bug")
        return await account(address)

    monkeypatch.setattr(batcher.chain, "account", breaks)
    batcher.chain.mines_itself = False
    async with HelloClient(batcher.url) as client:
        await submit(client, odd, 0)
        await submit(client, user, 0)
        is_odd[0] = True
        batcher.chain.mines_itself = True
        await client.next("BatchInclusionData")
    assert [sent.task.submitters for sent in batcher.chain.sent] == [(user.address,)]
