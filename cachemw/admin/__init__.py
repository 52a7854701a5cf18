"""Looking at stored entries and removing them: the `/cache/*` endpoints and their command line."""
