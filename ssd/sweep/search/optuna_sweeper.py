"""Searching with Optuna: `- override /hydra/sweeper: optuna` in a sweep file, or `hydra/sweeper=optuna`.

A sweeper of our own, because hydra-optuna-sweeper needs optuna below 3, whose SQLite storage does not work any more.
optuna is imported where a search runs, not at every start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ssd.runs.files import write_text
from ssd.sweep.search.space import Space, read_space
from ssd.sweep.search.study import (
    ask,
    batches,
    distribution,
    jobs_of,
    open_study,
    storage_at,
    storage_of,
    tell,
    typed,
    unfinished,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import BaseTrial

TARGET = f"{__name__}.OptunaSweeper"
TPE = {"_target_": "optuna.samplers.TPESampler", "seed": 0}


@dataclass
class MedianPrunerConfig:
    """hydra/sweeper/pruner=median: ends a trial whose best validation so far is below the others' median."""

    _target_: str = "optuna.pruners.MedianPruner"
    n_startup_trials: int = 5  # that finish before any is ended
    n_warmup_steps: int = 0  # epochs in which none is ended


@dataclass
class OptunaConfig:
    """hydra/sweeper=optuna. It looks for the highest value that a job returns: its best training.best_by."""

    defaults: list[Any] = field(default_factory=lambda: ["_self_", {"pruner": None}])
    _target_: str = TARGET
    _recursive_: bool = False
    n_trials: int = 20  # in all, with those of before a resume
    n_jobs: int = 1  # given to the launcher together; it must be one that runs them side by side to gain from it
    sampler: Any = field(default_factory=lambda: dict(TPE))  # any of optuna's, by `_target_`
    pruner: Any = None  # median, or any of optuna's by `_target_`
    storage: str | None = None  # null: sqlite:///SWEEP_FOLDER/study.db
    study_name: str = "search"  # one for each search in a storage
    params: dict[str, Any] = field(default_factory=dict)  # key → its range


_is_plugin_of_hydra = Plugins.is_in_toplevel_plugins_module


def _is_plugin(name: str) -> bool:
    return name.startswith("ssd.sweep.") or _is_plugin_of_hydra(name)


def register() -> None:
    """Makes the sweeper and its pruner known to Hydra; may be called again."""
    # Hydra makes a registered plugin only if it lies in a top-level package `hydra_plugins`; ours are in ssd.sweep.
    Plugins.is_in_toplevel_plugins_module = staticmethod(_is_plugin)  # type: ignore[assignment, method-assign]
    Plugins.instance().register(OptunaSweeper)
    ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaConfig)
    ConfigStore.instance().store(group="hydra/sweeper/pruner", name="median", node=MedianPrunerConfig)


class OptunaSweeper(Sweeper):
    """Asks a study for parameters, runs jobs with them and tells it what came of them.

    A trial is a job's for good: the study knows the job's number, and a continued sweep runs the trials again that were
    stopped or failed, as the same jobs with the same parameters. Every trial is drawn with a seed of its own, so that
    the same seed gives the same trials, continued or not.
    """

    def __init__(self, **settings: Any) -> None:
        """Takes the fields of OptunaConfig, and reads them where Hydra's whole configuration is."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's first call."""
        self._config = config
        self._parser = OverridesParser.create(config_loader=hydra_context.config_loader)
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Runs the search, or what is left of it.

        Raises:
            UserError: the storage has such a study already.
        """
        hydra = self._config.hydra
        write_text(Path(hydra.sweep.dir) / "multirun.yaml", OmegaConf.to_yaml(self._config))
        space = read_space(hydra.sweeper.params, arguments, self._parser)
        ranges = {key: distribution(key, override) for key, override in space.varying.items()}
        study = open_study(hydra, create=True)
        with storage_at(storage_of(hydra)):
            for batch in batches(unfinished(study, ranges), hydra.sweeper.n_jobs):
                self._run(study, space, batch)
            while (first := len(jobs_of(study))) < hydra.sweeper.n_trials:
                numbers = range(first, min(first + hydra.sweeper.n_jobs, hydra.sweeper.n_trials))
                self._run(study, space, {job: ask(study, job, ranges, hydra.sweeper.sampler) for job in numbers})

    def _run(self, study: "Study", space: Space, batch: "Mapping[int, BaseTrial]") -> None:
        """Jobs with consecutive numbers, from the lowest on."""
        overrides = [
            [*space.shared, *(f"{key}={typed(trial.params[key])}" for key in space.varying)] for trial in batch.values()
        ]
        returns = self._launcher.launch(overrides, initial_job_idx=next(iter(batch)))
        for trial, done in zip(batch.values(), returns, strict=True):
            tell(study, trial.number, done)
