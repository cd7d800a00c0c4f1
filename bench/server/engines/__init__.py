"""What answers a caller: `base` is the interface, every other module one engine or a part of one."""
