from flask import Flask

from upload.limits import MAX_BYTES

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
