"""The life of a job: a service for clients, a lifecycle for workers, the broker and the maintenance."""
