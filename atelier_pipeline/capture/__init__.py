"""Sockets, waiting and clocks: the only folder with asyncio and websockets but the simulator."""
