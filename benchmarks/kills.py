"""Kills small trainings at random, seeded moments, goes on with `resume=`, and compares them with undisturbed ones.

    python benchmarks/kills.py --kills=1000 --minutes=240

Each training is killed (SIGKILL) up to `--each` times before it is left to come to its end; then all of it is compared
to the last bit: weights, optimizer, average, best checkpoint, results.csv, history.csv, diagnostics.csv, metrics.json
and MLflow's metrics. What the clock says is left out. The same seed kills at the same moments, as far as a machine
takes the same time. The processes are forked from one that has imported TensorFlow (`tests/helpers/warm.py`).
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from helpers.kills import VARIANTS, Killed, Moment, differences  # noqa: E402


def main() -> int:
    """Exit status 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60, help="in all")
    parser.add_argument("--each", type=int, default=5, help="kills of one training, at most")
    parser.add_argument("--minutes", type=float, default=60, help="after which no training is begun any more")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random, until = Random(args.seed), time.monotonic() + 60 * args.minutes
    kills, differing, trainings = Counter[str](), 0, 0
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        work = Path(folder)
        undisturbed = {name: _undisturbed(work, name) for name in VARIANTS}
        while kills.total() < args.kills and time.monotonic() < until:
            name = random.choice(list(VARIANTS))
            theirs, lasts = undisturbed[name]
            training = Killed(work, f"training_{trainings}", VARIANTS[name])
            trainings += 1
            for _ in range(min(args.each, args.kills - kills.total())):
                moment = Moment.draw(random, lasts)
                if not training.kill(moment):
                    break
                kills[moment.kind] += 1
            else:
                training.run()
            found = differences(training.leaves(), theirs)
            differing += bool(found)
            print(f"{kills.total():5d} kills: {name}: {'; '.join(found) or 'the same'}", flush=True)
    print(f"{kills.total()} kills ({dict(kills)}) of {trainings} trainings with seed {args.seed}: {differing} differ")
    return int(differing > 0)


def _undisturbed(work: Path, name: str) -> tuple[dict, float]:
    """What a training leaves that nothing disturbs, and how many seconds it lasts."""
    training = Killed(work, f"undisturbed_{len(list(work.glob('undisturbed_*')))}", VARIANTS[name])
    lasts = training.timed()
    return training.leaves(), lasts


if __name__ == "__main__":
    sys.exit(main())
