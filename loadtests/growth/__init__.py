"""How cachemw fares with a thousand entries and with a million."""
