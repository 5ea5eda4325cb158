"""The log on Kafka.

Producing side: `producer` appends, `placement` divides requests, `outbox` gathers their records into batches. Reading
side: `reader` polls and commits, `membership` knows what is ours and `assignor` how many partitions all members
go by, `offsets` what may be committed, `watching` how far behind we are, `watchdog` when to give up, `dead_letter`
takes what can't be processed and `replay` brings it back. `headers` say on the wire what a record is.
"""
