//! Sources: Git repositories fetched bare and read as Trees; webhooks.
