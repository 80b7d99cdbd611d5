"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user gave is wrong: a configuration key, a file, an annotation.

    The message is one sentence that names the file or key, says what is wrong and what to do; `run.py` prints it
    without a stack trace and exits with status 2.
    """
