"""What the cache of decoded images keeps, and until when."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssd.data.cache import ImageCache


def image(height: int, width: int, value: int = 7) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_an_image_comes_back_for_the_reductions_that_it_stands_for() -> None:
    cache = ImageCache(3, 10_000)
    assert cache.get(2) is None
    cache.put(2, image(5, 7), 1)
    cache.put(2, image(3, 4, 8), 2)
    cache.put(0, image(6, 2, 9), 1, 8)
    for index, reduction, expected in ((2, 1, image(5, 7)), (2, 2, image(3, 4, 8)), (0, 1, image(6, 2, 9))):
        np.testing.assert_array_equal(cache.get(index, reduction), expected)
    assert cache.get(0, 8) is not None
    assert cache.get(0, 4) is None
    assert cache.get(1) is None


def test_it_takes_no_more_than_its_bytes_and_keeps_what_it_has() -> None:
    cache = ImageCache(9, 1000)
    for index in range(9):
        cache.put(index, image(10, 10, index), 1)  # 300 bytes, and 8 for the size
    kept = [index for index in range(9) if cache.get(index) is not None]
    assert kept == [0, 1, 2]
    np.testing.assert_array_equal(cache.get(1), image(10, 10, 1))
    cache.put(8, image(2, 2, 8), 1)  # a smaller one still has room
    np.testing.assert_array_equal(cache.get(8), image(2, 2, 8))


def test_an_image_that_is_known_by_one_reduction_takes_no_second_place() -> None:
    cache = ImageCache(1, 400)
    cache.put(0, image(10, 10), 1, 2)
    cache.put(0, image(10, 10), 1, 4)
    assert cache.get(0, 4) is not None


def test_what_it_gives_cannot_be_written_to() -> None:
    cache = ImageCache(1, 400)
    cache.put(0, image(10, 10), 1)
    found = cache.get(0)
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0


def test_two_caches_of_one_block_share_their_images() -> None:
    block = np.zeros(ImageCache.size(4, 1000), np.uint8)
    one, other = (ImageCache(4, 1000, lambda size: block[:size]) for _ in range(2))
    one.put(3, image(2, 3, 5), 1)
    np.testing.assert_array_equal(other.get(3), image(2, 3, 5))
    other.put(0, image(2, 3, 6), 1)
    np.testing.assert_array_equal(one.get(3), image(2, 3, 5))


def test_threads_put_at_once() -> None:
    cache = ImageCache(500, 10**6)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: cache.put(index, image(8, 9, index % 256), 1), range(500)))
    assert all((cache.get(index) == index % 256).all() for index in range(500))  # type: ignore[union-attr]
