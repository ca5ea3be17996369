from jobs.app import app


@app.task
def resize(picture: str) -> str:
    return picture.upper()
