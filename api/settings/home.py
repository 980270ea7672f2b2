"""The folders and the database's file that the settings name."""

from __future__ import annotations

from pathlib import Path

from api.settings.checks.sqlite_file import check_file, check_link
from api.settings.private_files import make_private, make_private_folder
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting


def check_database_file(settings: Settings, *, only_looks: bool = False) -> None:
    """Raise an `InvalidSetting` if this account cannot use what is in the SQLite file's place."""
    if settings.database == "sqlite":
        check_file(settings.sqlite_file, only_looks=only_looks)


def make_home(settings: Settings) -> None:
    """Create the folders and the SQLite file that the settings name, for this user alone."""
    make_folder("MILEPOST_HOME", settings.home)
    if settings.database == "sqlite":
        check_link(settings.database_url)
        file = settings.sqlite_file
        make_folder("MILEPOST_DATABASE_URL", file.parent)
        try:
            make_private(file)
        except OSError as error:
            raise InvalidSetting(
                f"MILEPOST_DATABASE_URL: {file} cannot be made: {error.strerror}"
            ) from error


def make_folder(name: str, folder: Path) -> None:
    """Make a folder, and those above it, for one account alone, unless they exist.

    The account is this one. If it is root, each folder belongs to the owner of the one above it.
    Raises an `InvalidSetting` that names the variable.
    """
    try:
        for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            make_private_folder(missing)
        folder.mkdir(exist_ok=True)  # raises if a file has the name
    except OSError as error:
        raise InvalidSetting(f"{name}: {_obstacle(folder, error)}") from error


def _obstacle(folder: Path, error: OSError) -> str:
    # The system says "File exists" of a file, and of a link whose disk is not mounted.
    if isinstance(error, FileExistsError):
        place = Path(error.filename)
        if place.exists():
            return f"{place} is no folder"
        return f"{place} is a link to nothing: {place.readlink()} does not exist"
    return f"{folder} cannot be made: {error.strerror}"
