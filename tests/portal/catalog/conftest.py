"""A catalog in memory, and folders to read."""

import pytest

from roadbed.portal.catalog import Catalog
from roadbed.portal.index import Database


@pytest.fixture
async def catalog():
    database = Database(None)
    await database.open()
    yield Catalog(database)
    await database.close()


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "organisation"
    root.mkdir()

    def write(name, text):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    root_and_write = type("Folder", (), {"root": root, "write": staticmethod(write), "path": str(root)})
    return root_and_write()
