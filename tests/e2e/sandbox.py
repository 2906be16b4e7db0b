"""Where end-to-end tests and the demo run: never as root, in folders of their own.

A script that starts servers calls enter() first. As root it is executed again as `nobody`, from a
copy that `nobody` can read, with HOME, XDG_CACHE_HOME, XDG_STATE_HOME and TMPDIR in a folder owned
by that user. Downloaded packages stay in the cache for the next time.
"""
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BASE = Path("/var/cache/upshift-test")
USER, GROUP = "nobody", "nogroup"
# Programs that scripts are told about by environment; they are copied along.
PROGRAMS = ("UPSHIFT", "PREPARE_VERSION", "FAULTS", "CUTOVER", "REDIS_CONFORMANCE", "IDLE_MODULE")


def enter():
    """Returns at once when not root; otherwise this process goes on as another program."""
    if os.geteuid() != 0:
        return
    script = Path(sys.argv[0]).resolve()
    for name in ("home", "cache", "state", "tmp"):
        (BASE / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(BASE / name, USER, GROUP)
    (BASE / "tmp").chmod(0o700)
    stage = BASE / "stage"
    for folder in {Path(__file__).resolve().parent, script.parent}:
        copy_tree(folder, stage / folder.name)
    environment = dict(os.environ)
    for name in PROGRAMS:
        if name in environment:
            source = Path(environment[name])
            # Several builds may be tested at the same time.
            build = hashlib.sha256(str(source.parent).encode()).hexdigest()[:8]
            target = stage / "bin" / build / source.name
            copy_file(source, target)
            environment[name] = str(target)
    environment.update(HOME=str(BASE / "home"), XDG_CACHE_HOME=str(BASE / "cache"),
                       XDG_STATE_HOME=str(BASE / "state"), TMPDIR=str(BASE / "tmp"),
                       PYTHONPATH=str(stage / Path(__file__).resolve().parent.name))
    environment.pop("XDG_RUNTIME_DIR", None)
    os.chdir("/")
    os.execvpe("setpriv", ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups",
                           sys.executable, str(stage / script.parent.name / script.name),
                           *sys.argv[1:]], environment)


def copy_file(source, target):
    """By rename: another script may be running the old copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, fresh)
    fresh.chmod(0o755)
    fresh.rename(target)


def copy_tree(source, target):
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy_file(path, target / path.relative_to(source))


def private_environment(directory):
    """The environment for upshift in a test: its journal below `directory`, the cache shared."""
    return {**os.environ, "XDG_STATE_HOME": f"{directory}/state", "XDG_RUNTIME_DIR": str(directory)}


class Skip(Exception):
    """Raised by a case that cannot run here; the argument is the reason."""


FOLDERS = set()  # of the cases that run now


def end_processes():
    """Ends what still works in the folder of a case: nobody else would after a time limit."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            place = os.readlink(entry / "cwd")
            if any(place.startswith(f"{folder}/") for folder in FOLDERS):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:  # gone, or somebody else's
            pass


def end_at_once(*_):
    """SIGTERM while cases run side by side: threads cannot be told to clean up."""
    end_processes()
    os._exit(1)


def run_case(case):
    """Runs one in a private folder; returns None, or the exception that ended it, as text."""
    try:
        with tempfile.TemporaryDirectory(prefix="upshift-") as directory:
            folder = str(Path(directory).resolve())
            FOLDERS.add(folder)
            try:
                case(directory)
            finally:
                FOLDERS.discard(folder)
        return None
    except Skip as skip:
        return skip
    except Exception:  # pylint: disable=broad-except
        return traceback.format_exc()


def run_cases(*cases, at_a_time=1):
    """Runs functions as TAP cases, each with a private folder that is removed afterwards. More than
    one at a time where they mostly wait."""
    # One at a time `finally` cleans up.
    signal.signal(signal.SIGTERM, end_at_once if at_a_time > 1 else lambda *_: sys.exit(1))
    failed = 0
    print(f"1..{len(cases)}", flush=True)
    pool = ThreadPoolExecutor(at_a_time) if at_a_time > 1 else None
    ends = (pool.map if pool else map)(run_case, cases)
    for number, (case, end) in enumerate(zip(cases, ends), 1):
        if end is None:
            print(f"ok {number} - {case.__name__}", flush=True)
        elif isinstance(end, Skip):
            print(f"ok {number} - {case.__name__} # SKIP {end}", flush=True)
        else:
            failed += 1
            print(f"not ok {number} - {case.__name__}")
            print("".join(f"# {line}\n" for line in end.splitlines()), end="", flush=True)
    sys.exit(1 if failed else 0)
