"""One script a client, run in the clients' own environment; none imports ModelScan."""
