"""Who asks: tenants, virtual API keys and what they may spend."""
