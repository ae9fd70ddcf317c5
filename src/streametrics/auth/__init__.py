"""Who calls: principals, scopes and API keys."""
