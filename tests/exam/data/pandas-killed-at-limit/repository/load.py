import numpy as np

BLOCKS = 8


def main():
    print("loading the nightly extract", flush=True)
    parts = []
    for number in range(BLOCKS):
        parts.append(np.ones((40, 250_000)))
        print(f"block {number + 1} of {BLOCKS} loaded", flush=True)
        import time
        time.sleep(0.4)
    print("rows:", sum(part.shape[0] for part in parts))


main()
