"""`python -m ssd.serving FILE`: the server alone, for a detector that task=export has written.

It needs neither TensorFlow nor Hydra nor MLflow; `requirements.txt` beside this file has what it needs, and the
Dockerfile makes an image of it. With everything installed, FILE is whatever `Detector.load` takes.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import fields

from ssd.errors import UserError
from ssd.serving.settings import Settings, read_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and gives the exit status: 0 after SIGINT or SIGTERM, 2 for a mistake."""
    args = command_line().parse_args(argv)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        _serve(args.file, args.score_threshold, read_settings(vars(args), "--"))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before it serves
        return 130
    return 0


def _serve(file: str, score_threshold: float, settings: Settings) -> None:
    from ssd.prediction.detector import Detector
    from ssd.serving.server import listen, serve

    with listen(settings.host, settings.port, "--") as listening:
        detector = Detector.load(file, score_threshold=score_threshold, batch_size=settings.batch_size)
        serve(detector, settings, score_threshold, listening, file)


def command_line() -> argparse.ArgumentParser:
    """What it takes: the settings of task=serve."""
    parser = argparse.ArgumentParser(
        prog="python -m ssd.serving", formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("file", help="detector.xml, detector.onnx, detector.tflite; or whatever Detector.load takes")
    parser.add_argument("--score_threshold", type=float, default=0.5, help="the least score where a request names none")
    for item in fields(Settings):
        kind = type(item.default)
        parser.add_argument(f"--{item.name}", type=kind, default=item.default, help=item.metadata["help"])
    return parser


if __name__ == "__main__":
    sys.exit(main())
