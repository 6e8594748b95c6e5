"""Check that files and functions stay short: one idea per file, and a function that fits on a screen.

    python tools/lengths.py

In a file every line counts; in a function its statements: not its signature, docstring, declarations, comments and
blank lines, nor the functions inside it.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES, FUNCTION_LINES = 400, 40

PREFIX = r"(?:(?:pure|elemental|recursive|impure|module)\s+)*(?:[\w()=]+\s+)?"
OPENED = re.compile(rf"^\s*{PREFIX}(subroutine|function)\s+(\w+)", re.IGNORECASE)
CLOSED = re.compile(r"^\s*end\s+(?:subroutine|function)\b", re.IGNORECASE)
INTERFACE = re.compile(r"^\s*(?:abstract\s+)?interface\b", re.IGNORECASE)
END_INTERFACE = re.compile(r"^\s*end\s+interface\b", re.IGNORECASE)
DECLARED = re.compile(r"::|^\s*(?:use|implicit|import|contains)\b", re.IGNORECASE)


def python_functions(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each function and how many lines of code it has, without the functions in it."""
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        for line in range(token.start[0], token.end[0] + 1)
    }
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        lines = code & set(range(function.body[0].lineno, function.end_lineno + 1))
        if ast.get_docstring(function, clean=False) is not None:
            lines -= set(range(function.body[0].lineno, function.body[0].end_lineno + 1))
        for other in ast.walk(function):
            if other is not function and isinstance(other, ast.FunctionDef | ast.AsyncFunctionDef):
                lines -= set(range(other.lineno, other.end_lineno + 1))
        yield function.name, len(lines)


def fortran_procedures(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each procedure and how many executable lines it has, without the procedures in it."""
    names: list[str] = []
    counts: list[int] = []
    in_interface = continued = False
    for line in text.splitlines():
        code = line.split("!", 1)[0].rstrip()
        if not code:
            continue
        if INTERFACE.match(code) or END_INTERFACE.match(code):
            in_interface = not END_INTERFACE.match(code)
        elif in_interface:
            continue
        elif CLOSED.match(code):
            yield names.pop(), counts.pop()
        elif opened := OPENED.match(code):
            names.append(opened.group(2))
            counts.append(0)
        elif names and (counts[-1] if continued else not DECLARED.search(code)):
            counts[-1] += 1
        continued = code.endswith("&")


def sources() -> Iterator[Path]:
    """Yield the kernel, the package, and the scripts; the tests of either may be long."""
    for folder in ("src", "minpack", "examples", "benchmarks", "tools"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.name.endswith((".py", ".f90", ".f90.in", ".inc")):
                yield path


def too_long() -> Iterator[tuple[str, int, int]]:
    """Yield each file and each function that is too long, its length and the limit."""
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        count = len(text.splitlines())
        if count > FILE_LINES:
            yield name, count, FILE_LINES
        functions = python_functions if path.suffix == ".py" else fortran_procedures
        for function, length in functions(text):
            if length > FUNCTION_LINES:
                yield f"{name}:{function}", length, FUNCTION_LINES


def main() -> int:
    """Say what is too long; return 1 if anything is."""
    found = list(too_long())
    for name, length, limit in found:
        print(f"{name}: {length} lines, at most {limit}; split it")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
