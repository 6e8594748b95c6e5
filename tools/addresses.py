"""Fill in where the project lives, before a release is built: links of README that PyPI can follow, and its addresses.

    python tools/addresses.py SOURCE REVISION

SOURCE is the address of the repository, without a slash at the end, and REVISION a tag or a branch. Both files are
changed in place; the workflow that builds the wheels does it in its own copy, and nothing of it is committed.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")


def absolute(text: str, source: str, revision: str) -> str:
    """Return a text in Markdown whose links to files of the repository are absolute."""

    def address(match: re.Match[str]) -> str:
        picture, words, path = match.groups()
        return f"{picture}[{words}]({source}/{'raw' if picture else 'blob'}/{revision}/{path})"

    return LINK.sub(address, text)


def with_urls(text: str, source: str, revision: str) -> str:
    """Return pyproject.toml with addresses for the side bar of PyPI."""
    if "[project.urls]" in text:
        return text
    urls = {
        "Source": source,
        "Documentation": f"{source}/blob/{revision}/docs/index.rst",
        "Changelog": f"{source}/blob/{revision}/CHANGELOG.md",
        "Issues": f"{source}/issues",
    }
    lines = "".join(f'{name} = "{url}"\n' for name, url in urls.items())
    return text.replace(
        "[project.optional-dependencies]", f"[project.urls]\n{lines}\n[project.optional-dependencies]", 1
    )


def main(source: str, revision: str) -> None:
    """Change README.md and pyproject.toml."""
    for name, change in (("README.md", absolute), ("pyproject.toml", with_urls)):
        path = ROOT / name
        path.write_text(change(path.read_text(encoding="utf-8"), source, revision), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/addresses.py SOURCE REVISION")
    main(*sys.argv[1:])
