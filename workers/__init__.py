"""The workers: everything from a stored alert to a pull request that held.

Reading order:
  models     every noun, in the order an incident meets them
  actors     the flow top to bottom: intake → survey → analyse → enrich → diagnose → plan → mend → propose → watch
  journal    who may work on what (claim), what was found out (step), what was done (effect); scripts holds its Lua
  intake due broker     how an alert comes in, what is for later, who wakes whom
  survey analysis opening     one look at an environment, what is sick in it, which incident that is
  enrichment diagnosis     the facts about one sick service, and which lane its trouble is in
  planning mend opencode     the agent: what it is told, what it answers, what it changed, what was proved of it
  proposing telling watching     the pull request, the words in Slack, and whether it held
  railway github slack statuspages repository     one client per outside thing
  settings logs errors store embedded supervise brakes listing     what every process shares, and the commands
"""
