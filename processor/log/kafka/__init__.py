"""The log on Kafka: `producer` appends, `placement` divides requests, `headers` say on the wire what a record is."""
