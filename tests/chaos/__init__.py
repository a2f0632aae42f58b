"""Faults done to real searches: processes killed, disks filled, clocks moved. `python -m tests.chaos` runs hundreds."""
