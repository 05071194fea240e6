"""The pages: HTML made on the server of what the API gives. They work without scripts."""
