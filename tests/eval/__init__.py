"""Windows whose truth is known, and how well they are judged: what `make bench-window` runs.

Reading order:
  chance canvas past            one service minute by minute, and its earlier windows, both in the public format
  scenario                      a class of windows: its name, its truth, how one is painted
  quiet_* sick_*                the classes; catalogue holds them all
  projects                      several services that call each other, and which of them is the cause
  detector                      the one door to what is measured: a line in, an answer out
  thresholds                    the fixed limits that everything is held against
  shared petshop nezha real     the same question on windows that others made or recorded, where they lie beside us
  score cost work tables        what is counted, in how many processes, and how it is printed
"""
