"""The function of a task, which may be one of the user's own."""

import gc
import inspect
from importlib import import_module
from pathlib import Path

from omegaconf import DictConfig

from ssd.console import waiting
from ssd.errors import UserError, kind_of, reason
from ssd.sweep.launch.resume import Task


def import_task(target: str) -> Task:
    """The function that `task._target_` names; what it gives is checked to be a number.

    Raises:
        UserError: it cannot be imported, or not be called with a configuration and a folder.
    """
    module, _, name = target.rpartition(".")
    gc.disable()  # what modules hold stays; looking through it again and again takes a sixth of the time
    try:
        with waiting("importing TensorFlow"):  # by most tasks, and nothing else takes its time
            task = getattr(import_module(module), name)
    except Exception as error:  # a module of the user's own may raise anything
        if target.startswith("ssd.") and not isinstance(error, ImportError | AttributeError | ValueError):
            raise
        raise UserError(f"task._target_={target} cannot be imported ({reason(error)}); correct it") from error
    finally:
        gc.enable()
    if not callable(task):
        raise UserError(f"task._target_={target} is {kind_of(task)} and no function; name one that takes (cfg, folder)")
    try:
        inspect.signature(task).bind(None, None)
    except TypeError as error:
        raise UserError(
            f"task._target_={target} cannot be called with the configuration and the folder ({error}); give it the "
            "arguments (cfg, folder)"
        ) from error
    except ValueError:  # written in C, and not telling its arguments
        pass

    def run(cfg: DictConfig, folder: Path) -> float:
        result = task(cfg, folder)
        if isinstance(result, bool) or not isinstance(result, int | float):
            raise UserError(
                f"task._target_={target} gave {kind_of(result)}; it must return a number, what a sweep compares"
            )
        return result

    return run
