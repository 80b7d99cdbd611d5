"""The checksum of TFRecords, CRC-32C (RFC 3720, B.4), at about 100 MB a second without a library of its own.

A byte at a time in Python would take longer than everything else that is done with a record. The checksum is linear:
that of a long text follows from those of its parts, and NumPy goes through a thousand parts at once.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # reflected
_ALL = 0xFFFFFFFF
_PARTS = 1024
_SHORT = 4 * _PARTS  # bytes, below which fewer parts are enough
_FEW = 16


def masked(data: bytes) -> int:
    """The checksum as TFRecords have it: turned and moved, since a record may hold checksums itself."""
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & _ALL


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes."""
    parts = _FEW if len(data) < _SHORT else _PARTS
    length = max(-(-len(data) // parts), 4)
    padded = np.zeros(parts * length, np.uint8)  # zeros before it change nothing, as the state begins with 0
    content = padded[len(padded) - len(data) :]
    content[:] = np.frombuffer(data, np.uint8)
    first = min(len(data), 4)
    content[:first] ^= 0xFF  # which is the same as to begin with all bits set
    table, states = _table(), np.zeros(parts, np.uint32)
    for column in np.ascontiguousarray(padded.reshape(parts, length).T):
        states = table[(states ^ column) & 0xFF] ^ (states >> 8)
    shift = _zeros(length)
    while len(states) > 1:
        states = _moved(states[0::2], shift) ^ states[1::2]
        shift = _product(shift, shift)
    missing = _ALL >> 8 * first if first < 4 else 0
    return (int(states[0]) ^ missing) ^ _ALL


@cache
def _table() -> NDArray[np.uint32]:
    """(256,) what a byte makes of the state 0."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(_POLYNOMIAL), values >> 1)
    return values


@cache
def _zeros(length: int) -> NDArray[np.uint8]:
    """(32, 32) what so many bytes of 0 make of a state, as a matrix of bits: row i is what becomes of bit i."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    one = _bits(_table()[bits & 0xFF] ^ (bits >> 8))
    result, power = np.eye(32, dtype=np.uint8), one
    while length:
        result = _product(result, power) if length & 1 else result
        power, length = _product(power, power), length >> 1
    return result


def _bits(states: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(N,) → (N, 32)."""
    return (states[:, None] >> np.arange(32, dtype=np.uint32) & 1).astype(np.uint8)


def _product(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.bitwise_and((one.astype(np.float32) @ other.astype(np.float32)).astype(np.uint8), np.uint8(1))


def _moved(states: NDArray[np.uint32], shift: NDArray[np.uint8]) -> NDArray[np.uint32]:
    bits = _product(_bits(states), shift).astype(np.uint32)
    return (bits << np.arange(32, dtype=np.uint32)).sum(axis=1, dtype=np.uint32)
