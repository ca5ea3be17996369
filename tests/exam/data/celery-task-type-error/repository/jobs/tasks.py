from jobs.app import app
from jobs.sizes import fit


@app.task
def resize(picture: str, width=None) -> tuple:
    return fit((1600, 1200), width)


@app.on_after_finalize.connect
def enqueue(sender, **_):
    for number in range(6):
        resize.delay(f"{number}.jpg", 800 if number % 3 == 0 else None)
