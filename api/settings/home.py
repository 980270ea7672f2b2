"""The folders that the settings name."""

from __future__ import annotations

from pathlib import Path

from api.settings.private_files import make_private
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting


def make_home(settings: Settings) -> None:
    """Create the folders and the SQLite file that the settings name, for this user alone."""
    make_folder("MILEPOST_HOME", settings.home)
    if settings.database == "sqlite":
        file = settings.sqlite_file
        make_folder("MILEPOST_DATABASE_URL", file.parent)
        try:
            make_private(file)
        except OSError as error:
            raise InvalidSetting(
                f"MILEPOST_DATABASE_URL: {file} cannot be made: {error.strerror}"
            ) from error


def make_folder(name: str, folder: Path) -> None:
    """Make a folder for this user alone; raise an `InvalidSetting` that names the variable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(f"{name}: {folder} cannot be made: {error.strerror}") from error
