"""Tasks end although a cancellation was lost."""

import asyncio

from modelscan.shared.ending import cancelled


async def deaf(times: int, heard: list[int]) -> None:
    """Loses as many cancellations as `times`, as Python 3.11's `asyncio.wait_for` may."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append(times)
            if len(heard) > times:
                raise


def test_a_task_that_loses_cancellations_ends_all_the_same() -> None:
    async def story() -> None:
        lost: list[int] = []
        at_once: list[int] = []
        tasks = [asyncio.create_task(deaf(2, lost)), asyncio.create_task(deaf(0, at_once))]
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await cancelled(tasks)
        assert all(task.cancelled() for task in tasks)
        assert (len(lost), len(at_once)) == (3, 1)

    asyncio.run(story())
