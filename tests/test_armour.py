"""Wrong, damaged and hostile input, one kind per row, through the real command: what is said, and what stays as it was.

Every row starts from the same folder of a user's: photographs, a run, a sweep, YAML of their own. It plants one fault,
gives one command, and asks for one sentence. Whatever the fault: no trace of a stack, nothing of the user's changed,
nothing run (a planted call would leave `canary`), little memory, little time. Kinds that need a network that trains are
in the tests of their parts; SECURITY.md says which.
"""

import hashlib
import json
import os
import pickle
import re
import resource
import shlex
import shutil
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from omegaconf import DictConfig

from helpers.fake_checkpoint import write_archive, write_detector
from helpers.fake_coco import instances
from helpers.fake_voc import encoded_image, item, write_voc
from ssd.cli.main import main
from ssd.runs.folder import BEST, LAST
from ssd.runs.going_on import note_command

SECONDS = 60  # far more than any row takes on a quiet machine
MEGABYTES = 300
QUICK = ("tracking.enabled=false", "training.epochs=2")
VOC = "dataset=voc_folder dataset.path=voc dataset.train=train dataset.val=val"
COCO = (
    "dataset=coco_json dataset.train_annotations=coco/train.json dataset.train_images=coco/images "
    "dataset.val_annotations=coco/val.json dataset.val_images=coco/images"
)


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: of the row.
        plant: puts it into the user's folder, which is the current one.
        command: what the user types then.
        says: a regular expression of the sentence.
        status: exit status.
    """

    name: str
    plant: Callable[[], object]
    command: str | tuple[str, ...]
    says: str
    status: int = 2


def nothing() -> None:
    """The fault is in the command."""


def file(path: str, content: str | bytes) -> Callable[[], object]:
    def plant() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)

    return plant


def changed(path: str, change: Callable[[str], str]) -> Callable[[], object]:
    return lambda: Path(path).write_text(change(Path(path).read_text()))


def cut(path: str) -> Callable[[], object]:
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[: Path(path).stat().st_size // 2])


def gone(path: str) -> Callable[[], object]:
    return lambda: shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()


def folder_instead(path: str) -> Callable[[], object]:
    def plant() -> None:
        Path(path).unlink()
        Path(path).mkdir()

    return plant


def stored(line: str) -> Callable[[], object]:
    """A line of a stranger's in the stored command of the run."""
    return changed("run/.hydra/overrides.yaml", lambda text: f"{text}- {json.dumps(line)}\n")


def in_sweep(**values: object) -> Callable[[], object]:
    return changed("sweep/sweep.json", lambda text: json.dumps({**json.loads(text), **values}))


def coco(change: Callable[[dict], object]) -> Callable[[], object]:
    def plant() -> None:
        content = json.loads(Path("coco/train.json").read_text())
        change(content)
        Path("coco/train.json").write_text(json.dumps(content))

    return plant


def xml(change: Callable[[str], str]) -> Callable[[], object]:
    return changed("voc/Annotations/a.xml", change)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to have these pixels."""
    data = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(bytes(100))
    parts = (b"IHDR" + data, pixels)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts
    )


def zip_bomb() -> None:
    """400 kB that unpack to 400 MB."""
    with zipfile.ZipFile("x.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", '{"class_name": "SSD", "config": {"class_names": ["cat"]}}')
        with archive.open("model.weights.h5", "w") as part:
            for _ in range(400):
                part.write(bytes(1_000_000))


class Touching:
    """Makes the canary where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch canary",)


PICKLE = pickle.dumps({"head": Touching()})
ENTITIES = '<!DOCTYPE a [<!ENTITY g "' + "x" * 1000 + '">' + "<!ENTITY h '" + "&g;" * 1000 + "'>]>"
OUTER = '<!DOCTYPE a [<!ENTITY h SYSTEM "file:///etc/passwd">]>'
CALL = "{_target_: pathlib.Path.touch, self: canary}"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(f'*{old}' for _ in range(9))}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

SGD = "_target_: keras.optimizers.SGD\nlearning_rate: 0.1\n"


def typed(command: str, said: str) -> Fault:
    """The fault is in the command alone."""
    return Fault(f"{command[:40]} {said[:30]}", nothing, command, re.escape(said))


def one(argument: str, said: str) -> Fault:
    """So it is, in an argument with blanks and more."""
    return Fault(f"{argument[:40]} {said[:30]}", nothing, (argument,), re.escape(said))


def own(group: str, content: str | bytes, said: str) -> Fault:
    """The fault is in YAML of the user's own."""
    command = f"--config-dir own {group}=mine"
    return Fault(f"{group} {said[:40]}", file(f"own/{group}/mine.yaml", content), command, re.escape(said))


RUN_FOLDER = [
    Fault("resume of nothing", nothing, "resume=nowhere", "resume=nowhere: there is no such folder"),
    Fault("resume of a folder", nothing, "resume=voc", "resume=voc is not a run folder"),
    Fault("resume of a file", nothing, "resume=photo.jpg", "resume=photo.jpg"),
    Fault("resume as another experiment", nothing, "resume=run optimizer=sgd", "go on as another experiment"),
    Fault("resume with another batch", nothing, "resume=run training.batch_size=3", "training.batch_size 8 → 3"),
    Fault("resume by another mAP", nothing, "resume=run training.best_by=val/mAP50", "leave training.best_by out"),
    Fault("resume with -m", nothing, "-m resume=run seed=1,2", "resume continues one run"),
    Fault("resume and evaluate", nothing, "resume=run task=evaluate", "resume continues a training"),
    Fault("no last.keras", gone(f"run/{LAST}"), "resume=run", r"has results, but no checkpoints/last\.keras"),
    Fault("last.keras empty", file(f"run/{LAST}", ""), "resume=run", r"last\.keras cannot be read as a checkpoint"),
    Fault("last.keras garbage", file(f"run/{LAST}", b"x" * 999), "resume=run", r"last\.keras cannot be read"),
    Fault("last.keras cut", cut(f"run/{LAST}"), "resume=run", r"last\.keras cannot be read"),
    Fault("last.keras a folder", folder_instead(f"run/{LAST}"), "resume=run", r"last\.keras"),
    Fault("best.keras cut", cut(f"run/{BEST}"), "task=evaluate checkpoint=run", r"best\.keras cannot be read"),
    Fault("no checkpoint", gone("run/checkpoints"), "task=evaluate checkpoint=run", "has no checkpoint"),
    *(
        Fault(f"{name} {how}", plant(f"run/{name}"), "resume=run", re.escape(f"{name} c") + said, status)
        for name, said, status in (
            (".hydra/overrides.yaml", ".*the command is taken from hydra.yaml beside it", 0),
            (".hydra/hydra.yaml", ".*relative paths of its command are taken from", 0),
            ("config.yaml", "(annot be read|omes to)", 2),
        )
        for how, plant in {
            "cut": lambda path: changed(path, lambda text: text[: text.rfind(":")] + ": ["),
            "empty": lambda path: file(path, ""),
            "binary": lambda path: file(path, bytes(range(256))),
            "a number": lambda path: file(path, "42\n"),
            "a bomb": lambda path: file(path, BOMB),
        }.items()
    ),
    Fault("hydra.yaml missing", gone("run/.hydra/hydra.yaml"), "resume=run", r"hydra\.yaml cannot be read", 0),
    Fault("own YAML is gone", changed(
        "run/.hydra/hydra.yaml",
        lambda text: text.replace("config_sources:", "config_sources:\n    - {path: /gone, provider: command-line}"),
    ), "resume=run", "started with --config-dir=/gone"),
    Fault("sweep.json cut", cut("sweep/sweep.json"), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json empty", file("sweep/sweep.json", ""), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json a list", file("sweep/sweep.json", "[]"), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json less", file("sweep/sweep.json", "{}"), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json numbers", in_sweep(overrides=3), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json missing", gone("sweep/sweep.json"), "-m sweep.resume=sweep", "is not the folder of a sweep"),
    Fault("sweep resumed alone", nothing, "sweep.resume=sweep", "ask for one with -m"),
    Fault("another sweep", nothing, "-m sweep.resume=sweep seed=7,8", "goes on with the jobs it has"),
    *(
        Fault(f"store {uri}", nothing, f"tracking.uri={uri}", "is no store of MLflow")
        for uri in ("nonsense", "foo://bar", "http://", "5000")
    ),
]  # fmt: skip

STRANGERS = [
    Fault("a link out of a run", lambda: Path("run/plots").symlink_to(Path("yaml").resolve()), "resume=run",
          "plots is a link to .*yaml, out of that folder"),
    Fault("a link out of a sweep", lambda: Path("sweep/more").symlink_to(Path("yaml").resolve()),
          "-m sweep.resume=sweep", "more is a link to .*yaml, out of that folder"),
    Fault("YAML of a sweep", in_sweep(config_dir="yaml"), "-m sweep.resume=sweep", "--config-dir=yaml, which is code"),
    Fault("name of a sweep's YAML", in_sweep(config_name="../yaml/x"), "-m sweep.resume=sweep", "could run, write or"),
    *(
        Fault(f"in a sweep: {line[:30]}", in_sweep(overrides=["seed=1,2", line]), "-m sweep.resume=sweep",
              "could run, write or read anything")
        for line in (
            f"+hydra.callbacks.x={CALL}", "hydra.sweep.subdir=/tmp/x", f"hydra.sweeper.sampler={CALL}",
            "'name=${oc.env:SECRET}'", "hydra.launcher.parameters={slurm_setup: [touch canary]}", "~seed",
            f"augmentation.transforms=[{CALL}]", "task._target_=os.system",
        )
    ),
    *(
        Fault(f"in a run: {line[:30]}", stored(line), "resume=run", "left out of what run was started with", 0)
        for line in (
            f"+hydra.callbacks.x={CALL}", "hydra.run.dir=elsewhere", f"augmentation.transforms=[{CALL}]",
            "'name=${oc.env:SECRET}'", "name=${oc.${backbone.name}:SECRET}", r"name=$\{oc.env\:SECRET\}",
            "task._target_=os.system", "optimizer._target_=keras.optimizers.deserialize", "~training.epochs",
            "dataset._target_=ssd.models.checkpoint.os.remove", "+backbone@hydra.callbacks.x=vgg16",
        )
    ),
]  # fmt: skip

FILES = [
    Fault("image too large", file("big.png", png_header(30_000, 30_000)), "task=predict checkpoint=run source=big.png",
          r"big\.png has more than \d+ pixels"),
    Fault("image too large in VOC", file("voc/JPEGImages/a.jpg", png_header(30_000, 30_000)), VOC, r"a\.jpg.*pixels"),
    Fault("text as an image", file("photo.jpg", "no"), "task=predict checkpoint=run source=photo.jpg", r"photo\.jpg"),
    Fault("empty image", file("photo.jpg", ""), "task=predict checkpoint=run source=photo.jpg", r"photo\.jpg"),
    Fault("folder without images", nothing, "task=predict checkpoint=run source=yaml", "yaml"),
    Fault("source is gone", nothing, "task=predict checkpoint=run source=gone.jpg", r"gone\.jpg"),
    Fault("checkpoint is text", file("x.keras", "no"), "task=evaluate checkpoint=x.keras", r"x\.keras cannot be read"),
    Fault("checkpoint is an image", nothing, "task=evaluate checkpoint=photo.jpg", r"photo\.jpg cannot be read"),
    Fault("checkpoint is another model", lambda: write_archive(Path("x.keras"), {
        "config.json": b'{"class_name": "Sequential", "config": {}}', "model.weights.h5": b""}),
        "task=evaluate checkpoint=x.keras", r"x\.keras"),
    Fault("config nested", lambda: write_archive(Path("x.keras"), {
        "config.json": b"[" * 100_000, "model.weights.h5": b""}), "task=evaluate checkpoint=x.keras", r"x\.keras"),
    Fault("zip bomb", zip_bomb, "task=evaluate checkpoint=x.keras", r"x\.keras"),
    Fault("weights of no project", nothing, "task=evaluate weights=nope:x.pth", "nope"),
    Fault("weights are gone", nothing, "task=evaluate weights=torchvision:gone.pth", r"gone\.pth"),
    Fault("weights are text", file("x.pth", "no"), "task=evaluate weights=torchvision:x.pth", r"x\.pth"),
    Fault("weights are a pickle that calls", file("x.pth", PICKLE), "task=evaluate weights=torchvision:x.pth",
          r"x\.pth"),
    Fault("data set is gone", nothing, VOC.replace("path=voc", "path=gone"), "dataset.path=gone: there is no such"),
    Fault("data set is a file", nothing, VOC.replace("path=voc", "path=photo.jpg"), "photo.jpg is a file"),
    Fault("split is gone", nothing, VOC.replace("val=val", "val=test"), r"test\.txt|test"),
    Fault("split is a folder", folder_instead("voc/ImageSets/Main/val.txt"), VOC, r"val\.txt"),
    Fault("split not UTF-8", file("voc/ImageSets/Main/val.txt", b"\xff\xfe\x00c\x00"), VOC, r"val\.txt.*UTF-8"),
    Fault("split empty", file("voc/ImageSets/Main/val.txt", ""), VOC, r"val\.txt"),
    Fault("split leads out", file("voc/ImageSets/Main/val.txt", "../../outside\n"), VOC, r"\.\./\.\./outside"),
    Fault("no annotation", gone("voc/Annotations/c.xml"), VOC, r"c\.xml"),
    Fault("no image", gone("voc/JPEGImages/c.jpg"), VOC, r"c\.jpg|c\.xml"),
    Fault("XML cut", cut("voc/Annotations/a.xml"), VOC, r"a\.xml"),
    Fault("XML nested", xml(lambda _: "<a>" * 100_000), VOC, r"a\.xml"),
    Fault("XML entity bomb", xml(lambda text: ENTITIES + text.replace("cat", "&h;")), VOC, r"a\.xml"),
    Fault("XML outer entity", xml(lambda text: OUTER + text.replace("cat", "&h;")), VOC, r"a\.xml"),
    Fault("box is text", xml(lambda text: text.replace("<xmin>2<", "<xmin>two<")), VOC, r"a\.xml"),
    Fault("box is NaN", xml(lambda text: text.replace("<xmin>2<", "<xmin>nan<")), VOC, r"a\.xml"),
    Fault("class with a line break", xml(lambda text: text.replace(">cat<", ">c&#10;t<")), VOC, r"a\.xml"),
    Fault("JSON cut", cut("coco/train.json"), COCO, r"train\.json"),
    Fault("JSON empty", file("coco/train.json", ""), COCO, r"train\.json"),
    Fault("JSON nested", file("coco/train.json", "[" * 100_000), COCO, r"train\.json"),
    Fault("JSON not UTF-8", file("coco/train.json", b'{"images": "\xff\xfe"}'), COCO, r"train\.json"),
    Fault("JSON a list", file("coco/train.json", "[]"), COCO, r"train\.json"),
    Fault("JSON of images alone", coco(lambda all: all.pop("annotations")), COCO, r"train\.json"),
    Fault("image out of its folder", coco(lambda all: all["images"][0].update(file_name="../../outside.jpg")), COCO,
          r"\.\./\.\./outside\.jpg"),
    Fault("image elsewhere", coco(lambda all: all["images"][0].update(file_name="/etc/passwd")), COCO, "/etc/passwd"),
    Fault("box of three", coco(lambda all: all["annotations"][0].update(bbox=[1, 2, 3])), COCO, r"train\.json"),
    Fault("box of text", coco(lambda all: all["annotations"][0].update(bbox=["a", 2, 3, 4])), COCO, r"train\.json"),
    Fault("category unknown", coco(lambda all: all["annotations"][0].update(category_id=999)), COCO, "999"),
    Fault("category name a number", coco(lambda all: all["categories"][0].update(name=7)), COCO, r"train\.json"),
    Fault("class with control character", coco(lambda all: all["categories"][0].update(name="a\x1bb")), COCO,
          r"train\.json"),
]  # fmt: skip

# Read before anything is composed: milliseconds each.
SYNTAX = [
    one("=5", "'=5' cannot be read; write key=value"),
    one("=", "'=' cannot be read; write key=value"),
    one("", "'' cannot be read; write key=value"),
    one("train", "'train' cannot be read; write key=value"),
    one("training.epochs:3", "'training.epochs:3' cannot be read; write key=value"),
    one("training..epochs=3", "'training..epochs=3' cannot be read"),
    one("name =x", "'name =x' cannot be read"),
    one("name=[a", """quoted it can: python run.py 'name="[a"'"""),
    one("name=😀", """quoted it can: python run.py 'name="😀"'"""),
    one("name=a\0b", "'name=a\\x00b' cannot be read; write key=value, of characters that can be printed"),
    one("name=a\nb", "'name=a\\nb' cannot be read; write key=value, of characters that can be printed"),
    one("name=a\udcffb", "'name=a\\udcffb' cannot be read"),
    one(f"name={'[' * 2000}{']' * 2000}", "cannot be read; write key=value"),
    one(f"augmentation.transforms={'[' * 100_000}", "has 100024 letters, and at most 10000 are read; put such a value"),
    one(f"{'x' * 5000}=1", "has 5002 letters, and at most 10000 are read"),
    one(f"checkpoint={'x' * 5000}", "cannot be a path: a name in it has more than 255 letters"),
    one(f"resume={'x' * 5000}", "cannot be a path: a name in it has more than 255 letters"),
    one(f"dataset.path={'é' * 200}", "cannot be a path: a name in it has more than 255 letters"),
    one("checkpoint=", "checkpoint= has no value; give a path, or leave checkpoint out"),
    one("resume=''", "resume= has no value"),
    one("source=", "source= has no value"),
    one("backbone.weights=", "backbone.weights has no value".replace(" has", "= has")),
    one("hydra.run.dir=", "hydra.run.dir= has no value"),
    one("~training", "~training: training cannot be left out; give it a value instead: training=..."),
    one("~backbone", "~backbone: backbone cannot be left out"),
    one("~optimizer", "~optimizer: optimizer cannot be left out"),
    one("~name", "~name: name cannot be left out"),
    one("~seed", "~seed: seed cannot be left out"),
    typed("--nope", "--nope is no flag; python run.py --help and --hydra-help show what there is"),
    typed("--training.epochs=3", "--training.epochs is no flag; a key is set without dashes: training.epochs=3"),
    typed("--epochs 3", "--epochs is no flag"),
    typed("-x", "is no flag"),
    typed("--cfg nope", "--cfg/-c: invalid choice: 'nope'"),
    typed("--config-name", "--config-name/-cn: expected one argument"),
    typed("--multirun=3", "--multirun/-m: ignored explicit argument '3'"),
    typed("resume=nope", "resume=nope: there is no such folder; paths are relative to"),
    typed("resume=.", "resume=. is not a run folder: it has no .hydra/overrides.yaml"),
    typed("resume=/dev/null", "resume=/dev/null is not a run folder"),
    typed("weights=nope", "weights=nope does not say whose weights they are"),
    typed("weights=keras:nope.h5", "weights=keras:nope.h5 does not say whose weights they are"),
    typed("weights=torchvision:nope.pth", "weights=torchvision:nope.pth: there is no such file"),
    typed("-m resume=. seed=1,2", "resume continues one run; leave -m out"),
    typed("-m sweep.resume=nope", "sweep.resume=nope: there is no such folder"),
    typed("--config-dir nope", "--config-dir nope: there is no such folder"),
    typed(f"--config-dir {'x' * 5000}", "there is no such folder"),
    typed("--config-dir /dev/null", "--config-dir /dev/null: there is no such folder"),
    typed("--config-name nope", "--config-name nope: there is no such configuration beside config.yaml"),
]

# Found when the files are read: tenths of a second each.
OWN_YAML = [
    own("optimizer", f"{SGD}\tmomentum: 0.9\n", "own/optimizer/mine.yaml, line 3 is no valid YAML: a tab; indent with"),
    own("optimizer", b"# gr\xf6\xdfe\n", "own/optimizer/mine.yaml is not UTF-8 (byte 5); save it as UTF-8 text"),
    own("optimizer", SGD.encode("utf-16"), "own/optimizer/mine.yaml is not UTF-8 (byte 1); save it as UTF-8 text"),
    own("optimizer", b"\x89PNG\r\n\x1a\n", "own/optimizer/mine.yaml is not UTF-8 (byte 1)"),
    own("optimizer", "- a\n- b\n", "own/optimizer/mine.yaml is a list; a configuration holds keys with values"),
    own(
        "optimizer", "defaults: [nope]\n", "optimizer/mine.yaml: its defaults list names optimizer/nope, which does not"
    ),
    own("optimizer", "defaults: 3\n", "optimizer/mine.yaml: defaults must be a list (got int); write `defaults:` and"),
    own(
        "optimizer", "defaults: [mine]\n", "names that YAML itself, directly or through others; look at what optimizer"
    ),
    own("optimizer", "defaults: [_self_, _self_]\n", "optimizer/mine.yaml: its defaults list has _self_ twice"),
    own("optimizer", f"# @package a b\n{SGD}", "the first line '# @package a b' of a YAML cannot be read; write '# @"),
    own("optimizer", f"{SGD}m: '${{a b}}'\n", "its ${...} cannot be read; correct it"),
    own("optimizer", f"{BOMB}{SGD}", "own/optimizer/mine.yaml comes to more than 100000 values with its aliases"),
    own("experiment", "# @package _global_\ndefaults: [/optimizer: sgd]\n", "write there: - override /optimizer: sgd"),
    own(
        "experiment",
        "# @package _global_\ndefaults: [override /optimizer: nope]\n",
        "a defaults list chooses optimizer=nope, which does not exist; choose one of: adam",
    ),
    typed("backbone=nope", "backbone=nope: there is no such backbone; choose one of: mobilenet_v2"),
    typed("backbone=conf/backbone/vgg16.yaml", "backbone=conf/backbone/vgg16.yaml: there is no such backbone"),
    typed("task=../train", "task=../train: there is no such task"),
    typed("training=", "training=: there is no such training; choose one of: auto, coco, default"),
    typed("++training=coco", "an option of a group is chosen without the ++: training=coco"),
    typed("-m task=train,evaluate", "task takes one value; run the command once for each of train,evaluate"),
]

# Found when all is composed.
COMPOSED = [
    own("optimizer", "learning_rate: 0.1\n", "optimizer has no `_target_`"),
    own(
        "optimizer", "_target_: keras.optimizers.SGD\nlearning_rate: 1e-3x\n", "optimizer.learning_rate is '1e-3x'; it"
    ),
    own("optimizer", "_target_: keras.optimizers.SGD\n", "optimizer.learning_rate has no value; it must be a number"),
    own(
        "optimizer", f"{SGD}momentum: ${{nope.x}}\n", "optimizer.momentum: ${nope.x} names no key of the configuration"
    ),
    own(
        "optimizer",
        f"{SGD}a: ${{optimizer.b}}\nb: ${{optimizer.a}}\n",
        "optimizer.a: its ${...} leads back to itself; give a value",
    ),
    own("optimizer", f"{SGD}a: ${{oc.env:NO_SUCH}}\n", "optimizer.a: the environment variable NO_SUCH is not set"),
    own("backbone", "_target_: mine.make\n", "backbone.name has no value; give it one in its YAML (name: ...)"),
    own(
        "augmentation", "name: x\ntransforms: [{p: 1}]\n", "augmentation.transforms[0] has no `_target_`; write each as"
    ),
    own("augmentation", "name: x\ntransforms: {p: 1}\n", "augmentation/mine.yaml has keys where a list belongs"),
    own("experiment", "# @package _global_\ntraining:\n", "experiment/mine.yaml: training: must have a value; null is"),
    own("task", "_target_: json.loads\nname: a/../..\n", "task.name='a/../..' has a slash; a folder is named after it"),
    typed(
        "experiment=bccd_vgg16 dataset=voc2007", "experiment=bccd_vgg16 sets dataset.path, which dataset=voc2007 does"
    ),
    typed("~training.batch_size", "~training.batch_size: training.batch_size cannot be left out; give it a value"),
    typed("~training.nope", "~training.nope: there is no such key to take away"),
    typed("+name=x", "name has a value already; leave the + out: name=x"),
    typed("name=a/b", "name='a/b' has a slash; a folder is named after it: write it with a dash"),
    typed("name=..", "name='..' is empty or dots alone"),
    typed("backbone.name=../x", "backbone.name='../x' has a slash"),
    typed("training.epochs=1000000000000", "training.epochs=1000000000000 must be between 1 and 1000000"),
    typed("optimizer.learning_rate=inf", "optimizer.learning_rate=inf must be a finite number"),
    typed("detector.scales=[0.1,0.2,0.3,0.4,0.5,inf]", "detector.scales[5]=inf must be a finite number"),
    typed("detector.image_size=null", "detector.image_size: must have a value; null is none"),
    typed("training.epochs.x=3", "training.epochs is one value and has no keys below it"),
    typed("task._target_=json", "task._target_=json is no function of a module; write MODULE.FUNCTION"),
    typed("tracking.uri=sqlite://", "tracking.uri=sqlite:// is no store of MLflow"),
    typed("tracking.uri=sqlite:////no/such/mlflow.db", "there is no folder /no/such; make it, or choose another file"),
    typed("tracking.uri=https://host:port", "tracking.uri=https://host:port is no address of a server"),
    typed("tracking.uri=sqlite:///photo.jpg", "sqlite:///photo.jpg is no SQLite database"),
    typed("hydra.run.dir=${nope}", "hydra.run.dir: ${nope} names no key of the configuration"),
    typed("hydra.job_logging.root.level=NOPE", "hydra.job_logging.root.level=NOPE is no level; choose one of: DEBUG"),
    typed("hydra.output_subdir=../../x", "hydra.output_subdir=../../x must be a folder inside the run's"),
    typed("-m seed=range(1,1)", "seed=range(1,1) gives no value at all; correct it"),
    typed("-m seed=range(1,10000000)", "seed=range(1,10000000): the grid has more than 2000 jobs"),
    typed("-m seed=1,2 hydra.sweeper=nope", "hydra.sweeper is no sweeper; choose one: hydra/sweeper=basic"),
    typed("-m seed=1,2 hydra.launcher._target_=os.system", "hydra.launcher is no part of Hydra or of this program"),
    typed("-m seed=1,2 hydra.sweep.subdir=same", "hydra.sweep.subdir is the same for all jobs"),
]

COMMANDS = [
    Fault(command[:60], nothing, command, says)
    for command, says in (
        ("detector.image_size=0", r"detector\.image_size"),
        ("detector.image_size=1000000000", r"detector\.image_size"),
        ("pipeline.workers=1000000", r"pipeline\.workers"),
        ("training.batch_size=0", r"training\.batch_size"),
        ("score_threshold=nan", "score_threshold"),
        ("detector.nms_iou=inf", r"detector\.nms_iou"),
        ("seed=-1e30", "seed"),
        (f"name={'x' * 5000}", "name="),
        ("task.name=nonsense", "task.name=nonsense: there is no such task"),
        ("task.name=evaluate", "choose it by task=evaluate"),
        ("task._target_=os.system", r"task\._target_=os\.system"),
        ("training.batch_size=1,2", "training.batch_size=1,2 has several values"),
        ("lr=1e-3", "here it is optimizer.learning_rate"),
        ("name=${nope.x}", "nope"),
        ("name=${name}", "name"),
        ("name=${oc.env:NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE"),
        ("task=predict", "task=predict needs"),
        ("task=predict checkpoint=run", "task=predict needs images"),
        ("task=report source=voc", "source=voc"),
        ("dataset.path=voc", r"dataset\.path"),
        ("dataset.max_pixels=1e30", r"dataset\.max_pixels"),
    )
]

TABLE = [*RUN_FOLDER, *STRANGERS, *FILES, *SYNTAX, *OWN_YAML, *COMPOSED, *COMMANDS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has before anything is wrong."""
    home = tmp_path_factory.mktemp("user")
    images = {name: [item("cat", 2, 2, 20, 20)] for name in "abcd"}
    write_voc(home / "voc", images, {"train": ["a", "b"], "val": ["c", "d"]})
    (home / "coco" / "images").mkdir(parents=True)
    for split, number in (("train", 1), ("val", 2)):
        content = instances({number: [(1, [2, 2, 20, 20], 400.0, 0)]})
        (home / "coco" / f"{split}.json").write_text(json.dumps(content))
        (home / "coco" / "images" / f"{number:012d}.jpg").write_bytes(encoded_image(40, 50))
    (home / "photo.jpg").write_bytes(encoded_image(40, 50))
    (home / "yaml").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        prepare(patch)
        assert main(["hydra.run.dir=run", *QUICK]) == 0
        assert main(["-m", "hydra.sweep.dir=sweep", "seed=1,2", *QUICK]) == 0
    return home


def prepare(patch: pytest.MonkeyPatch) -> None:
    """A training that only leaves what a training leaves; `sys.argv` and the environment are put back."""

    def train(cfg: DictConfig, folder: Path) -> float:
        for checkpoint in (BEST, LAST):
            if not (folder / checkpoint).exists():
                write_detector(folder / checkpoint)
        if cfg.resume is not None:
            note_command(cfg, folder)
        (folder / "metrics.json").write_text('{"mAP": 0.5}')
        return 0.5

    module = ModuleType("ssd.tasks.train")
    module.run = train  # type: ignore[attr-defined]
    patch.setitem(sys.modules, module.__name__, module)
    patch.setenv("HYDRA_FULL_ERROR", "0")
    patch.setenv("SECRET", "1234")
    patch.setattr(sys, "argv", ["run.py"])


@pytest.fixture
def user(home: Path, logging_as_before: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the current folder; outside of it lies an image that is none of anybody's business."""
    folder = tmp_path / "user"
    shutil.copytree(home, folder, symlinks=True)
    sweep = folder / "sweep" / "sweep.json"
    sweep.write_text(json.dumps({**json.loads(sweep.read_text()), "called_from": str(folder)}))
    (tmp_path / "outside.jpg").write_bytes(encoded_image(40, 50))
    monkeypatch.chdir(folder)
    prepare(monkeypatch)
    return folder


def arguments_of(command: str | tuple[str, ...]) -> list[str]:
    """Without MLflow, which would take seconds, where the command is not about it."""
    if isinstance(command, tuple):
        return list(command)
    words = shlex.split(command)
    return words if "tracking." in command or words[-1].startswith("-") else [*words, "tracking.enabled=false"]


def status_of(command: str | tuple[str, ...]) -> int:
    """The process' exit status, also where a task has been begun."""
    try:
        return main(arguments_of(command))
    except SystemExit as left:
        return int(left.code or 0)


def contents(folder: Path) -> dict[str, str]:
    """A digest of every file of the user's; a run's locks come and go, and a task that was begun has its own folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".lock") and "outputs" not in path.parts
    }


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_one_sentence_and_nothing_else(fault: Fault, user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fault.plant()
    before, used, start = contents(user), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    status = status_of(fault.command)
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert status == fault.status, said
    assert re.search(fault.says, said), said
    assert "Traceback" not in said
    assert "1234" not in said, "a secret of the environment"
    if status != 0:
        assert [line for line in captured.err.splitlines() if line.startswith("error: ")] == captured.err.splitlines()[
            -1:
        ]
        assert contents(user) == before
    assert not (user / "canary").exists()
    assert not Path("elsewhere").exists()
    assert time.monotonic() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) / 1024 < MEGABYTES
