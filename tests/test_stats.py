"""Snapshots."""

import dataclasses

import pytest

from tests.support.service import serving


async def test_snapshots_are_frozen_values() -> None:
    """Two snapshots of the same moment are equal, and nobody changes one."""
    async with serving(threads=False) as service:
        service.connect()
        registry = service.registry
        for snapshot, again in [
            (registry.stats(), registry.stats()),
            (registry.worker_stats(), registry.worker_stats()),
            (registry.kernel_stats()[0], registry.kernel_stats()[0]),
        ]:
            assert snapshot == again
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(snapshot, dataclasses.fields(snapshot)[0].name, None)
