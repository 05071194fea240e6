"""GitHub over its REST API: content at exact commits, check runs, the comment, reviews."""
