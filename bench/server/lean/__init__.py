"""A thin WebSocket edge for engines that must hold hundreds of calls on one core."""
