"""What the report of a run tells, in its folder and in MLflow's description."""

from pathlib import Path
from typing import Any

from PIL import Image

from ssd.runs.report import RunReport


def make_report(**changes: Any) -> RunReport:
    parts: dict[str, Any] = {
        "title": "mobilenet_v2 on shapes",
        "command": "python run.py dataset=shapes",
        "minutes": 7.94,
        "metrics": {"mAP50": 0.8512, "mAP": 0.5, "recall": 0.75},
        "best_by": "val/mAP",
        "facts": {"epoch": 3, "parameters": 954244, "gflops": 0.1046, "latency_ms": 7.66},
        "per_class": [{"class": "disc", "objects": 12, "AP50": 0.9}],
        "datasets": [{"split": "val", "name": "shapes:val", "images": 200, "digest": "abc"}],
        "settings": {"training.batch_size": 8, "precision": "float32"},
        "hardware": "2 cores",
        "versions": {"keras": "3.15.1"},
        "mlflow_run": "0123",
        "mlflow_ui": "mlflow ui --backend-store-uri sqlite:///mlflow.db",
    }
    return RunReport(**{**parts, **changes})


FIRST = """\
mAP 0.500, mAP50 0.851 after 7.9 minutes on 2 cores.
954,244 parameters, 0.10 GFLOPs per image, 7.7 ms for one image with decoding.

```sh
python run.py dataset=shapes
```

"""


def test_the_report_tells_the_run_and_links_inside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "the curves.png").touch()
    pictures = {"Curves": tmp_path / "plots" / "the curves.png", "Gone": tmp_path / "plots" / "gone.png"}
    file = make_report().write(tmp_path, pictures)
    assert file == tmp_path / "report.md"
    text = file.read_text(encoding="utf-8")
    assert text.startswith(f"# mobilenet_v2 on shapes\n\n{FIRST}## Result\n\n")
    assert "![Curves](plots/the%20curves.png)" in text
    for part in (
        "| recall | 0.750 |",
        "| disc | 12 | 0.900 |",
        "| val | shapes:val | 200 | abc |",
        "| training.batch_size | 8 |",
        "keras 3.15.1",
        "`0123`",
    ):
        assert part in text
    assert "gone.png" not in text
    assert str(tmp_path) not in text


def test_a_report_of_an_untracked_run_without_objects(tmp_path: Path) -> None:
    report = make_report(metrics={}, facts={}, per_class=[], mlflow_run=None, mlflow_ui=None)
    text = report.write(tmp_path, {}).read_text(encoding="utf-8")
    assert "\n\n7.9 minutes on 2 cores.\n\n" in text
    for absent in ("MLflow", "## Classes", "## Result", "## Curves", "parameters"):
        assert absent not in text


def test_the_same_report_is_one_html_file(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "curves.png")
    rows = [{"class": "<script>alert(1)</script>", "objects": 12, "AP50": 0.9}]
    make_report(per_class=rows).write(tmp_path, {"Curves": tmp_path / "curves.png"})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in page
    assert "<script" not in page
    assert page.count('<img src="data:image/png;base64,') == 1


def test_the_note_begins_with_the_result_and_ends_with_what_may_be_cut() -> None:
    text = make_report().note()
    assert text.startswith(FIRST)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## Data",
        "## Settings",
        "## Result",
        "## Classes",
    ]
