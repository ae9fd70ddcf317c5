"""The database: tables, queries, leases and migrations."""
