from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a teacher must not touch the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SegFormer with our classes."""
    from tiny_huggingface import save, segformer

    return save(segformer(), tmp_path_factory.mktemp("teachers") / "city")


@pytest.fixture
def copied(city: Path, tmp_path: Path) -> Path:
    """The same, to spoil."""
    shutil.copytree(city, tmp_path / "teacher")
    return tmp_path / "teacher"
