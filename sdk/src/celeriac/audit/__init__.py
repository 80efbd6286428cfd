"""The audit: what the API server and NATS hold, compared. It reads, and writes nothing."""
