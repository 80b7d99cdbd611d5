"""Which code a program is: a digest of its files, and what git knows of them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import git

PROGRAM = ("run.py", "ssd", "conf", "sweeps")  # what a result can depend on
_KINDS = (".py", ".yaml")


@dataclass(frozen=True)
class Revision:
    """What git knows of a program.

    Attributes:
        commit, branch: of its repository; None outside of one, the branch also where none is checked out.
        dirty: whether any file of the repository differs from the commit, or is unknown to git.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False


def revision_of(folder: Path) -> Revision:
    """The state of the repository at `folder`."""
    if (repository := _repository(folder)) is None:
        return Revision()
    branch = None if repository.head.is_detached else repository.active_branch.name
    return Revision(repository.head.commit.hexsha, branch, repository.is_dirty(untracked_files=True))


def diff_from_commit(folder: Path) -> str:
    """How the program's files differ from the commit; those that git does not know are not in it, but in the digest."""
    repository = _repository(folder)
    diff = "" if repository is None else str(repository.git.diff("HEAD", "--", *PROGRAM))
    return f"{diff}\n" if diff else ""


def digest_of_program(folder: Path) -> str:
    """SHA-256, in hexadecimal, of the program's files with their names."""
    digest = hashlib.sha256()
    for file in sorted(_files(folder)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def diff_of_commits(folder: Path, one: str, other: str) -> str | None:
    """How the program differs between two commits; None where the repository at `folder` lacks one of them."""
    import git

    if (repository := _repository(folder)) is None:
        return None
    try:
        return str(repository.git.diff(one, other, "--", *PROGRAM))
    except git.GitError:
        return None


def _files(folder: Path) -> Iterator[Path]:
    for name in PROGRAM:
        place = folder / name
        files = place.rglob("*") if place.is_dir() else [place]
        yield from (file for file in files if file.suffix in _KINDS and file.is_file())


def _repository(folder: Path) -> "git.Repo | None":
    """None where there is none, or none with a commit, or no git."""
    try:
        import git  # here, as it raises where the git program is missing
    except ImportError:
        return None
    try:
        repository = git.Repo(folder)
        repository.head.commit  # noqa: B018  (raises where there is none yet)
    except (git.GitError, OSError, ValueError):
        return None
    return repository
