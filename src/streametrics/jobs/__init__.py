"""Takes jobs through their life: a service for clients, a lifecycle for workers, the broker, maintenance."""
