"""The workers: everything from a stored alert to a pull request that held.

Reading order:
  models     every noun, in the order an incident meets them
  actors     the flow top to bottom: intake → survey → analyse → enrich → diagnose → plan → mend → propose → watch
  endings stages     how a stage ends when its work does not; which stage makes which record
  journal    who may work on what (claim), what was found out (step), what was done (effect)
  scripts records     its Lua, and what a record is as it is stored
  intake due broker     how an alert comes in, what is for later, who wakes whom
  survey analysis/ opening umbrella     one look at an environment, what is sick in it, which incident that is
  missed pings heartbeat     webhooks that did not come, pings that stay away, and who outside hears that we live
  past backfill/     each service's earlier windows, against which it is judged, and where they come from at first
  enrichment/ diagnosis/     the facts about one sick service, and which lane its trouble is in
  planning mend/ opencode     the agent: what it is told, what it answers, what it changed, what was proved of it
  proposing/ telling/ watching     the pull request, the words in Slack, and whether it held
  railway/ github/ slack statuspages repository/     one client per outside thing
  allowance     how many requests Railway still grants, and how far apart the pings are for it
  looking windows lookback/     one look, somebody's window judged, days gone by: told to nobody, nothing stored
  settings logs errors store embedded supervise brakes budget closings retries deadline     what all share
  listing showing steering replay     what a person sees of it, ends, has tried again, has judged again; find

Railway, in the order of a sweep: railway/documents (all that is asked), together and transport (few requests, limits,
refusals), shape, activity, edge, events (the parts of a survey), calls (who calls whom), wire and series (answers as
our nouns), lines (logs).
"""
