"""Who may import whom. Read from the source, so imports inside functions count too."""

import ast
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from tests.support.rooms import (
    ADAPTER_MAY,
    HOMES,
    IN_BACKGROUND,
    MAY_IMPORT_BY_NAME,
    PARTLY,
    PIPELINE_MAY,
    ROOMS,
    TOP,
    WITHOUT_SETTINGS,
)

SOURCE = Path(__file__).parent.parent / "src"
PACKAGE = "streametrics"
ARCHITECTURE = SOURCE.parent / "docs" / "architecture.md"


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE / PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SOURCE / PACKAGE).rglob("*.py"))}


@cache
def imported(module: str) -> frozenset[str]:
    """Everything that a module imports, ours as full names below `streametrics`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names
            # `from streametrics.llm import http` means the module, not the package around it.
            if not {name.removeprefix(f"{PACKAGE}.") for name in names} <= MODULES.keys():
                found.add(node.module)
        elif isinstance(node, ast.Attribute) and ast.unparse(node).startswith(f"{PACKAGE}."):
            # `import streametrics` reaches every room by its attributes.
            found.add(ast.unparse(node))
    return frozenset(found)


def ours(module: str) -> set[str]:
    """Our modules that a module imports, without the package's name."""
    names = {name.removeprefix(f"{PACKAGE}.") for name in imported(module) if name.startswith(f"{PACKAGE}.")}
    return names & MODULES.keys()


def libraries(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imported(module)}


def below(package: str) -> list[str]:
    return [name for name in MODULES if name.startswith(f"{package}.")]


def test_the_reader_of_imports_sees_the_source() -> None:
    # Given the source; expect known imports, so that no rule below passes because nothing was read
    assert {"settings", "errors"} <= ours("cli.main")
    assert "fastapi" in libraries("app")


def room_of(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_has_a_room() -> None:
    rooms = {room_of(name) for name, path in MODULES.items() if path.parent != SOURCE / PACKAGE}
    assert rooms == ROOMS.keys()
    assert {name for name, path in MODULES.items() if path.parent == SOURCE / PACKAGE} == TOP.keys()


def test_the_architecture_tells_what_each_room_imports_at_most() -> None:
    # Given the table of the rooms in the documents
    rows = re.findall(r"^\| `(\w+)/` \| .+ \| (.+) \|$", ARCHITECTURE.read_text(encoding="utf-8"), re.M)
    # Expect it to be the rules that are held here
    assert {room: set(re.findall(r"`(\w+)[.\w]*`", may)) for room, may in rows} == ROOMS


def test_the_rooms_stand_on_floors() -> None:
    # Given what each room may import; expect to reach all of them from below, which a circle would keep us from
    built: set[str] = set()
    while floor := {room for room, may in ROOMS.items() if may <= built} - built:
        built |= floor
    assert built == ROOMS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_more_than_it_may(room: str) -> None:
    may = ROOMS[room] | {room, "errors"} | (set() if room in WITHOUT_SETTINGS else {"settings"})
    if room in ("concurrency", "domain", "observability"):
        may = ROOMS[room] | {room}
    for module in below(room):
        assert {room_of(name) for name in ours(module)} - {""} <= may, module


@pytest.mark.parametrize(("room", "other"), PARTLY)
def test_a_room_knows_no_more_of_another_than_it_may(room: str, other: str) -> None:
    for module in below(room):
        assert {name for name in ours(module) if room_of(name) == other} <= PARTLY[room, other], module


@pytest.mark.parametrize("module", TOP)
def test_what_stands_at_the_top_imports_no_more_than_it_may(module: str) -> None:
    assert {room_of(name) for name in ours(module)} - {""} <= TOP[module]


def test_nothing_is_allowed_that_nobody_needs() -> None:
    # Given what may be imported; expect each of it to be imported, as a rule that is too wide keeps nothing out
    for room, may in ROOMS.items():
        used = {room_of(name) for module in below(room) for name in ours(module)}
        assert may <= used, room
        assert (room in WITHOUT_SETTINGS) == ("settings" not in used), room
    for library, homes in HOMES.items():
        users = [module for module in MODULES if library in libraries(module)]
        for home in homes:
            assert any(_is_home(module, [home]) for module in users), f"{library} in {home}"


def test_what_starts_a_thread_or_a_task_says_how_its_death_is_seen() -> None:
    # Given all that begins to run by itself; one that is new belongs into a `PeriodicThread` or a `SupervisedTask`
    names = {"Thread", "Timer", "ThreadPoolExecutor", "ProcessPoolExecutor", "create_task", "ensure_future"}
    names |= {"run_in_executor", "start_new_thread", "TaskGroup", "create_task_group", "run_coroutine_threadsafe"}

    def starts(module: str) -> bool:
        nodes = ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        return not names.isdisjoint(getattr(node, key, None) for node in nodes for key in ("id", "attr"))

    assert {module for module in MODULES if starts(module)} == IN_BACKGROUND.keys()


def test_no_module_is_imported_by_a_name_that_these_rules_do_not_see() -> None:
    def does_it(module: str) -> bool:
        nodes = ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        words = {getattr(node, key, None) for node in nodes for key in ("id", "attr", "name")}
        return not words.isdisjoint({"import_module", "__import__"})

    assert [module for module in MODULES if does_it(module)] == MAY_IMPORT_BY_NAME


def test_a_package_is_no_hiding_place_for_code() -> None:
    # Given the packages; expect their own files to hold a docstring at most
    for name, path in MODULES.items():
        if path.name == "__init__.py" and name:
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert len(body) <= 1, name
            assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), name


@pytest.mark.parametrize("module", below("pipeline"))
def test_the_pipeline_knows_no_framework(module: str) -> None:
    assert ours(module) <= PIPELINE_MAY
    assert libraries(module) - sys.stdlib_module_names <= {PACKAGE, "numpy"}


@pytest.mark.parametrize("module", below("api"))
def test_routes_import_neither_engines_nor_tasks(module: str) -> None:
    forbidden = {name for room in ("pipeline", "worker", "transcription") for name in below(room)}
    assert ours(module) & forbidden == set()


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_at_home(library: str) -> None:
    # Given where a library may be known
    users = {module for module in MODULES if library in libraries(module)}
    # Expect no other module to import it
    assert [module for module in sorted(users) if not _is_home(module, HOMES[library])] == []


def _is_home(module: str, homes: list[str]) -> bool:
    return any(fnmatchcase(module, home) or fnmatchcase(f"{module}.", home) for home in homes)


#: What the classes of a room's adapters are called; other modules there are shared by them, or serve one.
ADAPTER_NAMES = {
    "transcription.engines": ("Transcriber", "Whisper"),
    "summarization": ("Summarizer",),
    "llm": ("Model",),
}
#: Where one of them is chosen.
FACTORIES = ["transcription.factory", "summarization.factory", "llm.factory"]


def adapters_in(package: str) -> set[str]:
    return {
        module
        for module in below(package)
        if not module.endswith(".base")
        for node in ast.parse(MODULES[module].read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.endswith(ADAPTER_NAMES[package])
    }


@pytest.mark.parametrize("package", ADAPTER_NAMES)
def test_an_adapter_imports_its_contract_and_no_other_adapter(package: str) -> None:
    # Given each adapter of a room
    adapters = adapters_in(package)
    assert len(adapters) >= 3
    for module in adapters:
        others = {name for name in ours(module) if name in adapters}
        assert others == set(), module
        allowed = ADAPTER_MAY | set(below(package))
        assert ours(module) <= allowed, module


def test_choosing_an_adapter_imports_no_other() -> None:
    # Given the choice among adapters; expect their modules to be imported inside its cases only
    adapters = {f"{PACKAGE}.{module}" for package in ADAPTER_NAMES for module in adapters_in(package)}
    for factory in FACTORIES:
        tree = ast.parse(MODULES[factory].read_text(encoding="utf-8"))
        at_import = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert at_import & adapters == set()


@pytest.mark.slow
def test_the_web_process_never_loads_an_engine() -> None:
    # When the web entry is imported in a process of its own
    program = "import sys, streametrics.app; print(*sorted(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # Expect none of the large libraries in it
    loaded = {name.partition(".")[0] for name in finished.stdout.split()}
    assert "fastapi" in loaded
    assert loaded & {"torch", "ctranslate2", "whisper", "faster_whisper", "av", "numba", "onnxruntime"} == set()


def test_no_module_is_imported_in_a_circle() -> None:
    # Given the imports between our modules
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for name in sorted(ours(module)):
                visit(name, (*path, module))
            done.add(module)

    # Expect that following them never leads back
    for module in MODULES:
        visit(module, ())
