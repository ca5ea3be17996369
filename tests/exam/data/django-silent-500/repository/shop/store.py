import json


def load(number):
    return json.loads('{"1": ["mug"]}')[str(number)]
