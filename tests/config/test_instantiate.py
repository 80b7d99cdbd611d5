"""A user's own parts: built from YAML, their mistakes said in a sentence."""

import albumentations as alb
import keras
import pytest
from omegaconf import OmegaConf

from ssd.config.instantiate import instantiate
from ssd.errors import UserError


def test_the_programs_arguments_win_over_the_yaml():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    node = OmegaConf.create({"_target_": "keras.optimizers.Lion", "learning_rate": 0.5, "beta_1": 0.8})
    optimizer = instantiate(node, "optimizer", learning_rate=schedule)
    assert isinstance(optimizer, keras.optimizers.Lion)
    assert optimizer.beta_1 == 0.8
    assert float(optimizer.learning_rate) == pytest.approx(0.1)


def test_any_albumentations_transform():
    node = OmegaConf.create({"_target_": "albumentations.GaussianBlur", "blur_limit": [3, 7], "p": 0.3})
    assert isinstance(instantiate(node, "augmentation.transforms[0]"), alb.GaussianBlur)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "keras.optimizers.Lyon"}, r"optimizer: keras.optimizers.Lyon cannot be made"),
        ({"_target_": "nowhere.at.All"}, r"optimizer: nowhere.at.All cannot be made"),
        ({"_target_": "keras.optimizers.SGD", "momentun": 0.9}, r"keras.optimizers.SGD cannot be made \(.*momentun"),
        ({"_target_": "albumentations.HorizontalFlip", "chance": 0.5}, r"HorizontalFlip cannot be made .*chance"),
        ({"_target_": "albumentations.GaussianBlur", "p": 7}, r"GaussianBlur cannot be made"),
    ],
)
def test_mistakes_name_the_key_and_the_target(node, message):
    with pytest.raises(UserError, match=message):
        instantiate(OmegaConf.create(node), "optimizer")


def test_a_users_mistake_inside_the_target_passes_unchanged():
    given = {"path": "nowhere", "train": "a", "val": "b", "class_names": None, "val_fraction": 0.2, "seed": 0}
    node = {"_target_": "ssd.data.readers.voc_folder.voc_folder", "name": "x", **given}
    with pytest.raises(UserError) as raised:
        instantiate(OmegaConf.create(node), "dataset")
    assert "cannot be made" not in str(raised.value)
    assert "nowhere" in str(raised.value)


def refused(file: str) -> None:
    """A user's mistake that another error has told of."""
    try:
        raise OSError("no connection")
    except OSError as error:
        raise UserError(f"{file} could not be downloaded; give a file") from error


def test_a_users_mistake_that_has_a_cause_passes_too():
    node = {"_target_": f"{refused.__module__}.refused", "file": "imagenet"}
    with pytest.raises(UserError, match=r"^imagenet could not be downloaded; give a file$"):
        instantiate(OmegaConf.create(node), "backbone")
