"""How much each parameter of an Optuna sweep mattered, from the study that the sweep left."""

from dataclasses import dataclass, field
from pathlib import Path

from ssd.runs.folder import STUDY_FILE

# Finished ones. Of 20 simulated searches in which one of three parameters decides, PED-ANOVA put it first in 7 with 10
# trials, in 17 with 15.
MIN_TRIALS = 15


@dataclass(frozen=True)
class Importance:
    """Parameter → its part of the sum, largest first; or why there is none."""

    parts: dict[str, float] = field(default_factory=dict)
    absent: str = ""


def importance(folder: Path) -> Importance | None:
    """What Optuna's PED-ANOVA says of a sweep's study; None if the sweep is not Optuna's.

    Args:
        folder: of the multirun.
    """
    if not (folder / STUDY_FILE).is_file():
        return None
    try:
        import optuna  # here, as only these sweeps need it
    except ImportError:
        return Importance(absent="it needs optuna, which is not installed")
    try:
        study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder.absolute() / STUDY_FILE}")
        trials = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
        parameters = {name for trial in trials for name in trial.params}
        if len(trials) < MIN_TRIALS:
            return Importance(absent=f"it needs {MIN_TRIALS} finished trials, and there are {len(trials)}")
        if len(parameters) < 2:
            return Importance(absent="only one parameter was searched")
        if len({trial.value for trial in trials}) == 1:
            return Importance(absent="every trial ended with the same value")
        return Importance(optuna.importance.get_param_importances(study))
    except Exception as error:  # whatever optuna or its database driver raises; the report goes on without it
        return Importance(absent=f"{STUDY_FILE} cannot be evaluated: {' '.join(str(error).split())}")
