"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user gave is wrong: a configuration key, a file, an annotation.

    The message is one sentence that names the file or key, says what is wrong and what to do; `run.py` prints it
    without a stack trace and exits with status 2.
    """


def first_line(error: BaseException) -> str:
    """The first line that another library's exception says, or its kind where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
