"""Client connections: aiohttp's, with timeouts, answers to half-closed connections, and a log that quotes nothing."""
