"""GitHub's words, read and written without I/O: webhooks, check runs, comments, sign-off."""
