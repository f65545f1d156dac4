"""Snapshots."""

import dataclasses

import pytest

from tests.support.service import serving


async def test_snapshots_are_frozen_values() -> None:
    """Two snapshots of the same moment are equal, and nobody changes one."""
    async with serving(threads=False) as service:
        service.connect()
        registry = service.registry
        assert registry.stats() == registry.stats()
        assert registry.worker_stats() == registry.worker_stats()
        assert registry.kernel_stats() == registry.kernel_stats()
        with pytest.raises(dataclasses.FrozenInstanceError):
            registry.stats().total = 7  # type: ignore[misc]
        with pytest.raises(dataclasses.FrozenInstanceError):
            registry.worker_stats().limit = 7  # type: ignore[misc]
        with pytest.raises(dataclasses.FrozenInstanceError):
            registry.kernel_stats()[0].state = "open"  # type: ignore[misc]
