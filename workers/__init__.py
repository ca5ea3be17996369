"""The workers: everything from a stored alert to a pull request whose fix is verified.

Reading order:
  models               every value, in the order in which an incident meets them
  pipeline/stages      the flow, top to bottom: intake → survey → analyse → enrich → diagnose → plan → fix → propose →
                       watch, with notify beside it, and roll_back when a person asks for it
  pipeline/worker      how a stage is claimed and run; pipeline/failures: what follows its error
  engine/claim         steps, effects and fencing; engine/schema: every key and field in Redis; engine/lua: the scripts
  engine/stage_table   every stage; engine/records: every record
  incidents/           alerts, opening and grouping of incidents, controls, budgets, watchdogs, follow-up
  detection/           from a survey and a history to findings; history/: earlier windows of each service
  investigation/       facts about an incident, and the rules that choose a category
  agent/ sandbox/      prompts, runs and isolation of the coding agent
  remediation/         one attempt at a fix and its verification; pull_requests/: the proposal
  notifications/       messages in Slack
  actions/             what people do in Slack, on the page and in commands: one effect and one audit entry each
  clients/             one client for each outside service
  runtime/             settings, logs, Redis, redaction, supervision
  cli/                 the commands
"""

import _signal  # type: ignore[import-not-found]  # of the interpreter itself: `signal` would import more, and each moment counts
import sys

if sys.argv[1:2] == ["up"] and sys.argv[0].rpartition("/")[2] in ("-m", "trackwalker"):
    # Race: Python raises KeyboardInterrupt wherever it is, and an import swallows it ("Exception ignored in"). `up` has
    # nothing to clean up before it becomes the supervisor, so Ctrl-C ends it like SIGTERM, at once. Here, because this
    # is the first code of ours that runs, before the imports of the command line.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
