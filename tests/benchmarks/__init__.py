"""What is fast, and by how much: measured side by side in one run, and never in a test.

``python -m tests.benchmarks`` lists what can be measured.
"""
