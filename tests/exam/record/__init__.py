"""The recorder: runs a small service under /app, breaks it as `record.json` says, and writes down what it printed."""
