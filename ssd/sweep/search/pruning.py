"""Giving up on a hopeless trial of an Optuna search, from within its training."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from ssd.runs.files import write_text
from ssd.runs.folder import PRUNED_FILE
from ssd.sweep.search.optuna_sweeper import TARGET
from ssd.sweep.search.study import JOB, open_study, storage_at, storage_of

if TYPE_CHECKING:
    import optuna


def pruning_of_this_job(folder: Path, best_by: str) -> "Pruning | None":
    """The pruning, by a column of results.csv, of the job that runs in `folder`; None where no search prunes it.

    The trial is found through the study's storage and the job's number, in whatever process a launcher started the job.
    """
    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN or hydra.sweeper._target_ != TARGET:
        return None
    if hydra.sweeper.pruner is None:
        return None
    import optuna

    study = open_study(hydra)
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    (mine,) = [trial for trial in running if trial.user_attrs.get(JOB) == hydra.job.num]
    trial = optuna.trial.Trial(study, mine._trial_id)
    return Pruning(trial, set(mine.intermediate_values), folder, best_by, storage_of(hydra))


class Pruning:
    """Tells the study of each validation, and asks its pruner whether to go on; called with a row of results.csv.

    Args:
        trial: of the search.
        reported: the epochs that the study knows of already, from before a resume.
        folder: of the job; what was given up leaves a pruned.txt there.
        best_by: the column that is told.
        storage: the address of the study's database.
    """

    def __init__(
        self, trial: "optuna.trial.Trial", reported: set[int], folder: Path, best_by: str, storage: str
    ) -> None:
        self._trial = trial
        self._reported = reported
        self._file = folder / PRUNED_FILE
        self._best_by = best_by
        self._storage = storage

    def __call__(self, row: Mapping[str, float]) -> bool:
        """True where the training should end here.

        Raises:
            UserError: the study cannot be told.
        """
        epoch = int(row["epoch"])
        with storage_at(self._storage):
            if epoch not in self._reported:
                self._trial.report(row[self._best_by], epoch)
                self._reported.add(epoch)
            if not self._trial.should_prune():
                return False
        pruner = type(self._trial.study.pruner).__name__
        write_text(self._file, f"{pruner} after epoch {epoch}: {self._best_by} {row[self._best_by]:.4g}\n")
        return True
