GREETING = (
    "hello "
    "world"
FAREWELL = "bye"
