"""Which code a program is: its digest, its revision, and the differences, in a repository of a few files."""

import subprocess
from pathlib import Path

from ssd.runs.code import Revision, diff_from_commit, diff_of_commits, digest_of_program, revision_of


def test_code_is_told_by_its_files_and_by_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    (tmp_path / "ssd").mkdir()
    (tmp_path / "ssd" / "a.py").write_text("a = 1\n")
    (tmp_path / "notes.md").write_text("no code\n")
    first = digest_of_program(tmp_path)
    assert (revision_of(tmp_path), diff_from_commit(tmp_path)) == (Revision(), "")
    assert diff_of_commits(tmp_path, "a", "b") is None
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "one")
    one = git("rev-parse", "HEAD")
    assert revision_of(tmp_path) == Revision(one, "main", dirty=False)
    (tmp_path / "notes.md").write_text("still none\n")
    assert (digest_of_program(tmp_path), diff_from_commit(tmp_path)) == (first, "")
    (tmp_path / "ssd" / "a.py").write_text("a = 2\n")
    assert digest_of_program(tmp_path) != first
    assert "+a = 2\n" in diff_from_commit(tmp_path)
    git("commit", "-am", "two")
    git("checkout", "--detach")
    (tmp_path / "ssd" / "b.py").touch()  # which git does not know
    two = git("rev-parse", "HEAD")
    assert revision_of(tmp_path) == Revision(two, None, dirty=True)
    assert "+a = 2" in (diff_of_commits(tmp_path, one, two) or "")
    assert diff_of_commits(tmp_path, one, "0" * 40) is None
