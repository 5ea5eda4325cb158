"""Apache Kafka for tests, benchmarks and trying things out."""
