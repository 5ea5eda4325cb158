"""Benchmarks of the processor: `python -m benchmarks` lists them.

Each prints the machine, the versions and the input before its figures, and one JSON object as its last line. None of
them downloads anything; servers run as subprocesses in temporary directories and are stopped by their process id.
"""
