#!/usr/bin/python3
"""Reads the source and reports what breaks the house rules (suite "tidy", TAP).

Every rule is a row of RULES. For each there is at least one tests/tidy/bad/<rule>*.c, a snippet
that it must flag: a rule that cannot fail is a defect of its own. The first line of a snippet says
which path it pretends to have.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BAD = ROOT / "tests/tidy/bad"

# Who may include what: folder -> prefixes of our headers. The folder itself is always allowed;
# "drivers/*.h" stands for the capability headers, not for any driver's folder.
CAPABILITIES = "drivers/*.h"
MAY_INCLUDE = {
    "base": (),
    "model": ("base/",),
    "wire": ("base/",),
    "transport": ("base/",),
    "data": ("base/",),
    "config": ("model/", "base/", "data/"),
    "strategies": ("model/", "base/"),
    "store": ("model/", "base/", "engine/journal.h"),
    "drivers": (CAPABILITIES, "model/", "base/"),
    "drivers/*": (CAPABILITIES, "transport/", "wire/", "model/", "base/"),
    "steps": ("engine/step.h", CAPABILITIES, "model/", "base/"),
    "engine": ("model/", "base/"),
    "guard": (CAPABILITIES, "transport/", "model/", "base/"),
    "bridge": ("wire/", "base/"),
    "probe": ("wire/", "transport/", "model/", "base/"),
    "report": ("model/", "base/", "engine/journal.h"),
    "api": ("model/", "base/", "config/", "report/", "engine/engine.h", "engine/control.h"),
    "cli": ("model/", "base/", "config/", "report/", "engine/engine.h", "engine/control.h",
            "engine/journal.h"),
    "app": ("",),
}

# Libraries are seen by the files that wrap them, and by no other; tests may look past the wrapper,
# for example to damage a database.
THIRD_PARTY = {
    r"jansson\.h": r"src/base/json\.c",
    r"openssl/.*": r"src/(base/sha256|transport/tls)\.c",
    r"sqlite3\.h": r"src/store/sqlite/.*",
    r"libfyaml\.h": r"src/config/.*\.c",
    r"cmocka\.h": r"$^",
}

# Calls that must not appear, where they may, and what to take instead. base/banned.h poisons the
# names that no library uses for something else.
BANNED = (
    (r"rand|random|srandom|drand48", r"^$", "base/random.h"),
    (r"sleep|usleep|nanosleep|clock_nanosleep", r"src/base/clock\.c", "clock_wait_ms()"),
    (r"gettimeofday|clock_gettime(?!\s*\(CLOCK_(?:PROCESS|THREAD)_CPUTIME)", r"src/base/clock\.c",
     "base/clock.h"),
    (r"malloc|calloc|realloc|strdup|strndup|alloca", r"src/base/mem\.c", "base/mem.h"),
    (r"strncpy|strncat|stpcpy|scanf|sscanf", r"^$", "base/buf.h or base/str.h"),
    (r"execvp|execlp|wordexp", r"src/transport/spawn\.c", "transport/spawn.h"),
)

LIMIT_COLUMNS = 100
LIMIT_FUNCTION = 70
LIMIT_NESTING = 3
LIMIT_HEADER = 250
LIMIT_SOURCE, LIMIT_SOURCE_HARD = 800, 1200


class Source:
    """One C file: its path from the root, its lines, and the same without comments and strings."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.code = blank_out(text).splitlines()
        self.is_header = path.endswith(".h")
        self.is_ours = path.startswith("src/")

    def includes(self):
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'#\s*include\s+([<"])([^>"]+)[>"]', line)
            if match:
                yield number, match.group(1) == '"', match.group(2)

    def functions(self):
        """Yields (name, first line, last line, is static) of each function definition."""
        start = None
        for number, line in enumerate(self.code, 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                head = []
                for before in reversed(self.code[:start - 1]):
                    if before == "" or before[0] == "#" or before[-1] in ";}":
                        break
                    head.insert(0, before)
                signature = " ".join(head)
                name = re.search(r"(\w+)\s*\(", signature)
                if name:
                    yield name.group(1), start, number, signature.startswith("static")
                start = None


def blank_out(text):
    """Replaces comments and the inside of strings by spaces; lines stay where they are."""
    def blank(match):
        found = match.group(0)
        if found[0] == '"' or found[0] == "'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    lines = re.sub(pattern, blank, text, flags=re.S).splitlines()
    return "\n".join(line.rstrip() for line in lines)


# Rules about one file: yield (line number, message).

def include_arrow(source):
    if not source.is_ours:
        return
    parts = source.path.split("/")
    if parts[1] == "drivers" and len(parts) > 3:
        folder, own = "drivers/*", f"drivers/{parts[2]}/"
    else:
        folder, own = parts[1], "" if parts[1] == "drivers" else f"{parts[1]}/"
    if folder not in MAY_INCLUDE:
        yield 1, f"the folder {folder} is not in the table of tests/tidy/tidy.py"
        return
    for number, is_quoted, name in source.includes():
        allowed = MAY_INCLUDE[folder] + ((own,) if own else ())
        is_capability = re.fullmatch(r"drivers/[^/]+\.h", name) is not None
        is_allowed = any(is_capability if prefix == CAPABILITIES else name.startswith(prefix)
                         for prefix in allowed)
        if is_quoted and not is_allowed:
            yield number, f"{folder} may not include {name}"


def third_party(source):
    if source.path.startswith("tests/"):
        return
    for number, is_quoted, name in source.includes():
        for pattern, place in THIRD_PARTY.items():
            if re.fullmatch(pattern, name) and not re.fullmatch(place, source.path):
                yield number, f"<{name}> belongs into the file that wraps the library"
        if not is_quoted and (ROOT / "src" / name).exists():
            yield number, f"our own header {name} is written in quotes"


def own_header_first(source):
    if source.is_header or not source.is_ours:
        return
    own = source.path[len("src/"):-len(".c")] + ".h"
    first = next(source.includes(), (1, False, ""))
    if first[2] != own and own in {name for _, _, name in source.includes()}:
        yield first[0], f"{own} must be the first include, which proves it self-contained"


def file_size(source):
    size = len(source.lines)
    if source.is_header and size > LIMIT_HEADER:
        yield size, f"a header of {size} lines (limit {LIMIT_HEADER})"
    elif size > LIMIT_SOURCE_HARD:
        yield size, f"{size} lines (limit {LIMIT_SOURCE_HARD})"
    elif size > LIMIT_SOURCE and not source.text.startswith("/*"):
        yield size, f"{size} lines: past {LIMIT_SOURCE} an opening comment says why"


def function_size(source):
    for name, start, end, _ in source.functions():
        size = end - start + 1
        if size > LIMIT_FUNCTION:
            yield start, f"{name}() has {size} lines (limit {LIMIT_FUNCTION})"


def nesting(source):
    # By indentation, which clang-format guarantees: the body of a function is one step in.
    deep = re.compile(r"^ {%d,}(?:\} )?(?:if|for|while|switch|do|else)\b" % (4 * LIMIT_NESTING + 4))
    for number, line in enumerate(source.code, 1):
        if deep.match(line):
            yield number, f"nested deeper than {LIMIT_NESTING} levels"


def line_width(source):
    for number, line in enumerate(source.lines, 1):
        if len(line.expandtabs(8)) > LIMIT_COLUMNS:
            yield number, f"{len(line)} columns (limit {LIMIT_COLUMNS})"


def braces(source):
    for number, line in enumerate(source.code, 1):
        match = re.match(r"^(\s*)(?:\} )?(?:else )?(if|for|while) \(", line)
        if match and line.endswith(";") and closes_before_end(line) and "} while" not in line:
            yield number, "a body without braces"


def closes_before_end(line):
    """Does the first parenthesis of the line close before its last character but one?"""
    depth = 0
    for index, char in enumerate(line):
        depth += (char == "(") - (char == ")")
        if char == ")" and depth == 0:
            return line[index + 1:].strip() not in ("", ";")
    return False


def banned_call(source):
    if not source.is_ours:
        return
    for names, place, instead in BANNED:
        if re.fullmatch(place, source.path):
            continue
        pattern = re.compile(r"(?<![\w.>])(?:%s)\s*\(" % names)
        for number, line in enumerate(source.code, 1):
            found = pattern.search(line)
            if found:
                yield number, f"{found.group(0)}) is banned: use {instead}"


def todo(source):
    for number, line in enumerate(source.lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b(?!.*#\d+)", line):
            yield number, "a TODO needs the number of its issue (#N)"


def private_path(source):
    for number, line in enumerate(source.lines, 1):
        if re.search(r"/(work|root)/", line):
            yield number, "a path of somebody's machine"


def header_comment(source):
    if not source.is_header or not source.is_ours:
        return
    name = source.path[len("src/"):]
    if not source.text.startswith(f"/*\n * {name} - "):
        yield 1, f'a header opens with "/* {name} - what it is for"'


def header_guard(source):
    if not source.is_header or not source.is_ours:
        return
    guard = "UPSHIFT_" + re.sub(r"\W", "_", source.path[len("src/"):]).upper()
    if f"#ifndef {guard}\n#define {guard}\n" not in source.text:
        yield 1, f"the guard must be {guard}"


def test_is_run(source):
    name = re.fullmatch(r"tests/(unit|sim)/.*?(?:test|sim)_(\w+)\.c", source.path)
    build = (ROOT / source.path).parent / "meson.build"
    if name and not (build.exists() and f"'{name.group(2)}'" in build.read_text()):
        yield 1, f"no meson.build beside it lists '{name.group(2)}': it never runs"


FILE_RULES = (
    include_arrow, third_party, own_header_first, file_size, function_size, nesting, line_width,
    braces, banned_call, todo, private_path, header_comment, header_guard, test_is_run)


# Rules about the whole tree: yield (path, line number, message).

def unique_static(sources):
    places = {}
    for source in sources:
        if source.is_ours and not source.is_header:
            for name, start, _, is_static in source.functions():
                if is_static:
                    places.setdefault(name, []).append((source.path, start))
    for name, found in sorted(places.items()):
        for path, start in found[1:]:
            yield path, start, f"{name}() is the name of another static function, in {found[0][0]}"


TREE_RULES = (unique_static,)
RULES = {rule.__name__: rule for rule in FILE_RULES + TREE_RULES}


def check(rule, sources):
    """Returns "path:line: message" for each violation."""
    if rule in TREE_RULES:
        return [f"{path}:{line}: {text}" for path, line, text in rule(sources)]
    return [f"{source.path}:{line}: {text}"
            for source in sources for line, text in rule(source)]


def read_sources():
    paths = [path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.[ch]")]
    return [Source(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
            for path in sorted(paths) if BAD not in path.parents]


def read_bad(path):
    """A snippet may hold several files, each after its own "tidy: pretend PATH" line."""
    chunks = re.split(r"/\* tidy: pretend (\S+) \*/\n", path.read_text(encoding="utf-8"))
    return [Source(name, text) for name, text in zip(chunks[1::2], chunks[2::2])]


def check_texts():
    """Private paths in everything that is not C: scripts, documents, build files, data."""
    suffixes = {".py", ".sh", ".md", ".build", ".yaml", ".txt", ".json", ".html", ""}
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        if relative.parts[0].startswith((".git", "build")) or path == Path(__file__).resolve():
            continue
        if path.is_file() and path.suffix in suffixes:
            text = path.read_text(encoding="utf-8", errors="replace")
            for line, message in private_path(Source(str(relative), text)):
                yield f"{relative}:{line}: {message}"


def check_format(sources):
    """clang-format changes its mind between versions, so only the one we use is asked."""
    files = [str(ROOT / source.path) for source in sources]
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", *files], cwd=ROOT,
                          stderr=subprocess.PIPE, check=False)
    found = re.findall(r"^(\S+?:\d+):\d+: error", done.stderr.decode(), re.M)
    places = {place.split(":")[0]: place for place in reversed(found)}
    return [f"{Path(place).relative_to(ROOT)}: not as clang-format writes it"
            for place in sorted(places.values())]


def has_clang_format():
    if shutil.which("clang-format") is None:
        return False
    return b"version 14." in subprocess.run(["clang-format", "--version"],
                                            stdout=subprocess.PIPE, check=True).stdout


def main():
    sources = read_sources()
    cases = [(f"{name} holds in the tree", check(rule, sources)) for name, rule in RULES.items()]
    cases.append(("private_path holds in all texts", list(check_texts())))
    if has_clang_format():
        cases.append(("format holds in the tree", check_format(sources)))
    snippets = sorted(BAD.glob("*.c"))
    for name, rule in RULES.items():
        mine = [path for path in snippets if path.stem.split("-")[0] == name]
        complaints = [] if mine else [f"there is no tests/tidy/bad/{name}.c"]
        complaints += [f"{path.name} is not flagged" for path in mine
                       if not check(rule, read_bad(path))]
        cases.append((f"{name} can fail", complaints))
    failed = 0
    print(f"1..{len(cases)}")
    for number, (title, complaints) in enumerate(cases, 1):
        print(f"{'not ok' if complaints else 'ok'} {number} - {title}")
        for complaint in complaints:
            print(f"# {complaint}")
        failed += bool(complaints)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
