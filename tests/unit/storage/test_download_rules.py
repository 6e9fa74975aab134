"""Which URLs and addresses a download may use."""

from __future__ import annotations

import ipaddress

import pytest

from aligned.core.errors import AlignedError, ProtocolError
from aligned.storage.download import download, is_public

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "192.0.2.1", "198.18.0.1", "192.0.0.8", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
    "64:ff9b:1::1", "3fff::1", "100::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "172.32.0.1",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "2002:808:808::",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_is_public__special_address__is_not(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_is_public__ordinary_address__is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["", "file:///etc/passwd", "gopher://x/", "//host/x", "http://", "http:///x", "ftp://h/", "not a url", "http://u:p@h/",
     "data:,x", "http://h:99999/", "http://[::1", "http://a/" + "x" * 3_000],
)  # fmt: skip
async def test_download__url_not_http__is_refused(url: str) -> None:
    with pytest.raises(ProtocolError, match="invalid_url"):
        await download(url, 10, 5)


@pytest.mark.parametrize(
    "url",
    ["http://xn--a/", "http://xn--/", "http://xn--0.com/x", "https://a.xn--\u00fc/", "http://\u0660.\u200b/", "http://a\udc80/",
     "http://[v1.x]/", "http://" + "a" * 64 + ".com\u00e9/"],
)  # fmt: skip
async def test_download__host_or_port_that_does_not_decode__is_an_error_of_ours(url: str) -> None:
    with pytest.raises(AlignedError):
        await download(url, 10, 2)


async def test_download__malformed_punycode__is_refused() -> None:
    with pytest.raises(ProtocolError, match="invalid_url"):
        await download("http://xn--a/", 10, 5)


async def test_download__six_urls__is_refused() -> None:
    with pytest.raises(ProtocolError, match="too_many_urls"):
        await download(",".join(["http://h/"] * 6), 10, 5)
