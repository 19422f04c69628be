"""The identity of a broker and the lock on it."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.service.datadir import DataDir
from tanist.service.sources import UsageError


def test_the_identity_is_made_once_and_kept(tmp_path):
    path = tmp_path / "a" / "b"
    with DataDir(path) as first:
        system_id = first.system_id()
        assert first.system_id() == system_id
    with DataDir(path) as second:
        assert second.system_id() == system_id
    assert UUID((path / "systemId").read_text().strip()) == system_id
    with DataDir(tmp_path / "other") as other:
        assert other.system_id() != system_id


def test_two_brokers_cannot_share_a_directory(tmp_path):
    with DataDir(tmp_path), pytest.raises(UsageError, match="another broker uses this data-dir"):
        DataDir(tmp_path)
    with DataDir(tmp_path):
        pass


def test_a_spoiled_identity_is_not_replaced_silently(tmp_path):
    (tmp_path / "systemId").write_text("nonsense")
    with DataDir(tmp_path) as data_dir, pytest.raises(UsageError, match="does not hold a UUID"):
        data_dir.system_id()


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot use data-dir"):
        DataDir(tmp_path / "file" / "x")


def test_an_identity_that_cannot_be_read(tmp_path):
    (tmp_path / "systemId").mkdir()
    with DataDir(tmp_path) as data_dir, pytest.raises(UsageError, match="Cannot use"):
        data_dir.system_id()
