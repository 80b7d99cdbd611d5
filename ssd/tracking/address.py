"""Where the runs are to be seen, on the terminal."""

import rich
from rich.text import Text

from ssd.tracking.tracker import Tracker


def say_where_runs_are(tracker: Tracker) -> None:
    """The command that shows the runs, and the address to open while it runs: a link where the terminal knows links."""
    print(f"MLflow: {tracker.ui_command}")
    if (page := tracker.page) is not None:
        line = Text.assemble("Runs: ", (page, f"link {page}"))
        rich.get_console().print(line, soft_wrap=True, highlight=False)
