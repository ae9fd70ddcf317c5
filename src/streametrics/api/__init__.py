"""The HTTP API: routes, middleware, error responses and the server that runs them."""
