"""The fast path: ordinary predictions are answered without a task, a router or middleware of aiohttp."""
