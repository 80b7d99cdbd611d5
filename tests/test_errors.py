"""The words that messages share."""

from ssd.errors import closest, nearest


def test_nearest_suggests_the_one_or_lists_all() -> None:
    assert nearest("tarin", ["train", "val"]) == "; did you mean 'train'?"
    assert nearest("DOG", ["cat", "dog"]) == "; did you mean 'dog'?"
    assert nearest("dog", ["CAT", "DOG"]) == "; did you mean 'DOG'?"
    assert nearest("xyz", ["train", "val"]) == "; choose one of: train, val"
    assert nearest("xyz", map(str, range(20))).endswith("10, 11, …")


def test_closest_is_as_strict_as_asked() -> None:
    assert closest("epoch", ["epochs", "seed"]) == "epochs"
    assert closest("epoch", ["epochs", "seed"], cutoff=0.95) is None
