"""Text files as people's editors leave them."""

from __future__ import annotations

from typing import Final

from aligned.core.errors import NOT_UTF8, ProtocolError

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


def decode_text(content: bytes, name: str) -> str:
    """The text of a file in UTF-8, without the byte order mark that some editors put in front.

    Args:
        name: the file, for the message.

    Raises:
        ProtocolError: not_utf8.
    """
    for mark, encoding in _OTHER_MARKS:
        if content.startswith(mark):
            text = f"{name}: the file is {encoding} (it begins with {mark.hex(' ')}), expected UTF-8; save it as UTF-8"
            raise ProtocolError(NOT_UTF8, text)
    try:
        return content.removeprefix(_UTF8_MARK).decode()
    except UnicodeDecodeError as error:
        text = (
            f"{name}: byte {error.start} ({content[error.start]:#04x}) is not UTF-8; save the file as UTF-8"
        )
        raise ProtocolError(NOT_UTF8, text) from error
