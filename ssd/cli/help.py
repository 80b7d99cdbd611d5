"""What `python run.py --help` prints, from the folders of conf/ and the schemas."""

from textwrap import fill

from ssd.cli.compose import CONF
from ssd.config.schemas import Config, schema_keys
from ssd.environment import ROOT

COMMANDS = """\
Trains, evaluates and uses SSD object detectors (TensorFlow, Hydra, MLflow).

  python run.py                                              mobilenet_v2 on the drawn shapes
  python run.py backbone=vgg16 dataset=voc0712               the paper's recipe
  python run.py dataset=folder dataset.path=WHERE            your own images: a folder or .zip of VOC, COCO, YOLO, ...
  python run.py experiment=demo                              a whole recipe, from conf/experiment
  python run.py resume=outputs/train/RUN                     go on in the same folder and MLflow run
  python run.py task=evaluate checkpoint=outputs/latest      with the data set and settings of that run
  python run.py task=inspect dataset=voc_folder dataset.path=FOLDER           what is wrong with a data set, or odd
  python run.py task=lr_find dataset=...                     a learning rate for that training, with its picture
  python run.py task=predict checkpoint=outputs/latest source=photo.jpg       or source=FOLDER
  python run.py task=export checkpoint=outputs/latest format=onnx precision=int8    for other runtimes, checked
  python run.py task=benchmark checkpoint=outputs/latest     how fast it is in each of its formats, beside its mAP
  python run.py task=serve checkpoint=outputs/latest         HTTP on this machine: KServe, TensorFlow Serving, a page
  python run.py weights=torchvision:FILE.pth dataset=...     fine-tune somebody else's trained detector
  python run.py -m sweeps=backbones                          the grid in sweeps/backbones.yaml
  python run.py -m optimizer.learning_rate=1e-3,5e-4         a grid of your own
  python run.py -m sweeps=learning_rate                      a search with Optuna
  python run.py -m sweep.resume=outputs/latest_sweep         go on with a sweep that was stopped; its failed jobs again
  python run.py task=report source=outputs/multirun/SWEEP    its tables and charts again; also from MLflow run ids
  python run.py task=compare source=RUN_A+RUN_B              what differs between two runs, and whether it is chance
  python run.py task=reproduce source=outputs/train/RUN      that training once more, and whether all is the same
  python run.py task=ui                                      MLflow's page, opened on the trainings
  python run.py --cfg job ...                                show every key and value instead of running
  python run.py --config-dir FOLDER optimizer=mine           with FOLDER/optimizer/mine.yaml of your own
  python run.py --hydra-help                                 Hydra's flags

Every run writes a folder of its own under outputs/; outputs/latest is the newest training."""


def help_text() -> str:
    """Commands, then the groups with their options, then the keys."""
    groups = {folder.name: folder for folder in sorted(CONF.iterdir()) if folder.is_dir()}
    options = {name: sorted(file.stem for file in folder.glob("*.yaml")) for name, folder in groups.items()}
    options["sweeps"] = sorted(file.stem for file in (ROOT / "sweeps").glob("*.yaml"))
    keys: dict[str, list[str]] = {}
    for key in dict.fromkeys(schema_keys(Config)):
        section, _, leaf = key.partition(".")
        if leaf and leaf != "_target_":
            keys.setdefault(section, []).append(leaf)
    plain = [key for key in schema_keys(Config) if "." not in key and key not in keys]
    lines = [COMMANDS, "", "Groups (GROUP=OPTION):"]
    lines += [_row(name, names) for name, names in options.items()]
    lines += ["", "Keys (KEY=VALUE or SECTION.KEY=VALUE; which ones there are depends on the chosen options):"]
    lines += [_row("", plain), *(_row(f"{section}.", names) for section, names in keys.items())]
    return "\n".join(lines)


def _row(head: str, words: list[str]) -> str:
    return fill("  ".join(words), 118, initial_indent=f"  {head:14}", subsequent_indent=" " * 16)
