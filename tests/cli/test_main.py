"""The command line around a task: folders, exit statuses, resuming, and settings taken over from an earlier run."""

import logging
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf
from safetensors.numpy import save_file

from helpers.fake_checkpoint import write_detector
from helpers.fake_voc import encoded_image, item, write_voc
from ssd import __version__
from ssd.cli.earlier_run import with_earlier_run
from ssd.cli.main import main
from ssd.errors import UserError
from ssd.runs.folder import BEST, LAST, point_latest, reserve
from ssd.runs.going_on import note_command

pytestmark = pytest.mark.usefixtures("own_process_state")

QUIET = "tracking.enabled=false"
IMAGES = {name: [item("cat", 2, 2, 20, 20)] for name in ("a", "b")}
Call = tuple[str, DictConfig, Path]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Replaces the tasks by ones that note their call; a training leaves checkpoints, and seeds 13 to 15 fail."""
    seen: list[Call] = []

    def task(name: str) -> Callable[[DictConfig, Path], float]:
        def run(cfg: DictConfig, folder: Path) -> float:
            seen.append((name, cfg, folder))
            if name == "train":
                for checkpoint in (BEST, LAST):
                    write_detector(folder / checkpoint)
                if cfg.resume is not None:
                    note_command(cfg, folder)
                point_latest(Path("outputs", "latest"), folder)
                (folder / "metrics.json").write_text("{}")
            if cfg.seed == 13:
                raise UserError("image x.jpg is damaged; replace it")
            if cfg.seed == 14:
                raise ZeroDivisionError("a fault of ours")
            if cfg.seed == 15:
                raise KeyboardInterrupt
            return 0.5

        return run

    for name in ("train", "evaluate", "predict"):
        module = ModuleType(f"ssd.tasks.{name}")
        module.run = task(name)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen


def test_a_run_has_its_own_folder_with_the_resolved_configuration(calls: list[Call], tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["training.epochs=3", "name=first", QUIET]) == 0
    folders = [folder for _, _, folder in calls]
    assert len(set(folders)) == 2
    assert {folder.parent for folder in folders} == {tmp_path / "outputs" / "train"}
    assert "${" not in (folders[0] / "config.yaml").read_text()
    stored = OmegaConf.load(folders[0] / "config.yaml")
    assert (stored.training.epochs, stored.name) == (3, "first")
    assert stored.tracking.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert (tmp_path / "outputs" / "latest").resolve() == folders[1]
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def test_folders_never_collide_however_close_the_runs_start(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: reserve(tmp_path / "runs" / "now"), range(40)))
    assert len(set(folders)) == 40
    assert all(folder.is_dir() for folder in folders)


def test_latest_replaces_a_link_and_leaves_a_folder_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        point_latest(tmp_path / "latest", tmp_path / name)
    assert (tmp_path / "latest").readlink() == Path("b")
    (tmp_path / "latest").unlink()
    (tmp_path / "latest" / "mine").mkdir(parents=True)
    with caplog.at_level(logging.WARNING, logger="ssd"):
        point_latest(tmp_path / "latest", tmp_path / "a")
    assert (tmp_path / "latest" / "mine").is_dir()
    assert "latest was not updated" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "latest"]


@pytest.mark.parametrize(
    ("seed", "status", "said"),
    [
        (13, 2, "error: image x.jpg is damaged; replace it\n"),
        (14, 1, "error: ZeroDivisionError: a fault of ours; nobody expected this: the trace is in "),
        (15, 130, "interrupted\n"),
    ],
)
def test_exit_status(calls: list[Call], capsys: pytest.CaptureFixture[str], seed: int, status: int, said: str) -> None:
    try:
        found = main([f"seed={seed}", QUIET])
    except SystemExit as left:
        found = int(left.code or 0)
    assert found == status
    stderr = capsys.readouterr().err
    assert said in stderr
    assert "Traceback" not in stderr
    log = (calls[0][2] / "run.log").read_text()
    assert ("Traceback" in log) == (seed == 14)
    assert seed != 14 or stderr.endswith(f"{calls[0][2]}/run.log\n")
    assert ("damaged" in log, "a fault of ours" in log) == (seed == 13, seed == 14)


@pytest.mark.parametrize("target", ["nowhere.run", "json.nothing"])
def test_a_task_that_cannot_be_imported_is_one_sentence(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([f"task._target_={target}", QUIET])
    assert f"error: task._target_={target} cannot be imported (" in capsys.readouterr().err


def test_paths_may_begin_at_home(calls: list[Call], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_voc(tmp_path / "cells", IMAGES)
    assert main(["dataset=voc_folder", "dataset.path=~/cells", "backbone.weights=null", QUIET]) == 0
    assert calls[0][1].dataset.path == str(tmp_path / "cells")


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ssd-experiments {__version__}\n"


def test_what_cannot_be_read_is_answered_with_the_command_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backbone=vgg16", "name=my run (1)"]) == 2
    assert capsys.readouterr().err.endswith("""quoted it can: python run.py backbone=vgg16 'name="my run (1)"'\n""")


def test_a_fault_before_a_run_leaves_its_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("x" * 1000)

    monkeypatch.setattr("ssd.cli.main.make_plan", broken)
    assert main([]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: RuntimeError: {'x' * 500}…; nobody expected this: the trace is in ")
    trace = Path(said.rstrip().rpartition(" ")[2])
    assert "in broken" in trace.read_text()
    trace.unlink()


def test_a_mistake_starts_nothing(calls: list[Call], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["training.epoch=3"]) == 2
    assert capsys.readouterr().err == "error: unknown key 'training.epoch'; did you mean 'training.epochs'?\n"
    assert not calls
    assert not list(tmp_path.iterdir())


def test_evaluate_takes_over_the_settings_of_the_checkpoints_run(calls: list[Call], tmp_path: Path) -> None:
    main(["backbone=vgg16", "detector.image_size=160", "seed=7", "task.pictures=1", QUIET])
    trained = calls[0][2]
    for checkpoint in ("outputs/latest", "outputs/latest/checkpoints/best.keras"):
        assert main(["task=evaluate", f"checkpoint={checkpoint}", "seed=8"]) == 0
        name, cfg, folder = calls[-1]
        assert name == "evaluate"
        assert (cfg.backbone.name, cfg.detector.image_size, cfg.seed, cfg.task.pictures) == ("vgg16", 160, 8, 1)
        assert cfg.tracking.enabled is False
        assert Path(cfg.checkpoint) in (trained, trained / "checkpoints" / "best.keras")
        assert folder.parent == tmp_path / "outputs" / "evaluate"
    assert (tmp_path / "outputs" / "latest").resolve() == trained


def test_a_checkpoint_outside_of_a_run_has_no_history(calls: list[Call], tmp_path: Path) -> None:
    write_detector(tmp_path / "shared.keras")
    (tmp_path / "photo.jpg").write_bytes(encoded_image(40, 50))
    assert main(["task=predict", "checkpoint=shared.keras", "source=.", QUIET]) == 0
    assert calls[0][1].checkpoint == str(tmp_path / "shared.keras")
    assert calls[0][1].backbone.name == "mobilenet_v2_small"


def test_training_from_a_checkpoint_takes_its_weights_and_their_network_alone(calls: list[Call]) -> None:
    network = ["experiment=demo", "backbone.alpha=0.5", "backbone.freeze_until=Conv1", "detector.nms_iou=0.3"]
    main([*network, "training.epochs=3", QUIET])
    main(["checkpoint=outputs/latest", "detector.match_iou=0.4", QUIET])
    first, second = calls[0][1], calls[1][1]
    assert (second.training.epochs, second.backbone.freeze_until) == (6, None)
    assert second.backbone.alpha == 0.5
    assert second.detector == {**first.detector, "match_iou": 0.4}
    assert calls[1][1].checkpoint == str(calls[0][2])  # not the link, which now points at the second run


def test_resume_goes_on_in_the_same_folder_with_the_new_overrides(
    calls: list[Call], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_voc(tmp_path / "my data", IMAGES)
    main(["dataset=voc_folder", "dataset.path=my data", "backbone.weights=null", "training.epochs=3", QUIET])
    folder = calls[0][2]
    sqlite3.connect(tmp_path / "mlflow.db").execute("CREATE TABLE runs (a)")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main([f"resume='{folder}'", "training.epochs=9"]) == 0
    name, cfg, again = calls[1]
    assert (name, again, cfg.resume) == ("train", folder, str(folder))
    assert (cfg.training.epochs, cfg.backbone.weights) == (9, None)
    assert cfg.dataset.path == str(tmp_path / "my data")
    assert cfg.tracking.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert OmegaConf.load(folder / "config.yaml").training.epochs == 9
    assert main([f"resume='{folder}'"]) == 0
    assert calls[2][1].training.epochs == 9


def test_a_resumed_run_goes_on_by_what_its_best_checkpoint_is_the_best_by(
    calls: list[Call], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["training.best_by=val/mAP50_07", QUIET]) == 0
    folder = calls[0][2]
    assert main([f"resume={folder}"]) == 0
    assert calls[1][1].training.best_by == "val/mAP50_07"
    config = OmegaConf.load(folder / "config.yaml")
    del config.training["best_by"]  # as in a run that is older than the key
    OmegaConf.save(config, folder / "config.yaml")
    (folder / ".hydra" / "overrides.yaml").write_text(f"- {QUIET}\n")
    for _ in range(2):
        assert main([f"resume={folder}"]) == 0
        assert calls[-1][1].training.best_by == "val/mAP50"
    assert main([f"resume={folder}", "training.best_by=val/mAP50"]) == 0
    assert main([f"resume={folder}", "training.best_by=val/mAP"]) == 2
    said = f"training.best_by=val/mAP: {folder} chose its best checkpoint by val/mAP50; leave training.best_by out"
    assert said in capsys.readouterr().err


def test_a_refused_resume_changes_nothing(calls: list[Call], capsys: pytest.CaptureFixture[str]) -> None:
    main(["training.epochs=3", QUIET])
    folder = calls[0][2]

    def content() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    before = content()
    assert main([f"resume={folder}", "optimizer=sgd", "training.batch_size=2"]) == 2
    said = capsys.readouterr().err
    assert "training.batch_size 8 → 2" in said
    assert "optimizer._target_ keras.optimizers.Adam → keras.optimizers.SGD" in said
    (folder / LAST).write_bytes(b"half a checkpo")
    assert main([f"resume={folder}"]) == 2
    assert "last.keras cannot be read as a checkpoint" in capsys.readouterr().err
    (folder / LAST).unlink()
    assert main([f"resume={folder}"]) == 2
    assert "has results, but no checkpoints/last.keras to go on from" in capsys.readouterr().err
    (folder / LAST).write_bytes(before[folder / LAST])
    assert content() == before
    assert len(calls) == 1


def test_what_a_resumed_run_was_started_with_is_kept(calls: list[Call]) -> None:
    main(["training.epochs=3", QUIET])
    folder = calls[0][2]
    for epochs in (5, 5, 7):
        assert main([f"resume={folder}", f"training.epochs={epochs}"]) == 0
    lines = [list(OmegaConf.load(folder / name / "overrides.yaml")) for name in (".hydra.1", ".hydra.2", ".hydra")]
    assert [line for part in lines for line in part if line.startswith("training.epochs")] == [
        "training.epochs=3",
        "training.epochs=5",
        "training.epochs=7",
    ]
    assert main([f"resume={folder}", "seed=4", "allow_changes=true"]) == 0
    assert calls[-1][1].seed == 4
    assert "allow_changes=true" in OmegaConf.load(folder / ".hydra" / "overrides.yaml")
    assert main([f"resume={folder}"]) == 0
    assert calls[-1][1].allow_changes is False


def test_weights_bring_the_settings_of_their_network(calls: list[Call], tmp_path: Path) -> None:
    save_file({"head.classification_head.module_list.0.weight": np.zeros(1)}, tmp_path / "w.safetensors")
    assert main(["weights=torchvision:w.safetensors", "detector.nms_iou=0.3", "backbone.weights=null", QUIET]) == 0
    _, cfg, folder = calls[0]
    assert (cfg.backbone.name, cfg.detector.name, cfg.detector.clip_priors) == ("vgg16", "ssd300_coco", True)
    assert (cfg.detector.nms_iou, cfg.detector.max_per_class) == (0.3, 400)
    assert cfg.weights == f"torchvision:{tmp_path}/w.safetensors"
    for checkpoint in (BEST, LAST):
        (folder / checkpoint).unlink()
    assert main([f"resume={folder}"]) == 0  # before the first checkpoint: from the same weights again
    assert calls[1][1].weights == cfg.weights
    write_detector(folder / LAST)
    (tmp_path / "w.safetensors").unlink()  # not needed any more
    assert main([f"resume={folder}"]) == 0
    assert (calls[2][1].weights, calls[2][1].backbone.name) == (None, "vgg16")
    assert main(["task=evaluate", f"checkpoint={folder}"]) == 0
    assert (calls[3][1].weights, calls[3][1].detector.nms_iou) == (None, 0.3)


def test_weights_of_another_backbone_than_asked_for(tmp_path: Path) -> None:
    save_file({"head.classification_head.module_list.0.weight": np.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="torchvision's ssd300_vgg16, whose backbone is vgg16, not mobilenet_v2"):
        with_earlier_run(["backbone=mobilenet_v2", "weights=torchvision:w.safetensors"], multirun=False)


@pytest.mark.parametrize(
    ("overrides", "multirun", "message"),
    [
        (["resume=.", "checkpoint=."], False, "leave checkpoint and weights out"),
        (["weights=a.pth"], False, "weights=a.pth does not say whose weights they are"),
        (["resume=outputs/none"], False, "resume=outputs/none: there is no such folder"),
        (["resume=."], False, "resume=. is not a run folder: it has no .hydra/overrides.yaml"),
        (["resume=."], True, "resume continues one run; leave -m out"),
        (["resume=evaluated"], False, "resume=evaluated is not the folder of a training"),
        (["task=evaluate", "checkpoint=a,b"], True, "checkpoint takes one path; run the command once for each of a,b"),
        (["a=[1"], False, "'a=[1' cannot be read; write key=value"),
    ],
)
def test_history_mistakes(overrides: list[str], multirun: bool, message: str, tmp_path: Path) -> None:
    (tmp_path / "evaluated" / ".hydra").mkdir(parents=True)
    (tmp_path / "evaluated" / ".hydra" / "overrides.yaml").write_text("- task=evaluate\n")
    with pytest.raises(UserError) as caught:
        with_earlier_run(overrides, multirun)
    assert message in str(caught.value)


def test_a_failing_job_does_not_end_the_others(calls: list[Call], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["-m", "seed=13,1,14,2", QUIET])
    assert left.value.code == 1
    assert [cfg.seed for _, cfg, _ in calls] == [13, 1, 14, 2]
    (sweep,) = (tmp_path / "outputs" / "multirun").iterdir()
    assert sorted(f.name for f in sweep.iterdir() if f.is_dir()) == ["0_seed=13", "1_seed=1", "2_seed=14", "3_seed=2"]
    assert "image x.jpg is damaged" in (sweep / "0_seed=13" / "run.log").read_text()


def test_flags_may_stand_between_overrides(calls: list[Call]) -> None:
    assert main(["seed=1,2", "-m", QUIET]) == 0
    assert [cfg.seed for _, cfg, _ in calls] == [1, 2]


def test_sweeps_ask_for_multirun(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sweeps=backbones"]) == 2
    assert "ask for them with -m: python run.py -m sweeps=backbones" in capsys.readouterr().err
    assert main(["-m", "seed=1,-1"]) == 2
    assert "seed=-1 must be" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_own_yaml_by_config_dir(calls: list[Call], tmp_path: Path) -> None:
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "optimizer" / "lion.yaml").write_text(
        "_target_: keras.optimizers.Lion\nlearning_rate: 1.0e-4\n"
    )
    assert main(["--config-dir", "conf", "optimizer=lion", QUIET]) == 0
    assert calls[0][1].optimizer._target_ == "keras.optimizers.Lion"


def test_showing_the_configuration_runs_nothing(calls: list[Call], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cfg", "job", "training.epochs=77"]) == 0
    assert "epochs: 77" in capsys.readouterr().out
    assert not calls
    assert not Path("outputs").exists()
