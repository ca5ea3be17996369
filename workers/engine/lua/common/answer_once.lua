-- Needs `request`, `audit`, `entry`.
-- Race: Slack delivers a press again, a form is sent twice, or the first answer got lost. The recorded entry answers.
if redis.call('EXISTS', request) == 1 then return 'repeated' end
-- Records the action and its result: the last thing that a script does where the action has its effect.
local function conclude()
  redis.call('SET', request, entry, 'PX', 2592000000)
  redis.call('XADD', audit, 'MAXLEN', '~', 10000, '*', 'entry', entry)
end
