"""Hydra's `instantiate` with a sentence for the user where a `_target_` or its arguments are wrong."""

import warnings
from typing import Any

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from ssd.errors import UserError, first_line


def instantiate(node: DictConfig, key: str, **arguments: Any) -> Any:
    """Builds what `node._target_` names, with the node's own values and `arguments` (which win).

    Args:
        node: with a `_target_`.
        key: the node's place in the configuration, for the message.
        arguments: given by the program.

    Raises:
        UserError: the target does not exist or does not take an argument; UserErrors of the target itself pass.
    """
    try:
        with warnings.catch_warnings():
            # albumentations only warns of an argument it does not know, and goes on without it
            warnings.filterwarnings("error", message=r"Argument\(s\) .* not valid for transform")
            return _build(node, arguments)
    except InstantiationException as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, TypeError | ValueError | ImportError | AttributeError | UserWarning | None):
            reason = first_line(cause if cause is not None else error)
            raise UserError(f"{key}: {node['_target_']} cannot be made ({reason}); correct it in the YAML") from error
        raise


def _build(node: DictConfig, arguments: dict[str, Any]) -> Any:
    # plain, because a typed node would refuse an object in the place of a number
    return hydra.utils.instantiate(OmegaConf.to_container(node, resolve=True), _convert_="all", **arguments)
