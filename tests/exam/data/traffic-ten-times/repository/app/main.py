from fastapi import FastAPI

app = FastAPI()


@app.get('/vote')
def vote() -> str:
    return 'ok'
