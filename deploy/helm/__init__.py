"""The chart, and what is generated beside it."""
