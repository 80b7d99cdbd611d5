"""Work that goes on beside other work."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], items: Iterable[T], threads: int, depth: int) -> Iterator[R]:
    """What `function` makes of each item, in order, worked at in threads while the caller uses what came before.

    Args:
        function: called once for each item; with one thread one call after the other.
        items: taken one by one, in the caller's thread; may be without an end.
        threads: that work.
        depth: items at most that are begun and not yet given to the caller, at least 1.

    Raises:
        BaseException: whatever `items` or `function` raises, in the caller's thread, once no call is running; an
            `Exception` in its turn, behind the results of what came before.
    """
    begun: deque[Future[R]] = deque()
    failure: Exception | None = None
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            left = iter(items)
            while failure is None:
                try:
                    item = next(left)
                except StopIteration:
                    break
                except Exception as error:
                    failure = error
                else:
                    begun.append(pool.submit(function, item))
                    if len(begun) >= depth:
                        yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
            if failure is not None:
                raise failure
        finally:
            for future in begun:
                future.cancel()
