"""What goes over NATS between clients, operator and runner, as values. Pure: no connection, no clock."""
