import os

MAX_BYTES = int(os.environ.get("MAX_UPLOAD_MB", "10")) * 1_000_000
