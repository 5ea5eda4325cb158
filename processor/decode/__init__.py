"""OTLP to Arrow: the first that makes arrays, in every process that does."""

from processor.decode.without_pandas import make_first_array

make_first_array()
