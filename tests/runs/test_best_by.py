"""The names of metrics by `training.best_by`, and what a run's folder has."""

from pathlib import Path

from omegaconf import OmegaConf

from ssd.runs.best_by import is_older, main_metrics, metric_of, recorded_best_by


def test_metrics() -> None:
    assert metric_of("val/mAP50_07") == "mAP50_07"
    assert main_metrics("val/mAP") == ("mAP", "mAP50")
    assert main_metrics("val/mAP50") == ("mAP50", "mAP")
    assert main_metrics("val/mAP50_07") == ("mAP50_07", "mAP50", "mAP")


def test_a_run_older_than_the_key_has_what_was_used_then(tmp_path: Path) -> None:
    assert (recorded_best_by(tmp_path), is_older(tmp_path)) == (None, False)
    OmegaConf.save({"training": {"epochs": 3}}, tmp_path / "config.yaml")
    assert (recorded_best_by(tmp_path), is_older(tmp_path)) == ("val/mAP50", True)
    OmegaConf.save({"training": {"best_by": "val/mAP"}}, tmp_path / "config.yaml")
    assert (recorded_best_by(tmp_path), is_older(tmp_path)) == ("val/mAP", False)
