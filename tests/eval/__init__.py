"""Scores of detection on windows with ground truth: `make bench-window`.

Reading order:
  chance canvas history         one service minute by minute and its history, both in the public format
  scenario                      a class of windows: its name, its ground truth, the function that builds one
  healthy_* failing_*           the classes; `catalogue` lists them all
  projects                      several services that call each other, with the root cause
  detector                      the detector under test: a line in, an answer out
  thresholds                    the fixed thresholds that detection is compared with
  shared petshop nezha real     windows that others generated or recorded, if they are present
  score cost work tables        counts, cost, the process pool, and the output
"""
