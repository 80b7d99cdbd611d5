"""Images by HTTP, within bounds of bytes and time."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import requests

from ssd.errors import UserError, first_line

MAX_BYTES = 100_000_000  # of one image
SILENCE = 10.0  # seconds that a server may take to answer, or to go on
SECONDS = 60.0  # for all of one image
_CHUNK = 1 << 16


def download(address: str) -> bytes:
    """What is at an HTTP address.

    Raises:
        UserError: there is no answer in time, none with a file, or one that is too large.
    """
    with answer(address) as response:
        return _content(address, response)


def content_type(address: str) -> str:
    """What a server says that it has at an address, such as image/jpeg; empty where it does not.

    Raises:
        UserError: as of `download`.
    """
    with answer(address) as response:
        return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


@contextmanager
def answer(address: str) -> Iterator[requests.Response]:
    """The beginning of a server's answer; its content is read within the block.

    Raises:
        UserError: there is none in time, or it tells of an error.
    """
    try:
        with requests.get(address, stream=True, timeout=SILENCE) as response:
            if response.status_code != requests.codes.ok:
                said = f"{response.status_code} {response.reason or ''}".strip()
                raise UserError(f"{address} gives no image (the server says {said}): check the address.")
            yield response
    except requests.Timeout as error:
        raise UserError(f"{address} does not answer within {SILENCE:g} s: try again, or download it.") from error
    except requests.ConnectionError as error:  # what it says is for programmers
        raise UserError(f"{address} cannot be reached: check the address and the connection.") from error
    except (requests.RequestException, ValueError) as error:
        raise UserError(f"{address} cannot be downloaded ({first_line(error)}): check the address.") from error


def _content(address: str, response: requests.Response) -> bytes:
    """All of it; looked at after each piece, as a server need not say its length, nor the truth."""
    end, content = monotonic() + SECONDS, bytearray()
    try:
        while piece := response.raw.read1(_CHUNK, decode_content=True):
            content += piece
            if len(content) > MAX_BYTES:
                raise UserError(f"{address} has more than {MAX_BYTES} bytes: download it, and give the file.")
            if monotonic() > end:
                raise UserError(f"{address} takes more than {SECONDS:g} s: download it, and give the file.")
    except UserError:
        raise
    except Exception as error:  # urllib3's own, as requests' are made where it reads itself
        raise UserError(f"{address} ends early ({type(error).__name__}): try again, or download it.") from error
    return bytes(content)
