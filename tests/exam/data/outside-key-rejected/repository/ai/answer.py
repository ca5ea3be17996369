import os

from openai import OpenAI

client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])


def answer(question):
    return client.responses.create(model="gpt-5", input=question).output_text
