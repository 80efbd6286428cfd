"""The way to NATS: the connection, the streams of the queues, and what goes in and out."""
