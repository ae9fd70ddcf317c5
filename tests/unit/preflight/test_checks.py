"""What the self-check finds without starting anything: the findings that need another system than this one."""

from pathlib import Path

import pytest

from streametrics.cli import main as cli
from streametrics.preflight import checks
from streametrics.settings import Settings


def names(**settings: object) -> dict[str, bool]:
    """What is found by name, and whether it is refused."""
    made = Settings(_env_file=None, queue_port=1, **settings)  # type: ignore[arg-type]
    return {finding.name: finding.refused for finding in checks.examine(made)}


def test_the_defaults_are_safe(tmp_path: Path) -> None:
    assert names(data_dir=tmp_path / "data") == {}


def test_an_audio_stores_id_that_cannot_be_read_is_said_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "audio" / ".store-id").mkdir(parents=True)
    assert names(data_dir=tmp_path) == {"data_dir": True}


def test_an_open_address_with_a_key_of_its_own_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an open address, and no other key than one that `keys add` has made
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    assert names(host="0.0.0.0", data_dir=tmp_path / "data") == {"open_bind": True}
    assert cli.main(["keys", "add", "ada", "--scope", "submit"]) == 0
    # Expect it to start, but not with a short key beside, which would be an administrator's
    assert names(host="0.0.0.0", data_dir=tmp_path / "data") == {}
    assert names(host="0.0.0.0", data_dir=tmp_path / "data", internal_api_key="short") == {"open_bind": True}


def test_a_queue_elsewhere_without_a_password_is_warned_of(tmp_path: Path) -> None:
    common = {"data_dir": tmp_path / "data"}
    assert names(redis_url="redis://192.0.2.1:1/0", **common) == {"queue_password": False}
    assert names(redis_url="redis://:secret@192.0.2.1:1/0", **common) == {}


def test_a_soft_limit_that_never_comes_is_warned_of(tmp_path: Path) -> None:
    assert names(task_time_limit_s=60, data_dir=tmp_path / "data") == {"soft_limit": False}


def test_pages_and_names_as_they_are_written_are_safe(tmp_path: Path) -> None:
    found = names(
        data_dir=tmp_path / "data",
        allowed_origins="https://my.example,http://localhost:3000,moz-extension://0a1b-2c,http://[::1]:8080",
        allowed_hosts="streams.example,pi,192.168.1.5",
    )
    assert found == {}


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/data/jobs", "nfs4"), ("/data", "nfs4"), ("/datas", "ext4"), ("/with space/x", "cifs"), ("/", "ext4")],
)
def test_the_file_system_of_a_folder_is_that_of_its_deepest_mount(folder: str, kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "rootfs / rootfs rw 0 0\n/dev/sda / ext4 rw 0 0\nhost:/x /data nfs4 rw 0 0\n//y /with\\040space cifs rw 0 0\n"
    )
    assert checks._file_system(Path(folder), mounts) == kind


def test_a_network_file_system_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_file_system", lambda folder: "nfs4")
    assert names(data_dir=tmp_path / "data") == {"network_file_system": False}
    assert names(data_dir=tmp_path / "data", database_url="postgresql://x/y") == {}
