"""The route file: whom an alert goes to, when, and what keeps it back, in the style of Alertmanager."""
