"""The log on Kafka.

Producing side: `producer` appends, `placement` divides requests. Reading side: `reader` polls and commits, `membership`
knows what is ours, `offsets` what may be committed, `watchdog` when to give up, `dead_letter` takes what can't be
processed. `headers` say on the wire what a record is.
"""
